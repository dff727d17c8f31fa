// Nodes that a test plays: each tells a map that the test draws, and hands its calls to the test.

import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { Client } from '../../../src/client/client.ts'
import { type ClientOptions, settingsOf } from '../../../src/client/options.ts'
import {
  type ClusterServiceServer,
  ClusterServiceService,
  type WatchTopologyResponse,
} from '../../../src/gen/slotcast/v1/cluster_service.ts'
import {
  type CallResult,
  CommandServiceService,
  type SessionRequest,
  SessionResponse,
} from '../../../src/gen/slotcast/v1/command_service.ts'
import type { ConsumeRequest, ConsumeResponse } from '../../../src/gen/slotcast/v1/consume.ts'
import { GroupServiceService } from '../../../src/gen/slotcast/v1/group_service.ts'
import {
  type DeepPartial,
  type SubscribeRequest,
  SubscribeResponse,
} from '../../../src/gen/slotcast/v1/pubsub.ts'
import { PubSubServiceService } from '../../../src/gen/slotcast/v1/pubsub_service.ts'
import { SlotMoved, Topology } from '../../../src/gen/slotcast/v1/topology.ts'

export type SubscribeStream = ServerDuplexStream<SubscribeRequest, SubscribeResponse>
type CommandStream = ServerDuplexStream<SessionRequest, SessionResponse>
export type ConsumeStream = ServerDuplexStream<ConsumeRequest, ConsumeResponse>

const DEADLINE_MS = 5_000

export class PlayedNode {
  readonly name: string
  readonly #server = new Server()
  readonly watchers = new Set<{ write(response: WatchTopologyResponse): unknown }>()
  port = 0
  watches = 0
  questions = 0
  /** Subscribe calls that are open. */
  readonly subscribers: SubscribeStream[] = []
  /** Names that were asked for, as `+channel news` or `-channel news`. */
  readonly asked: string[] = []
  /** How often a Subscribe began. */
  begun = 0
  /** What is told to a name that is asked for; default: that it stands. */
  answer: (name: string) => DeepPartial<SubscribeResponse>['events'] | null = () => null
  #isMute = false
  readonly #unsaid: (() => void)[] = []
  /** The node that commands are sent to instead. */
  redirectTo = ''
  /** Commands that were answered. */
  commands = 0
  readonly consumers: ConsumeStream[] = []
  readonly consumed: ConsumeRequest[] = []

  readonly #place: (leader: string) => SlotMoved

  constructor(name: string, map: () => Topology, place: (leader: string) => SlotMoved) {
    this.name = name
    this.#place = place
    const cluster: ClusterServiceServer = {
      getTopology: (_call, callback) => {
        this.questions += 1
        callback(null, { topology: map() })
      },
      watchTopology: call => {
        this.watches += 1
        this.watchers.add(call)
        call.write({ topology: map() })
      },
    }
    this.#server.addService(ClusterServiceService, cluster)
    const { subscribe } = PubSubServiceService
    this.#server.addService(
      { subscribe },
      { subscribe: (call: SubscribeStream) => this.#begin(call) },
    )
    const { session } = CommandServiceService
    this.#server.addService({ session }, { session: (call: CommandStream) => this.#session(call) })
    const { consume } = GroupServiceService
    this.#server.addService({ consume }, { consume: (call: ConsumeStream) => this.#consume(call) })
  }

