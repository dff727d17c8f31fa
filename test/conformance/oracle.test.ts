// Random commands, answered by the state machine and by Redis 7.0: replies must be equal.
//
// Left out of the comparison: what depends on the clock, what came after 7.0, and,
// where entries are removed, entries-read and lag, which changed in 8.0.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../src/base/argv.ts'
import { Wait } from '../../src/base/wait.ts'
import { MachineTarget } from './machine-target.ts'
import { changing, growing, withConsumers } from './random-commands.ts'
import { RedisServer, ServerTarget } from './server-target.ts'
import { toWire, type Wire } from './wire.ts'

type Words = readonly string[]
type Plain = string | null | readonly Plain[] | { readonly [name: string]: Plain }

/** Of XINFO: radix trees are Redis' own, the rest is of the clock or newer than 7.0. */
const HIDDEN = new Set([
  'radix-tree-keys',
  'radix-tree-nodes',
  'idmp-duration',
  'idmp-maxsize',
  'pids-tracked',
  'iids-tracked',
  'iids-added',
  'iids-duplicates',
  'nacked-count',
  'idle',
  'inactive',
  'seen-time',
  'active-time',
])
/** Of XINFO, where entries were removed. */
const COUNTERS = new Set(['entries-read', 'lag'])

function plain(wire: Wire): Plain {
  if ('items' in wire) return wire.items.map(plain)
  return 'text' in wire ? `${wire.type} ${wire.text}` : wire.type === 'nil' ? null : wire.type
}

/** A flat map of XINFO without what is hidden, and the same for the maps in it. */
function infoMap(flat: Plain, hidden: ReadonlySet<string>): Plain {
  if (!Array.isArray(flat)) return flat
  const out: { [name: string]: Plain } = {}
  for (let i = 0; i < flat.length; i += 2) {
    const name = String(flat[i]).slice('bulk '.length)
    const value = flat[i + 1] as Plain
    if (HIDDEN.has(name) || hidden.has(name)) continue
    const isMaps = Array.isArray(value) && (name === 'groups' || name === 'consumers')
    if (isMaps) out[name] = value.map(item => infoMap(item, hidden))
    else out[name] = name === 'pending' && Array.isArray(value) ? value.map(withoutTime) : value
  }
  return out
}

/** A pending entry without its time, which stands before its count. */
function withoutTime(row: Plain): Plain {
  return Array.isArray(row) ? [...row.slice(0, -2), ...row.slice(-1)] : row
}

function comparable(words: Words, wire: Wire, hidden: ReadonlySet<string>): Plain {
  const value = plain(wire)
  if (!Array.isArray(value)) return value
  if (words[0] === 'XPENDING' && words.length > 3) return value.map(withoutTime)
  if (words[0] !== 'XINFO') return value
  return words[1] === 'STREAM' ? infoMap(value, hidden) : value.map(item => infoMap(item, hidden))
}

/** Ours without the lags that Redis does not know, which are counted here. */
function withoutUnknownLag(mine: Plain, theirs: Plain): Plain {
  if (mine === null || theirs === null || typeof mine === 'string' || typeof theirs === 'string')
    return mine
  if (Array.isArray(mine))
    return mine.map((item, i) => withoutUnknownLag(item, (theirs as readonly Plain[])[i] ?? null))
  const out: { [name: string]: Plain } = {}
  for (const [name, value] of Object.entries(mine)) {
    const other = (theirs as { readonly [name: string]: Plain })[name] ?? null
    out[name] = name === 'lag' && other === 'null-bulk' ? other : withoutUnknownLag(value, other)
  }
  return out
}

function ours(commands: readonly Words[]): Wire[] {
  const target = new MachineTarget(2)
  return commands.map(words => {
    const outcome = target.run(Argv.of(...words))
    assert.ok(!(outcome instanceof Wait), 'no command of these waits')
    return toWire(outcome, 2)
  })
}

/** What the state of all streams and groups shows in the end. */
const ENDING: readonly Words[] = ['s', 't'].flatMap(key => [
  ['XRANGE', key, '-', '+'],
  ['XINFO', 'STREAM', key, 'FULL', 'COUNT', '0'],
  ['XINFO', 'GROUPS', key],
  ...['g', 'h'].flatMap(group => [
    ['XPENDING', key, group],
    ['XPENDING', key, group, '-', '+', '100'],
    ['XPENDING', key, group, '-', '+', '100', 'alice'],
    ['XINFO', 'CONSUMERS', key, group],
  ]),
])

suite('random commands are answered as Redis 7.0 answers them', {
  skip: RedisServer.missing,
}, () => {
  let server: RedisServer
  let redis: ServerTarget

  before(async () => {
    server = await RedisServer.start()
    redis = new ServerTarget('127.0.0.1', server.port, 2)
  })
  after(async () => {
    await redis.close()
    await server.stop()
  })

  async function compare(random: readonly Words[], hidden: ReadonlySet<string>): Promise<void> {
    const commands = [...withConsumers(random), ...ENDING]
    const [, ...theirs] = await redis.askAll([['FLUSHALL'], ...commands])
    const mine = ours(commands)
    for (const [i, words] of commands.entries()) {
      const want = comparable(words, theirs[i] as Wire, hidden)
      const got = comparable(words, mine[i] as Wire, hidden)
      assert.deepEqual(withoutUnknownLag(got, want), want, words.join(' '))
    }
  }

  test('on streams that only grow', () =>
    fc.assert(
      fc.asyncProperty(growing, commands => compare(commands, new Set())),
      { seed: 1, numRuns: 400 },
    ))

  test('on streams that lose entries', () =>
    fc.assert(
      fc.asyncProperty(changing, commands => compare(commands, COUNTERS)),
      { seed: 2, numRuns: 400 },
    ))
})
