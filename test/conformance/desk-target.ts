// The desk of a standalone node as a target: sessions and transactions, no log and no sockets.

import { Rig, type RigClient } from '../unit/broker/rig.ts'
import type { Target } from './target.ts'
import { type Protocol, toWire, type Wire } from './wire.ts'

export class DeskTarget implements Target {
  readonly rig = new Rig({ clusterEnabled: false })
  readonly #protocol: Protocol
  readonly #clients = new Map<number, { readonly client: RigClient; taken: number }>()

  constructor(protocol: Protocol) {
    this.#protocol = protocol
  }

  #of(connection: number) {
    let one = this.#clients.get(connection)
    if (one === undefined) {
      one = { client: this.rig.client(), taken: 0 }
      this.#clients.set(connection, one)
    }
    return one
  }

  async send(connection: number, words: readonly string[]): Promise<void> {
    this.#of(connection).client.send(...words.map(word => Buffer.from(word, 'latin1')))
    this.rig.clock.turn()
  }

  async receive(connection: number): Promise<Wire> {
    const one = this.#of(connection)
    const answer = one.client.answers[one.taken]
    if (answer === undefined) throw new Error(`connection ${connection} is owed nothing`)
    one.taken += 1
    return toWire(answer.reply, this.#protocol)
  }

  async pause(ms: number): Promise<void> {
    this.rig.clock.advance(ms)
  }

  async close(): Promise<void> {}
}
