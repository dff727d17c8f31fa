// GroupService.Consume on real nodes: entries as they come, the work of a dead consumer, a leader that goes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ClientDuplexStream, credentials } from '@grpc/grpc-js'
import {
  ConsumeRequest,
  type ConsumeResponse,
  type DeepPartial,
} from '../../src/gen/slotcast/v1/consume.ts'
import { GroupServiceClient } from '../../src/gen/slotcast/v1/group_service.ts'
import { LocalCluster } from '../chaos/cluster.ts'
import { Connection } from '../chaos/connection.ts'

const WAIT_MS = 10_000
const b = (text: string): Buffer => Buffer.from(text)

/** A call, with what came on it by key. */
class Consumer {
  readonly #client: GroupServiceClient
  readonly #call: ClientDuplexStream<ConsumeRequest, ConsumeResponse>
  readonly frames: ConsumeResponse[] = []
  #ended = false

  constructor(address: string, frame: DeepPartial<ConsumeRequest>) {
    this.#client = new GroupServiceClient(address, credentials.createInsecure())
    this.#call = this.#client.consume()
    this.#call.on('data', found => this.frames.push(found))
    this.#call.on('error', () => {
      this.#ended = true
    })
    this.#call.on('end', () => {
      this.#ended = true
    })
    this.send(frame)
  }

  send(frame: DeepPartial<ConsumeRequest>): void {
    this.#call.write(ConsumeRequest.fromPartial(frame))
  }

  ids(key: string): string[] {
    return this.#of(key).flatMap(({ entries }) => entries.map(({ entry }) => entry?.id ?? ''))
  }

  token(key: string): Buffer {
    return this.#of(key).at(-1)?.resumeToken ?? Buffer.alloc(0)
  }

  #of(key: string) {
    return this.frames.flatMap(({ entries }) => entries).filter(each => each.key.equals(b(key)))
  }

  get settled(): string[] {
    return this.frames.flatMap(({ settled }) =>
      settled.map(({ tag, outcome }) =>
        outcome?.$case === 'count' ? `${tag}=${outcome.value}` : `${tag}:${outcome?.$case}`,
      ),
    )
  }

  get isOver(): boolean {
    return this.#ended
  }

  close(): void {
    this.#call.cancel()
    this.#client.close()
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + WAIT_MS
  while (!holds()) {
    assert.ok(performance.now() < end, `${what} takes too long`)
    await sleep(10)
  }
}

const open = (consumer: string) => ({
  group: b('g'),
  consumer: b(consumer),
  createFrom: '0',
  claimMinIdle: { seconds: 1n, nanos: 0 },
  heartbeat: { seconds: 1n, nanos: 0 },
})

test('a consumer of many streams gets what is there and what comes, and never again what it acknowledged', {
  timeout: 120_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const keys = await cluster.keyOfEach('orders')
    const [key = '', other = ''] = keys
    const leader = await cluster.leaderOf(key)
    const resp = await Connection.open(cluster.respPort(leader))
    const add = (i: number) => resp.ask(['XADD', key, `${i}-0`, 'item', String(i)], WAIT_MS)
    for (let i = 1; i <= 5; i += 1) await add(i)

    const first = new Consumer(cluster.grpcAddress(leader), {
      open: open('first'),
      add: [{ key: b(key) }, { key: b(other) }],
      credit: { entries: 1_000n, bytes: 0n },
    })
    await until('the backlog', () => first.ids(key).length === 5)
    await add(6)
    await until('a new entry', () => first.ids(key).length === 6)
    assert.deepEqual(first.ids(key), ['1-0', '2-0', '3-0', '4-0', '5-0', '6-0'])
    await until('the redirect', () => first.frames.some(({ ended }) => ended.length > 0))
    const [elsewhere] = first.frames.flatMap(({ ended }) => ended)
    assert.equal(elsewhere?.key.toString(), other)
    assert.equal(elsewhere?.reason?.$case, 'redirect')
    const moved = elsewhere?.reason?.$case === 'redirect' ? elsewhere.reason.value.moved : undefined
    assert.equal(moved?.leader?.nodeId, `n${await cluster.leaderOf(other)}`)

    first.send({
      acks: [
        { tag: 1n, key: b(key), ids: ['1-0', '2-0'] },
        { tag: 2n, key: b(key), ids: ['2-0'] },
      ],
      nacks: [{ tag: 3n, key: b(key), ids: ['3-0'], mode: 2 }],
    })
    await until('the settlements', () => first.settled.length === 3)
    assert.deepEqual(first.settled, ['1=2', '2=0', '3=1'])
    // What it gave back comes again: to itself, since nobody else is there.
    await until('what was given back', () => first.ids(key).filter(id => id === '3-0').length === 2)

    // Nothing new comes: the work of the dead is taken over because it idles.
    first.close()
    const second = new Consumer(cluster.grpcAddress(leader), {
      open: open('second'),
      add: [{ key: b(key) }],
      credit: { entries: 1_000n, bytes: 0n },
    })
    await until('the work of the dead', () => second.ids(key).length >= 4)
    assert.deepEqual([...second.ids(key)].sort(), ['3-0', '4-0', '5-0', '6-0'])
    await until('two heartbeats', () => second.frames.filter(isBeat).length >= 2)

    // The leader dies: whatever was delivered and not acknowledged is there at the next.
    second.send({ acks: [{ tag: 9n, key: b(key), ids: ['3-0', '4-0'] }] })
    await until('the ack', () => second.settled.length === 1)
    await cluster.node(leader).kill()
    await until('the end of the call', () => second.isOver)
    const successor = await cluster.leaderOf(key)
    assert.notEqual(successor, leader)
    const third = new Consumer(cluster.grpcAddress(successor), {
      open: open('second'),
      add: [{ key: b(key) }],
      credit: { entries: 1_000n, bytes: 0n },
    })
    await until('what is pending', () => third.ids(key).length >= 2)
    assert.deepEqual(third.ids(key).slice(0, 2), ['5-0', '6-0'])
    third.close()
    second.close()
    resp.close()
  })
})

test('a cancelled call leaves no waiter and takes no entry that comes later', {
  timeout: 120_000,
}, async () => {
  await LocalCluster.run({ nodes: 1 }, async cluster => {
    const resp = await Connection.open(cluster.respPort(1))
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)
    const consumer = new Consumer(cluster.grpcAddress(1), {
      open: open('me'),
      add: keys.map(key => ({ key: b(key) })),
      credit: { entries: 100n, bytes: 0n },
    })
    const blocked = async (): Promise<number> => {
      const info = String(await resp.ask(['INFO', 'clients'], WAIT_MS))
      return Number(/blocked_clients:(\d+)/.exec(info)?.[1])
    }
    for (let i = 0; i < 100 && (await blocked()) < keys.length; i += 1) await sleep(50)
    assert.equal(await blocked(), keys.length)
    consumer.close()
    for (let i = 0; i < 100 && (await blocked()) > 0; i += 1) await sleep(50)
    assert.equal(await blocked(), 0)
    await resp.ask(['XADD', 'k0', '*', 'item', '1'], WAIT_MS)
    assert.deepEqual(await resp.ask(['XPENDING', 'k0', 'g'], WAIT_MS), [0, null, null, null])
    resp.close()
  })
})

function isBeat({ opened, entries, settled, ended, goAway }: ConsumeResponse): boolean {
  return !opened && !goAway && entries.length + settled.length + ended.length === 0
}
