// Whole servers, byte for byte: pipelines of random commands of all families, in RESP2 and RESP3,
// answered by a standalone node of ours and by Redis 7.0.
//
// SLOTCAST_SCRIPTS says how many scripts; SLOTCAST_SEED which;
// what may differ is in differences.ts, each with its reason.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { isRefusedOtherwise } from './differences.ts'
import { type Pair, withPair } from './pair.ts'
import { growing } from './random-commands.ts'
import { misCalled, onDesk } from './random-desk.ts'
import { onKeys } from './random-keys.ts'
import { onLists } from './random-lists.ts'
import { RedisServer, ServerTarget } from './server-target.ts'
import type { Protocol, Wire } from './wire.ts'

type Words = readonly string[]

const { SLOTCAST_SCRIPTS = '300', SLOTCAST_SEED = '31' } = process.env

/** Commands whose replies are of the clock, or of another version: compared elsewhere (oracle.test.ts). */
const ELSEWHERE = new Set(['XINFO', 'XPENDING', 'XREADGROUP', 'XGROUP', 'XCLAIM', 'XAUTOCLAIM'])
/** A clock's answer: that there is one, and its sign. */
const OF_THE_CLOCK = new Set(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME'])

/** Those that end the connection or the server, take it over, or answer with figures. */
const NOT_MISCALLED = new Set([
  ...[
    'acl',
    'bgrewriteaof',
    'bgsave',
    'command',
    'debug',
    'dump',
    'failover',
    'hello',
    'info',
    'lastsave',
  ],
  ...['monitor', 'psync', 'psubscribe', 'quit', 'replicaof', 'reset', 'role', 'save', 'shutdown'],
  ...['randomkey', 'scan', 'select'],
  ...['slaveof', 'ssubscribe', 'subscribe', 'sync', 'time', 'wait'],
])
/** Begins each script about the server. */
const AS_NEW: readonly Words[] = [
  ['FLUSHALL'],
  ['CLIENT', 'SETNAME', ''],
  ['CONFIG', 'SET', 'slowlog-max-len', '128', 'latency-monitor-threshold', '0'],
]

/** A transaction around some commands, or none. */
function wrapped(commands: readonly Words[], from: number, to: number): Words[] {
  const [low, high] = from < to ? [from, to] : [to, from]
  if (high - low > 12) return [...commands]
  return [
    ...commands.slice(0, low),
    ['MULTI'],
    ...commands.slice(low, high),
    ['EXEC'],
    ...commands.slice(high),
  ]
}

const script = fc
  .tuple(
    fc.oneof(
      growing,
      onLists,
      fc.array(onKeys, { minLength: 20, maxLength: 60 }),
      fc
        .tuple(growing, onLists, fc.array(onKeys, { minLength: 20, maxLength: 60 }))
        .chain(([a, b, c]) => fc.shuffledSubarray([...a, ...b, ...c], { maxLength: 60 })),
    ),
    fc.nat(20),
    fc.nat(30),
    fc.constantFrom<Protocol>(2, 3),
  )
  .map(([commands, from, to, protocol]) => ({ commands: wrapped(commands, from, to), protocol }))

function compareOne(words: Words, got: Wire, want: Wire, where: string): void {
  if (isRefusedOtherwise(words, got, want)) return
  assert.deepEqual(comparable(words, got), comparable(words, want), `${where}${words.join(' ')}`)
}

function comparable(words: Words, wire: Wire): unknown {
  const name = (words[0] ?? '').toUpperCase()
  if (ELSEWHERE.has(name)) return 'elsewhere'
  if (OF_THE_CLOCK.has(name) && wire.type === 'integer' && Number(wire.text) > 0) return 'positive'
  return wire
}

/** Replies of EXEC are those of the commands in it. */
function compareAll(commands: readonly Words[], mine: readonly Wire[], theirs: readonly Wire[]) {
  let queued: Words[] = []
  for (const [i, words] of commands.entries()) {
    const [got, want] = [mine[i] as Wire, theirs[i] as Wire]
    const name = (words[0] ?? '').toUpperCase()
    if (name === 'EXEC' && 'items' in got && 'items' in want) {
      assert.equal(got.items.length, want.items.length, 'replies of EXEC')
      for (const [k, inner] of queued.entries())
        compareOne(inner, got.items[k] as Wire, want.items[k] as Wire, 'in EXEC: ')
      continue
    }
    if (name === 'MULTI' && want.type === 'simple') queued = []
    else if (want.type === 'simple' && want.text === 'QUEUED') queued.push(words)
    compareOne(words, got, want, '')
  }
}

/** Both servers, each in both protocols. */
class Both {
  readonly #ours: Readonly<Record<Protocol, ServerTarget>>
  readonly #theirs: Readonly<Record<Protocol, ServerTarget>>

  constructor({ ours, theirs }: Pair) {
    const target = (port: number) => ({
      2: new ServerTarget('127.0.0.1', port, 2),
      3: new ServerTarget('127.0.0.1', port, 3),
    })
    this.#ours = target(ours)
    this.#theirs = target(theirs)
  }

  async compare(commands: readonly Words[], protocol: Protocol): Promise<void> {
    const [mine, want] = await Promise.all([
      this.#ours[protocol].askAll(commands),
      this.#theirs[protocol].askAll(commands),
    ])
    compareAll(commands, mine, want)
  }

  /** Names that both know. */
  async names(): Promise<string[]> {
    const [mine, theirs] = await Promise.all([
      this.#ours[2].ask(['COMMAND', 'LIST']),
      this.#theirs[2].ask(['COMMAND', 'LIST']),
    ])
    const known = new Set(textsOf(mine))
    return textsOf(theirs).filter(name => known.has(name))
  }

  async close(): Promise<void> {
    for (const side of [this.#ours, this.#theirs])
      for (const protocol of [2, 3] as const) await side[protocol].close()
  }
}

function textsOf(wire: Wire): string[] {
  return 'items' in wire ? wire.items.map(item => ('text' in item ? item.text : '')) : []
}

/** Runs `story` on both servers. */
function onBoth(story: (both: Both) => Promise<void>): () => Promise<void> {
  return () =>
    withPair(async pair => {
      const both = new Both(pair)
      try {
        await story(both)
      } finally {
        await both.close()
      }
    })
}

const options = { numRuns: Number(SLOTCAST_SCRIPTS), seed: Number(SLOTCAST_SEED) }
const timeout = 3_600_000

suite(`whole servers answer ${SLOTCAST_SCRIPTS} random pipelines alike`, {
  skip: RedisServer.missing,
}, () => {
  test(
    'of data',
    { timeout },
    onBoth(async both => {
      await fc.assert(
        fc.asyncProperty(script, ({ commands, protocol }) =>
          both.compare([['FLUSHALL'], ...commands], protocol),
        ),
        options,
      )
    }),
  )

  test(
    'about the server and its clients',
    { timeout },
    onBoth(async both => {
      const names = (await both.names()).filter(name => !NOT_MISCALLED.has(name))
      const commands = fc.array(fc.oneof(onDesk, onDesk, misCalled(names)), {
        minLength: 10,
        maxLength: 40,
      })
      await fc.assert(
        fc.asyncProperty(
          commands,
          fc.nat(20),
          fc.nat(30),
          fc.constantFrom<Protocol>(2, 3),
          (said, from, to, protocol) =>
            both.compare([...AS_NEW, ...wrapped(said, from, to), ['DISCARD']], protocol),
        ),
        options,
      )
    }),
  )
})
