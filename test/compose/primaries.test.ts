// Three containers, a client that writes, and leaders that are killed and paused meanwhile: every acknowledged entry is accounted for.

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import {
  GenericContainer,
  getContainerRuntimeClient,
  Network,
  type StartedNetwork,
  type StartedTestContainer,
  Wait,
} from 'testcontainers'
import { eventually } from '../integration/slotcast-process.ts'
import { noEngine } from './engine.ts'

const ROOT = join(import.meta.dirname, '../..')
const IMAGE = 'slotcast:testcontainers'
const NODES = [1, 2, 3] as const
const KEYS = Array.from({ length: 12 }, (_, i) => `orders ${i}`)
const WRITERS = 24
const ROUNDS = 2
const PAUSE_MS = 4_000
const DOWN_MS = 3_000

const patience = { skip: noEngine, timeout: 900_000 }

type Ports = { readonly resp: number; readonly admin: number }
const ports = new Map<number, Ports>()
const containers = new Map<number, StartedTestContainer>()
let network: StartedNetwork | null = null

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}

before(async () => {
  if (noEngine !== false) return
  await GenericContainer.fromDockerfile(ROOT, 'cluster/Dockerfile').build(IMAGE, {
    deleteOnExit: false,
  })
  network = await new Network().start()
  for (const node of NODES) {
    ports.set(node, { resp: await freePort(), admin: await freePort() })
  }
  for (const node of NODES) {
    const { resp, admin } = portsOf(node)
    const config = ['--config', 'cluster/cluster.yaml', '--config', `cluster/node-${node}.yaml`]
    containers.set(
      node,
      await new GenericContainer(IMAGE)
        .withNetwork(network)
        .withNetworkAliases(`node-${node}`)
        .withCommand(['node', ...config])
        .withEnvironment({
          SLOTCAST_NODE_RESP_ADVERTISE: `127.0.0.1:${resp}`,
          SLOTCAST_HEALTH_PORT: `${7300 + node}`,
        })
        .withExposedPorts(
          { container: 7000 + node, host: resp },
          { container: 7300 + node, host: admin },
        )
        // Ready comes with the others: one node alone lives, and waits.
        .withWaitStrategy(Wait.forHttp('/healthz', 7300 + node))
        .start(),
    )
  }
  for (const node of NODES) await eventually(() => isReady(node))
}, patience)

after(async () => {
  for (const container of containers.values()) await container.stop({ timeout: 1000 })
  await network?.stop()
}, patience)

function portsOf(node: number): Ports {
  const found = ports.get(node)
  assert.ok(found !== undefined)
  return found
}

async function isReady(node: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${portsOf(node).admin}/readyz`)).status === 200
  } catch {
    return false
  }
}

/** The node that leads `shard`, as any node that answers says. */
async function leaderOf(shard: number): Promise<number> {
  for (;;) {
    for (const node of NODES) {
      try {
        const response = await fetch(`http://127.0.0.1:${portsOf(node).admin}/v1/topology`, {
          signal: AbortSignal.timeout(500),
        })
        const map = (await response.json()) as { shards: { id: number; leader: number }[] }
        const leader = map.shards.find(({ id }) => id === shard)?.leader ?? 0
        if (leader !== 0) return leader
      } catch {
        // Another node may answer.
      }
    }
    await sleep(50)
  }
}

async function engineContainer(node: number) {
  const client = await getContainerRuntimeClient()
  const container = containers.get(node)
  assert.ok(container !== undefined)
  return client.container.getById(container.getId())
}

type Acknowledged = { readonly key: string; readonly id: string; readonly value: string }

/** Writes until told to stop; what failed may or may not be there, what was acknowledged must. */
class Writers {
  readonly acknowledged: Acknowledged[] = []
  failed = 0
  #stopped = false
  readonly #client: Cluster
  readonly #loops: Promise<void>[]

  constructor(client: Cluster) {
    this.#client = client
    this.#loops = Array.from({ length: WRITERS }, (_, writer) => this.#write(writer))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#loops)
  }

  async #write(writer: number): Promise<void> {
    for (let i = 0; !this.#stopped; i += 1) {
      const key = KEYS[(writer + i) % KEYS.length] ?? ''
      const value = `${writer}-${i}`
      try {
        const id = await this.#client.xadd(key, '*', 'value', value)
        this.acknowledged.push({ key, id: id ?? '', value })
      } catch {
        this.failed += 1
        await sleep(20)
      }
    }
  }
}

test(
  'leaders are killed and paused under load, and nothing acknowledged is lost',
  patience,
  async t => {
    const client = new Cluster(
      NODES.map(node => ({ host: '127.0.0.1', port: portsOf(node).resp })),
      {
        // What gets no answer fails here and counts as unknown, so that no write is sent twice.
        redisOptions: {
          maxRetriesPerRequest: 0,
          autoResendUnfulfilledCommands: false,
          commandTimeout: 3000,
        },
        retryDelayOnFailover: 0,
        clusterRetryStrategy: () => 50,
      },
    )
    client.on('error', () => undefined)
    const writers = new Writers(client)
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const shard of [1, 2, 3]) {
        await sleep(1000)
        const killed = await leaderOf(shard)
        const engine = await engineContainer(killed)
        await engine.kill()
        await sleep(DOWN_MS)
        await engine.start()
        await eventually(() => isReady(killed))
      }
      const paused = await leaderOf(1)
      const engine = await engineContainer(paused)
      await engine.pause()
      await sleep(PAUSE_MS)
      await engine.unpause()
      await eventually(() => isReady(paused))
    }
    await sleep(1000)
    await writers.stop()
    t.diagnostic(`${writers.acknowledged.length} acknowledged, ${writers.failed} unknown`)
    assert.ok(writers.acknowledged.length > 1000)
    await account(client, writers.acknowledged)
    client.disconnect()
  },
)

async function account(client: Cluster, acknowledged: readonly Acknowledged[]): Promise<void> {
  const found = new Map<string, string>()
  for (const key of KEYS) {
    let last = ''
    for (const [id, fields] of await client.xrange(key, '-', '+')) {
      assert.notEqual(id, last)
      last = id
      found.set(`${key} ${id}`, fields[1] ?? '')
    }
  }
  const lost = acknowledged.filter(({ key, id, value }) => found.get(`${key} ${id}`) !== value)
  assert.deepEqual(lost, [])
  const values = new Set(found.values())
  assert.equal(values.size, found.size, 'no entry twice')
}
