// Whole servers, byte for byte: pipelines of random commands of all families, in RESP2 and RESP3,
// answered by a standalone node of ours and by Redis 7.0.
//
// SLOTCAST_SCRIPTS says how many scripts; SLOTCAST_SEED which;
// what may differ is in differences.ts, each with its reason.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { isRefusedOtherwise } from './differences.ts'
import { withPair } from './pair.ts'
import { growing } from './random-commands.ts'
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
  let queued: Words[] | null = null
  for (const [i, words] of commands.entries()) {
    const [got, want] = [mine[i] as Wire, theirs[i] as Wire]
    if (words[0] === 'EXEC' && 'items' in got && 'items' in want && queued !== null) {
      assert.equal(got.items.length, want.items.length, 'replies of EXEC')
      for (const [k, inner] of queued.entries())
        compareOne(inner, got.items[k] as Wire, want.items[k] as Wire, 'in EXEC: ')
      queued = null
      continue
    }
    if (words[0] === 'MULTI') queued = []
    else if (queued !== null && want.type === 'simple' && want.text === 'QUEUED') queued.push(words)
    compareOne(words, got, want, '')
  }
}

suite('whole servers answer pipelines alike', { skip: RedisServer.missing }, () => {
  test(`${SLOTCAST_SCRIPTS} random scripts`, { timeout: 3_600_000 }, () =>
    withPair(async pair => {
      const targets: ServerTarget[] = []
      const target = (port: number, protocol: Protocol): ServerTarget => {
        const made = new ServerTarget('127.0.0.1', port, protocol)
        targets.push(made)
        return made
      }
      const ours = { 2: target(pair.ours, 2), 3: target(pair.ours, 3) }
      const theirs = { 2: target(pair.theirs, 2), 3: target(pair.theirs, 3) }
      try {
        await fc.assert(
          fc.asyncProperty(script, async ({ commands, protocol }) => {
            const all = [['FLUSHALL'], ...commands]
            const [mine, want] = await Promise.all([
              ours[protocol].askAll(all),
              theirs[protocol].askAll(all),
            ])
            compareAll(all, mine, want)
          }),
          { numRuns: Number(SLOTCAST_SCRIPTS), seed: Number(SLOTCAST_SEED) },
        )
      } finally {
        for (const each of targets) await each.close()
      }
    }),
  )
})
