// Streams over HTTP on real nodes: a watcher and two workers that come again whenever their response ends,
// while the leader is killed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LocalCluster } from '../chaos/cluster.ts'

const ENTRIES = 60
const WAIT_MS = 30_000

/** Follows a path of any node as EventSource does: again after a while, with the last ID that came. */
class Follower {
  readonly ids: string[] = []
  readonly #cluster: LocalCluster
  readonly #path: string
  readonly #seen: (id: string) => Promise<void>
  #tries = 0
  #abort = new AbortController()
  #isOver = false

  constructor(cluster: LocalCluster, path: string, seen: (id: string) => Promise<void>) {
    this.#cluster = cluster
    this.#path = path
    this.#seen = seen
    void this.#follow()
  }

  async #follow(): Promise<void> {
    while (!this.#isOver) {
      await this.#once().catch(() => {})
      await sleep(100)
    }
  }

  async #once(): Promise<void> {
    this.#tries += 1
    const last = this.ids.at(-1)
    const response = await fetch(
      urlOf(this.#cluster, (this.#tries % this.#cluster.nodes.length) + 1, this.#path),
      {
        headers: last === undefined ? {} : { 'last-event-id': last },
        signal: this.#abort.signal,
      },
    )
    if (response.status !== 200) return
    let text = ''
    for await (const part of response.body ?? []) {
      text += Buffer.from(part).toString('utf8')
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) {
        const id = /^id: (.+)$/m.exec(block)?.[1]
        if (id === undefined) continue
        this.ids.push(id)
        await this.#seen(id)
      }
    }
  }

  stop(): void {
    this.#isOver = true
    this.#abort.abort()
  }
}

function urlOf(cluster: LocalCluster, node: number, path: string): string {
  return `http://127.0.0.1:${cluster.httpPort(node)}/v1/streams/${path}`
}

/** Asks one node after the other until one does it. */
async function post(cluster: LocalCluster, path: string, body: unknown): Promise<unknown> {
  const end = performance.now() + WAIT_MS
  for (let node = 1; performance.now() < end; node = (node % cluster.nodes.length) + 1) {
    try {
      const response = await fetch(urlOf(cluster, node, path), {
        method: 'POST',
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(2_000),
      })
      // An append whose answer was lost was done: its ID is there.
      if (response.ok || response.status === 400) return await response.json()
    } catch {
      // It is down, or was when it was redirected to.
    }
    await sleep(50)
  }
  throw new Error(`nobody takes ${path}`)
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + WAIT_MS
  while (!holds()) {
    assert.ok(performance.now() < end, `${what} takes too long`)
    await sleep(20)
  }
}

test('a watcher sees every entry in order and workers do all of them, while the leader is killed', {
  timeout: 120_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const [key = ''] = await cluster.keyOfEach('orders')
    const appended: string[] = []
    const done = new Set<string>()
    const watcher = new Follower(cluster, `${key}/events?after=0`, async () => {})
    const workers = ['w1', 'w2'].map(
      name =>
        new Follower(
          cluster,
          `${key}/groups/g/events?consumer=${name}&create=0&prefetch=4&claim_min_idle=500`,
          async id => {
            await post(cluster, `${key}/groups/g/ack`, { ids: [id] })
            done.add(id)
          },
        ),
    )
    for (let i = 1; i <= ENTRIES; i += 1) {
      if (i === ENTRIES / 2) await cluster.node(await cluster.leaderOf(key)).kill()
      await post(cluster, `${key}?id=${i}-0`, { n: i })
      appended.push(`${i}-0`)
    }
    await until('the watcher', () => watcher.ids.length >= ENTRIES)
    await until('the workers', () => done.size >= ENTRIES)
    assert.deepEqual(watcher.ids, appended)
    assert.deepEqual([...done].sort(), [...appended].sort())
    for (const follower of [watcher, ...workers]) follower.stop()
  })
})
