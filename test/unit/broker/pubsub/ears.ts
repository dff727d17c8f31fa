// Subscribers that write down what they hear, and nodes joined by wires that tests can cut.

import { Metrics } from '../../../../src/base/metrics.ts'
import type { Listener, Moved, Subscriber } from '../../../../src/broker/pubsub/listener.ts'
import { Listener as RealListener } from '../../../../src/broker/pubsub/listener.ts'
import type { Publication } from '../../../../src/broker/pubsub/publication.ts'
import { PubSub } from '../../../../src/broker/pubsub/pubsub.ts'
import { quiet } from '../rig.ts'

export class Ear implements Subscriber {
  readonly heard: string[] = []
  readonly sequences: string[] = []
  readonly lost: Moved[] = []
  readonly listener: Listener = new RealListener(this)

  deliver(publication: Publication): void {
    const { kind, pattern, source, origin, sequence } = publication
    const channel = source.toString('latin1', publication.channelFrom, publication.channelTo)
    const payload = source.toString('latin1', publication.payloadFrom, publication.payloadTo)
    const by = kind === 'pmessage' ? ` ${pattern.toString('latin1')}` : ''
    this.heard.push(`${kind}${by} ${channel} ${payload}`)
    this.sequences.push(`n${origin}:${sequence}`)
  }

  moved(notice: Moved): void {
    this.lost.push(notice)
  }
}

/** A node's pub/sub whose parcels go to the others when `turn` is called. */
export class WiredNode {
  readonly id: number
  readonly metrics = new Metrics()
  readonly pubsub: PubSub
  readonly peers = new Map<number, WiredNode>()
  now = 0
  /** Bytes that every link has left. */
  room = Number.POSITIVE_INFINITY
  /** Links swallow what they are given, and say so. */
  refuses = false

  constructor(id: number) {
    this.id = id
    this.pubsub = new PubSub({
      self: id,
      logger: quiet,
      metrics: this.metrics,
      schedule: () => {},
      clock: { monotonic: () => this.now },
      random: { below: () => 1000 * id },
    })
  }

  publish(channel: string, payload: string): number {
    const name = Buffer.from(channel, 'latin1')
    const source = Buffer.concat([name, Buffer.from(payload, 'latin1')])
    return this.pubsub.publish(channel, source, 0, name.length, name.length, source.length)
  }

  turn(): void {
    this.pubsub.collect(
      () => this.room,
      (to, bytes) => {
        if (this.refuses) this.pubsub.undelivered(to)
        else this.peers.get(to)?.pubsub.receive(this.id, Buffer.from(bytes))
      },
    )
  }

  count(name: string): number {
    return this.metrics.counters.get(name)?.value ?? 0
  }
}

/** Nodes that all know each other. */
export function wired(count: number): WiredNode[] {
  const nodes = Array.from({ length: count }, (_, i) => new WiredNode(i + 1))
  for (const one of nodes)
    for (const other of nodes) {
      if (one === other) continue
      one.peers.set(other.id, other)
      one.pubsub.up(other.id)
    }
  settle(nodes)
  return nodes
}

/** Turns of all nodes, until whatever was asked is answered. */
export function settle(nodes: readonly WiredNode[]): void {
  for (let round = 0; round < 3; round += 1) for (const node of nodes) node.turn()
}
