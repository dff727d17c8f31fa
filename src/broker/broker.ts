// The front desk: every command of every client passes here, once down and once up.

import type { Argv } from '../base/argv.ts'
import type { NodeId, ShardId } from '../base/types.ts'
import { fail } from '../machine/reply.ts'
import type { SlotMap } from '../topology/slot-map.ts'
import type { BrokerPorts, Producer } from './ports.ts'
import { type Client, Session, type SessionOptions } from './session.ts'

export class Broker {
  readonly #ports: BrokerPorts
  readonly #flushListeners: (() => void)[] = []
  readonly #topologyListeners = new Set<() => void>()
  #lastId = 0

  constructor(ports: BrokerPorts) {
    this.#ports = ports
  }

  connect(client: Client, options: SessionOptions): Session {
    this.#lastId += 1
    return new Session(this.#lastId, client, options)
  }

  /**
   * Takes one command. The words are read at once; what is kept is copied.
   *
   * @param ticket the caller's, echoed in `answer`
   * @returns false: take no more commands of this session until `client.resume()`
   */
  execute(session: Session, argv: Argv, ticket: number, _producer: Producer | null): boolean {
    session.client.answer(ticket, fail(`ERR unknown command '${argv.latin1(0)}'`))
    return true
  }

  disconnect(_session: Session): void {}

  /** Runs `listener` at the end of each turn: doors write what they gathered, once a socket. */
  onFlush(listener: () => void): void {
    this.#flushListeners.push(listener)
  }

  /** The end of a turn. Called by the roof after each turn, and by the desk itself when nobody else would. */
  flush(): void {
    for (const listener of this.#flushListeners) listener()
  }

  map(): SlotMap {
    return this.#ports.directory.map()
  }

  /** 0: unknown. */
  leaderOf(shard: ShardId): NodeId {
    return this.#ports.directory.leaderOf(shard)
  }

  /** Null: the node serves; otherwise why not. */
  health(): string | null {
    return this.#ports.health()
  }

  /** @returns the unsubscribe */
  watchTopology(listener: () => void): () => void {
    this.#topologyListeners.add(listener)
    return () => this.#topologyListeners.delete(listener)
  }

  /** Called by the roof when the map or a leader changed. */
  topologyChanged(): void {
    for (const listener of this.#topologyListeners) listener()
  }
}
