// A desk for tests and benchmarks of the gRPC door: it answers by a script, in turns.

import type { Argv } from '../../../../src/base/argv.ts'
import { OUTPUT_LIMITS, type OutputLimits } from '../../../../src/broker/output-limits.ts'
import type {
  Desk,
  DeskClient,
  DeskSessionOptions,
  MapView,
  Producer,
} from '../../../../src/doors/grpc/desk.ts'
import { NULL_ARRAY, type Reply } from '../../../../src/machine/reply.ts'

export type FakeSession = {
  readonly client: DeskClient
  readonly options: DeskSessionOptions
  ended: boolean
}

export type Asked = {
  readonly words: readonly string[]
  readonly producer: Producer | null
  readonly session: FakeSession
  readonly ticket: number
}

/** What a script says: a reply now, or with the next turn; null: never. */
export type Script = (words: readonly string[]) => Reply | null

const node = (id: number) => ({
  id,
  name: `n${id}`,
  hostLabel: `host-${id}`,
  resp: { host: '127.0.0.1', port: 7000 + id },
  grpc: { host: '127.0.0.1', port: 7100 + id },
})

export class FakeDesk implements Desk<FakeSession> {
  readonly asked: Asked[] = []
  readonly sessions: FakeSession[] = []
  readonly #flushListeners: (() => void)[] = []
  readonly #topologyListeners = new Set<() => void>()
  #due: (() => void)[] = []
  #turning = false
  readonly settings: { outputLimits: OutputLimits } = { outputLimits: OUTPUT_LIMITS }
  script: Script = () => NULL_ARRAY
  /** Answers come within `execute` instead of with the turn. */
  atOnce = false
  /** Commands taken until `execute` answers false. */
  takesMax = Number.POSITIVE_INFINITY
  problem: string | null = null
  leader = 2
  view: MapView = {
    epoch: 7,
    clusterId: 'c0ffee',
    nodes: new Map([1, 2, 3].map(id => [id, node(id)])),
    shards: new Map([
      [1, { id: 1, voters: [1, 2, 3], ranges: [{ first: 0, last: 8191 }] }],
      [2, { id: 2, voters: [2, 3, 1], ranges: [{ first: 8192, last: 16383 }] }],
    ]),
  }

  connect(client: DeskClient, options: DeskSessionOptions): FakeSession {
    const session = { client, options, ended: false }
    this.sessions.push(session)
    return session
  }

  execute(session: FakeSession, argv: Argv, ticket: number, producer: Producer | null): boolean {
    const words: string[] = []
    for (let i = 0; i < argv.count; i += 1) words.push(argv.latin1(i))
    this.asked.push({ words, producer, session, ticket })
    const reply = this.script(words)
    if (reply !== null) {
      const answer = (): void => {
        if (!session.ended) session.client.answer(ticket, reply)
      }
      if (this.atOnce) answer()
      else this.#later(answer)
    }
    this.takesMax -= 1
    return this.takesMax > 0
  }

  disconnect(session: FakeSession): void {
    session.ended = true
  }

  onFlush(listener: () => void): void {
    this.#flushListeners.push(listener)
  }

  map(): MapView {
    return this.view
  }

  leaderOf(): number {
    return this.leader
  }

  health(): string | null {
    return this.problem
  }

  watchTopology(listener: () => void): () => void {
    this.#topologyListeners.add(listener)
    return () => this.#topologyListeners.delete(listener)
  }

  get watchers(): number {
    return this.#topologyListeners.size
  }

  topologyChanged(): void {
    for (const listener of this.#topologyListeners) listener()
  }

  /** Runs `work` with the next turn, which ends with a flush. */
  #later(work: () => void): void {
    this.#due.push(work)
    if (this.#turning) return
    this.#turning = true
    setImmediate(() => {
      const due = this.#due
      this.#due = []
      this.#turning = false
      for (const run of due) run()
      this.turn()
    })
  }

  /** The end of a turn. */
  turn(): void {
    for (const listener of this.#flushListeners) listener()
  }
}