  listen(secrets = ServerCredentials.createInsecure()): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#server.bindAsync('127.0.0.1:0', secrets, (error, port) => {
        this.port = port
        if (error === null) resolve()
        else reject(error)
      }),
    )
  }

  /** Nothing is said at all; commands are answered when that is over, as by a node that hung. */
  set isMute(isMute: boolean) {
    this.#isMute = isMute
    if (!isMute) for (const say of this.#unsaid.splice(0)) say()
  }

  get isMute(): boolean {
    return this.#isMute
  }

  #begin(call: SubscribeStream): void {
    this.begun += 1
    this.subscribers.push(call)
    call.on('error', () => {})
    call.on('cancelled', () => this.subscribers.splice(this.subscribers.indexOf(call), 1))
    call.on('data', ({ open, changes }: SubscribeRequest) => {
      if (open !== undefined) this.say(call, { opened: { nodeId: this.name } })
      for (const { kind, subscribe, unsubscribe } of changes) {
        for (const name of subscribe) {
          this.asked.push(`+${KINDS[kind]} ${name}`)
          const events = this.answer(String(name)) ?? [
            { event: { $case: 'started', value: { kind, name } } },
          ]
          this.say(call, { events })
        }
        for (const name of unsubscribe) {
          this.asked.push(`-${KINDS[kind]} ${name}`)
          this.say(call, { events: [{ event: { $case: 'ended', value: { kind, name } } }] })
        }
      }
    })
  }

  /** Answers every command with the node's name. */
  #session(call: CommandStream): void {
    call.on('error', () => {})
    call.on('data', ({ calls }: SessionRequest) => {
      if (this.isMute) this.#unsaid.push(() => this.#answer(call, calls))
      else this.#answer(call, calls)
    })
  }

  #answer(call: CommandStream, calls: readonly { readonly tag: bigint }[]): void {
    const kind = { $case: 'simple' as const, value: this.name }
    const moved = this.redirectTo === '' ? null : this.#place(this.redirectTo)
    const outcome: CallResult['outcome'] =
      moved === null
        ? { $case: 'reply' as const, value: { kind } }
        : { $case: 'redirect' as const, value: { text: 'MOVED 1 x:1', moved } }
    const results = calls.map(({ tag }) => ({ tag, outcome }))
    this.commands += calls.length
    call.write(SessionResponse.fromPartial({ results, configEpoch: 1n }))
  }

  #consume(call: ConsumeStream): void {
    this.consumers.push(call)
    call.on('error', () => {})
    call.on('data', (frame: ConsumeRequest) => this.consumed.push(frame))
  }

  say(call: SubscribeStream, frame: DeepPartial<SubscribeResponse>): void {
    if (!this.isMute) call.write(SubscribeResponse.fromPartial(frame))
  }

  /** Tells a message to all that listen. */
  publish(
    channel: string,
    sequence: number,
    more: { pattern?: string; sharded?: boolean; payload?: Buffer; origin?: string } = {},
  ): void {
    const { pattern = '', sharded = false, payload = Buffer.from(`${channel} ${sequence}`) } = more
    const { origin = this.name } = more
    const value = {
      ...{ channel: Buffer.from(channel), payload, pattern: Buffer.from(pattern) },
      ...{ sharded, origin, sequence: BigInt(sequence) },
    }
    for (const call of this.subscribers)
      this.say(call, { events: [{ event: { $case: 'message', value } }] })
  }

  /** As a kill. */
  kill(): void {
    this.#server.forceShutdown()
  }
}

const KINDS = ['', 'channel', 'pattern', 'sharded']

/** Nodes n1, n2, … with one shard, led by `leader`. */
export class PlayedCluster {
  readonly nodes: readonly PlayedNode[]
  leader = 'n1'
  readonly #clients: Client[] = []

  private constructor(count: number) {
    this.nodes = Array.from(
      { length: count },
      (_, i) =>
        new PlayedNode(
          `n${i + 1}`,
          () => this.#map(),
          leader => this.moved(leader),
        ),
    )
  }

  static async run(
    count: number,
    story: (cluster: PlayedCluster) => Promise<void>,
    secrets?: ServerCredentials,
  ): Promise<void> {
    const cluster = new PlayedCluster(count)
    for (const node of cluster.nodes) await node.listen(secrets)
    try {
      await story(cluster)
    } finally {
      await Promise.all(cluster.#clients.map(client => client.close()))
      for (const node of cluster.nodes) node.kill()
    }
  }

  node(number: number): PlayedNode {
    return this.nodes[number - 1] as PlayedNode
  }

  async client(options: Partial<ClientOptions> = {}): Promise<Client> {
    const seeds = this.nodes.map(({ port }) => `127.0.0.1:${port}`)
    const client = new Client(settingsOf({ seeds, ...options }))
    this.#clients.push(client)
    await client.ready()
    return client
  }

  /** Another leads from now on, and everybody is told. */
  lead(leader: string): void {
    this.leader = leader
    for (const { watchers } of this.nodes)
      for (const watcher of watchers) watcher.write({ topology: this.#map() })
  }

  moved(leader: string): SlotMoved {
    const port = this.nodes.find(({ name }) => name === leader)?.port ?? 0
    const endpoint = { nodeId: leader, host: '127.0.0.1', port }
    const range = { first: 0, last: 16_383 }
    return SlotMoved.fromPartial({ slot: 1, configEpoch: 1n, shardId: 1, leader: endpoint, range })
  }

  #map(): Topology {
    return Topology.fromPartial({
      configEpoch: 1n,
      nodes: this.nodes.map(({ name, port }) => ({
        nodeId: name,
        grpc: { nodeId: name, host: '127.0.0.1', port },
      })),
      shards: [{ shardId: 1, ranges: [{ first: 0, last: 16_383 }], leaderNodeId: this.leader }],
    })
  }
}

export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + DEADLINE_MS
  while (!holds()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${DEADLINE_MS} ms`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
