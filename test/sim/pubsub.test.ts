// Pub/sub between simulated nodes under faults: whatever was lost, nothing comes twice or out
// of order, and once the links work again everybody gets what they listen to.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeId } from '../../src/base/types.ts'
import { Listener, type Subscriber } from '../../src/broker/pubsub/listener.ts'
import type { Publication } from '../../src/broker/pubsub/publication.ts'
import type { PubSub } from '../../src/broker/pubsub/pubsub.ts'
import { Prng } from './prng.ts'
import { Scenario } from './scenario.ts'

const SEEDS = 40
const ROUNDS = 30
const CHANNELS = ['a', 'ab', 'b', 'c']
const PATTERNS = ['a*', '*', '?']

/** A subscriber that lives as long as its node's process, and checks what it gets. */
class Ear implements Subscriber {
  readonly listener = new Listener(this)
  /** What was heard last, by subscription and publisher. */
  readonly last = new Map<string, number>()
  /** What was heard, as `subscription publisher number`. */
  readonly heard = new Set<string>()

  deliver({ source, kind, pattern, ...publication }: Publication): void {
    const channel = source.toString('latin1', publication.channelFrom, publication.channelTo)
    const payload = source.toString('latin1', publication.payloadFrom, publication.payloadTo)
    const [publisher, number] = payload.split(' ') as [string, string]
    const stream = `${kind} ${pattern.toString('latin1')} ${channel} ${publisher}`
    const before = this.last.get(stream) ?? 0
    assert.ok(Number(number) > before, `${stream}: ${number} came after ${before}`)
    this.last.set(stream, Number(number))
    this.heard.add(`${stream} ${number}`)
  }

  moved(): void {}
}

class Story {
  readonly scenario: Scenario
  readonly #prng: Prng
  /** Of the process that runs on each node now. */
  readonly #ears = new Map<NodeId, { readonly pubsub: PubSub; readonly ear: Ear }>()
  #published = 0
  readonly #lives = new Map<PubSub, number>()

  constructor(seed: number) {
    this.#prng = new Prng(`pubsub ${seed}`)
    this.scenario = new Scenario(`pubsub ${seed}`)
  }

  /** Runs `act` as an event of a node's process, if it is up. */
  #on(node: NodeId, act: (pubsub: PubSub, ear: Ear) => void): void {
    const { process, node: running } = this.scenario.cluster.machine(node)
    if (process === null || running === null || process.paused) return
    const { pubsub } = running.broker
    let known = this.#ears.get(node)
    if (known?.pubsub !== pubsub) {
      known = { pubsub, ear: new Ear() }
      this.#ears.set(node, known)
      this.#lives.set(pubsub, this.#lives.size + 1)
    }
    const { ear } = known
    process.run(() => act(pubsub, ear))
  }

  publish(node: NodeId, channel: string): string | null {
    let said: string | null = null
    this.#on(node, pubsub => {
      this.#published += 1
      said = `life${this.#lives.get(pubsub)} ${this.#published}`
      const source = Buffer.from(channel + said)
      const { length } = channel
      pubsub.publish(channel, source, 0, length, length, source.length)
    })
    return said
  }

  /** Somebody begins or ends to listen. */
  change(node: NodeId): void {
    this.#on(node, ({ registry }, { listener }) => {
      const joins = this.#prng.chance(0.6)
      const channel = this.#prng.pick(CHANNELS)
      const pattern = this.#prng.pick(PATTERNS)
      if (this.#prng.chance(0.7)) {
        if (joins) registry.subscribe(listener, channel)
        else registry.unsubscribe(listener, channel)
      } else if (joins) registry.subscribePattern(listener, pattern)
      else registry.unsubscribePattern(listener, pattern)
    })
  }

  disturb(): void {
    const { cluster } = this.scenario
    const { network, nodes } = cluster
    const node = this.#prng.pick(nodes)
    const others = nodes.filter(other => other !== node)
    const what = this.#prng.below(5)
    if (what === 0) network.partition([node], others)
    else if (what === 1) network.cutOneWay(node, this.#prng.pick(others))
    else if (what === 2 && cluster.machine(node).up) cluster.crash(node, 'kill')
    else network.heal()
    for (const machine of cluster.machines) if (!machine.up) cluster.start(machine.id)
  }

  round(): void {
    const { nodes } = this.scenario.cluster
    if (this.#prng.chance(0.3)) this.disturb()
    for (let i = 0; i < 5; i += 1) {
      if (this.#prng.chance(0.4)) this.change(this.#prng.pick(nodes))
      this.publish(this.#prng.pick(nodes), this.#prng.pick(CHANNELS))
    }
    this.scenario.pass(1 + this.#prng.below(400))
  }

  /** With all links up, each node's messages reach each that listens, and nobody else. */
  finish(): void {
    const { cluster } = this.scenario
    cluster.network.heal()
    for (const machine of cluster.machines) if (!machine.up) cluster.start(machine.id)
    for (const node of cluster.nodes) this.#on(node, () => {})
    const allUp = () =>
      cluster.machines.every(({ node, id }) =>
        cluster.nodes.every(peer => peer === id || node?.turn.isUp(peer) === true),
      )
    this.scenario.until('all links work', allUp)
    this.scenario.pass(1_000)
    for (const node of cluster.nodes) this.#on(node, () => {})
    for (const from of cluster.nodes)
      for (const channel of CHANNELS) {
        const said = this.publish(from, channel)
        this.scenario.pass(50)
        for (const [node, { ear }] of this.#ears) {
          const { channels, patterns } = ear.listener
          const wanted = [...channels]
            .filter(({ name }) => name === channel)
            .map(() => `message  ${channel} ${said}`)
          for (const { name } of patterns)
            if (matches(name, channel)) wanted.push(`pmessage ${name} ${channel} ${said}`)
          for (const one of wanted)
            assert.ok(ear.heard.has(one), `n${node} missed what n${from} published: ${one}`)
        }
      }
  }
}

/** Of the few patterns here. */
function matches(pattern: string, channel: string): boolean {
  if (pattern === '*') return true
  return pattern === '?' ? channel.length === 1 : channel.startsWith('a')
}

test('under cuts and kills messages come in order and once, and all come when links work', () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const story = new Story(seed)
    for (let i = 0; i < ROUNDS; i += 1) story.round()
    story.finish()
  }
})
