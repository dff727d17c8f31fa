// Random commands done by the state machine and by Redis 7.0: the same must happen to the
// same keys, in the same order, as keyspace notifications tell it.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../src/base/argv.ts'
import { MachineTarget } from './machine-target.ts'
import { changing, growing, withConsumers } from './random-commands.ts'
import { onKeys } from './random-keys.ts'
import { onLists } from './random-lists.ts'
import { onSets } from './random-sets.ts'
import { RedisServer, ServerTarget } from './server-target.ts'
import type { Wire } from './wire.ts'

type Words = readonly string[]

const PREFIX = '__keyevent@0__:'
/** Tells what belongs to which command. */
const MARK = `${PREFIX}mark`
const NO_MORE = 'end'

/** By command: what happened, as `event key`. */
type Events = readonly (readonly string[])[]

function ours(commands: readonly Words[], refused: Set<Words>): Events {
  const target = new MachineTarget(2)
  let events: string[] = []
  target.machine.keyspace.listener = {
    classes: -1,
    heard: (event, key) => events.push(`${event} ${key}`),
  }
  return commands.map(words => {
    events = []
    const outcome = target.run(Argv.of(...words))
    if ('kind' in outcome && outcome.kind === 'error') refused.add(words)
    return events
  })
}

/** A Redis, and a client that listens to what happens there. */
class Watched {
  readonly #redis: ServerTarget
  readonly #ear: ServerTarget

  constructor(port: number) {
    this.#redis = new ServerTarget('127.0.0.1', port, 2)
    this.#ear = new ServerTarget('127.0.0.1', port, 2)
  }

  async open(): Promise<void> {
    await this.#redis.ask(['CONFIG', 'SET', 'notify-keyspace-events', 'EAnm'])
    await this.#ear.ask(['PSUBSCRIBE', `${PREFIX}*`])
  }

  async play(commands: readonly Words[]): Promise<Events> {
    const marked = commands.flatMap(words => [words, ['PUBLISH', MARK, 'next']])
    await this.#redis.askAll([['FLUSHALL'], ...marked, ['PUBLISH', MARK, NO_MORE]])
    const all: string[][] = []
    let events: string[] = []
    for (;;) {
      const [, , channel, payload] = itemsOf(await this.#ear.receive(0)).map(textOf)
      if (channel !== MARK) {
        events.push(`${channel?.slice(PREFIX.length)} ${payload}`)
        continue
      }
      if (payload === NO_MORE) return all
      all.push(events)
      events = []
    }
  }

  async close(): Promise<void> {
    await this.#redis.close()
    await this.#ear.close()
  }
}

/**
 * Events without what need not agree: Redis looks for the keys of XREAD more than once,
 * and looks for keys of some commands before it reads the words that are wrong.
 */
function withoutEchoes(events: readonly string[], isRefused: boolean): readonly string[] {
  return events.filter(
    (event, i) => !event.startsWith('keymiss') || (!isRefused && events.indexOf(event) === i),
  )
}

function itemsOf(wire: Wire): readonly Wire[] {
  assert.ok('items' in wire)
  return wire.items
}

function textOf(wire: Wire): string {
  return 'text' in wire ? wire.text : ''
}

suite('what happens to keys is told as Redis 7.0 tells it', { skip: RedisServer.missing }, () => {
  let server: RedisServer
  let redis: Watched

  before(async () => {
    server = await RedisServer.start()
    redis = new Watched(server.port)
    await redis.open()
  })
  after(async () => {
    await redis.close()
    await server.stop()
  })

  async function compare(random: readonly Words[]): Promise<void> {
    const commands = withConsumers(random)
    const theirs = await redis.play(commands)
    const refused = new Set<Words>()
    const mine = ours(commands, refused)
    const told = (events: Events) =>
      commands.map((words, i) => [
        words.join(' '),
        withoutEchoes(events[i] ?? [], refused.has(words)),
      ])
    assert.deepEqual(told(mine), told(theirs))
  }

  test('on streams that only grow', () =>
    fc.assert(fc.asyncProperty(growing, compare), { seed: 1, numRuns: 150 }))

  test('on streams that lose entries', () =>
    fc.assert(fc.asyncProperty(changing, compare), { seed: 2, numRuns: 150 }))

  test('on lists', () => fc.assert(fc.asyncProperty(onLists, compare), { seed: 3, numRuns: 150 }))

  test('on sets', () => fc.assert(fc.asyncProperty(onSets, compare), { seed: 4, numRuns: 150 }))

  test('on strings, expiry and names', () =>
    fc.assert(fc.asyncProperty(fc.array(onKeys, { minLength: 10, maxLength: 50 }), compare), {
      seed: 5,
      numRuns: 150,
    }))
})
