// replay(log) == restore(snapshot) + tail, over the whole table.
//
// A log of random entries is applied to a machine that is also asked questions meanwhile,
// as a leader is. At some point a snapshot of it is begun, which is read in slices while
// more entries come; a machine made of it goes on from there. A third one gets the whole
// log and is never asked. All must say the same and be the same.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../src/base/argv.ts'
import {
  AGAIN_MARK,
  PAYLOAD_HEADER_BYTES,
  PRODUCER_MARK,
  writePayloadHeader,
} from '../../src/base/payload.ts'
import { type Watched, writeTransaction } from '../../src/base/transaction.ts'
import { Wait } from '../../src/base/wait.ts'
import { isError } from '../../src/machine/command.ts'
import { COMMANDS, machineTable } from '../../src/machine/commands/table.ts'
import { Machine } from '../../src/machine/machine.ts'
import type { Reply } from '../../src/machine/reply.ts'
import { plain, restored, snapshotBytes, type Word } from '../unit/machine/run.ts'
import { filled, KEYS, READ, reads, type Words, WRITTEN, writes } from './words.ts'

/** To make a failure smaller takes a minute, so it is asked for. */
const { SLOTCAST_REPLAYS = '200', SLOTCAST_SHRINK } = process.env

/** What one place of an entry holds. */
type Item =
  | { readonly kind: 'one'; readonly words: Words }
  /** Run again after it waited. */
  | { readonly kind: 'again'; readonly words: Words }
  | {
      readonly kind: 'transaction'
      readonly all: readonly Words[]
      readonly watched: string
      readonly old: boolean
    }

type Session = { readonly id: string; readonly epoch: number; readonly sequence: number }

type Step =
  | { readonly kind: 'entry'; readonly items: readonly (readonly [Item, Session | null])[] }
  /** What the leader proposes of its own accord. */
  | { readonly kind: 'chore' }
  /** The clock moves, also back: another leader. */
  | { readonly kind: 'time'; readonly by: number }
  /** Asked of the leader alone. */
  | { readonly kind: 'query'; readonly words: Words }

const item: fc.Arbitrary<Item> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('one' as const), words: writes }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('again' as const), words: writes }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('transaction' as const),
      all: fc.array(fc.oneof({ weight: 3, arbitrary: writes }, { weight: 2, arbitrary: reads }), {
        minLength: 1,
        maxLength: 5,
      }),
      watched: fc.constantFrom(...KEYS),
      old: fc.boolean(),
    }),
  },
)
const session: fc.Arbitrary<Session | null> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(null) },
  {
    weight: 1,
    arbitrary: fc.record({
      id: fc.constantFrom('p', 'q', 'producer three'),
      epoch: fc.constantFrom(1, 1, 1, 2),
      sequence: fc.integer({ min: 1, max: 12 }),
    }),
  },
)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('entry' as const),
      items: fc.array(fc.tuple(item, session), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('chore' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('time' as const),
      by: fc.oneof(
        { weight: 30, arbitrary: fc.integer({ min: -3, max: 12 }) },
        { weight: 1, arbitrary: fc.constant(2000) },
      ),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('query' as const), words: reads }) },
)

/** A stream with groups, so that short logs have something to change. */
const BEGINNING: readonly Step[] = [
  ['xadd', 's', '*', 'f', 'v'],
  ['xgroup', 'create', 's', 'g', '0'],
  ['xgroup', 'create', 's', 'h', '$'],
  ['xadd', 's', 'IDMP', 'ann', '1', '*', 'f', 'v'],
].map(words => ({ kind: 'entry', items: [[{ kind: 'one', words }, null]] }))

/** Names of commands that did what they are for, at least once. */
const done = new Set<string>()

function wire(words: readonly Word[]): Argv {
  return Argv.of(...words.map(w => (typeof w === 'number' ? String(w) : w)))
}

function note(words: readonly Word[], outcome: Reply | Wait | undefined): void {
  const spec = machineTable.find(wire(words))
  if (isError(spec)) return
  if (outcome instanceof Wait || (outcome !== undefined && outcome.kind !== 'error'))
    done.add(spec.name)
}

/** Makes entries out of steps, at the state of the leader. */
class Log {
  readonly entries: Buffer[] = []
  readonly leader = new Machine()
  now = 1000
  readonly #known = new Map<string, Watched>()

  /** @returns what the leader answered, or null where nothing was applied */
  play(next: Step): (Reply | Wait)[] | null {
    if (next.kind === 'time') {
      this.now += next.by
      return null
    }
    if (next.kind === 'query') {
      this.#ask(filled(this.leader, next.words, this.now))
      return null
    }
    if (next.kind === 'chore') {
      const argv = this.leader.chore(this.now)
      return argv === null ? null : this.#apply([argv.buffer.subarray(argv.start, argv.end)])
    }
    const played: Word[][] = []
    const parts = next.items.map(([one, from]) => {
      const bytes = this.#bytes(from === null ? one : without(one), played)
      return from === null ? bytes : Buffer.concat([mark(from), bytes])
    })
    const outcomes = this.#apply(parts)
    // What a producer is answered may be the reply to something else.
    for (const [i, [one, from]] of next.items.entries())
      if (one.kind !== 'transaction' && from === null) note(played[i] as Word[], outcomes[i])
    return outcomes
  }

  #ask(words: readonly Word[]): void {
    const argv = wire(words)
    const spec = machineTable.find(argv)
    assert.ok(!isError(spec), words.join(' '))
    const args = spec.parse?.(argv)
    if (!isError(args)) note(words, this.leader.query(spec, args, this.now))
  }

  #apply(parts: readonly Buffer[]): (Reply | Wait)[] {
    const payload = Buffer.concat([Buffer.alloc(PAYLOAD_HEADER_BYTES), ...parts])
    writePayloadHeader(payload, this.now, parts.length)
    this.entries.push(payload)
    const outcomes: (Reply | Wait)[] = []
    this.leader.apply(payload, this.entries.length, outcomes)
    this.leader.takeReadyKeys()
    return outcomes
  }

  #bytes(one: Item, played: Word[][]): Buffer {
    if (one.kind !== 'transaction') {
      const words = filled(this.leader, one.words, this.now)
      played.push(words)
      const { buffer } = wire(words)
      return one.kind === 'one' ? buffer : Buffer.concat([Buffer.from([AGAIN_MARK]), buffer])
    }
    played.push([])
    const fresh = this.leader.watch(one.watched, this.now)
    const watched = one.old ? (this.#known.get(one.watched) ?? fresh) : fresh
    this.#known.set(one.watched, fresh)
    const commands = one.all.map(words => wire(filled(this.leader, words, this.now)).buffer)
    return writeTransaction([watched], commands.length, Buffer.concat(commands))
  }
}

/** RANDOMKEY belongs to no slot, so where there is a second replica no transaction has it. */
function without(one: Item): Item {
  if (one.kind !== 'transaction') return one
  return { ...one, all: one.all.map(words => (words[0] === 'randomkey' ? ['dbsize'] : words)) }
}

function mark({ id, epoch, sequence }: Session): Buffer {
  const bytes = Buffer.alloc(2 + id.length + 12)
  bytes[0] = PRODUCER_MARK
  bytes[1] = id.length
  bytes.write(id, 2, 'latin1')
  bytes.writeUInt32LE(epoch, 2 + id.length)
  bytes.writeBigUInt64LE(BigInt(sequence), 6 + id.length)
  return bytes
}

/** Reads that each replica answers for itself, where nobody keeps the answer. */
const OWN = new Set(['srandmember', 'randomkey', 'object'])

/** What was answered, but for what every replica may say otherwise. */
function shown(next: Step, outcomes: readonly (Reply | Wait)[]): unknown {
  return outcomes.map((outcome, i) => {
    const [one, from] = next.kind === 'entry' ? (next.items[i] ?? []) : []
    const answer = plain(outcome)
    if (one?.kind !== 'transaction' || from !== null || !Array.isArray(answer)) return answer
    return answer.map((each, k) => (OWN.has(one.all[k]?.[0] ?? '') ? 'its own' : each))
  })
}

/** When a snapshot is begun, as a share of the log, and how it is read: so many bytes every so many steps. */
type Reading = { readonly from: number; readonly slice: number; readonly every: number }

function check(steps: readonly Step[], { from, slice, every }: Reading): void {
  const cutAt = Math.floor((from / 100) * (BEGINNING.length + steps.length))
  const log = new Log()
  const played = new Map<number, { readonly step: Step; readonly answers: unknown }>()
  let cut: { bytes: Buffer[]; reader: ReturnType<Machine['snapshot']>; at: number } | null = null
  for (const [i, next] of [...BEGINNING, ...steps].entries()) {
    if (i === cutAt) cut = { bytes: [], reader: log.leader.snapshot(), at: log.entries.length }
    const outcomes = log.play(next)
    if (outcomes !== null)
      played.set(log.entries.length, { step: next, answers: shown(next, outcomes) })
    if (i % every !== 0) continue
    const chunk = cut?.reader.next(slice) ?? null
    if (chunk !== null) cut?.bytes.push(Buffer.from(chunk))
  }
  const last = log.entries.length
  const { leader } = log
  const state = snapshotBytes(leader)

  const follower = new Machine()
  for (const [i, payload] of log.entries.entries()) follower.apply(payload, i + 1, null)
  assert.equal(follower.digest(), leader.digest(), 'the digest of the whole log')
  assert.deepEqual(snapshotBytes(follower), state, 'the state after the whole log')

  if (cut === null) return
  for (;;) {
    const chunk = cut.reader.next(slice)
    if (chunk === null) break
    cut.bytes.push(Buffer.from(chunk))
  }
  const heir = restored(Buffer.concat(cut.bytes), 1000)
  for (let index = cut.at + 1; index <= last; index += 1) {
    const outcomes: (Reply | Wait)[] = []
    heir.apply(log.entries[index - 1] as Buffer, index, outcomes)
    const { step: what, answers } = played.get(index) ?? assert.fail('every entry was played')
    assert.deepEqual(shown(what, outcomes), answers, `outcomes of entry ${index}`)
  }
  assert.equal(heir.digest(), leader.digest(), 'the digest of snapshot and tail')
  assert.deepEqual(snapshotBytes(heir), state, 'the state after snapshot and tail')
  assert.deepEqual(snapshotBytes(restored(state)), state, 'the state of the last snapshot')
  assert.equal(leader.reload(), true)
}

function names(writesState: boolean): string[] {
  return COMMANDS.flatMap(spec => [...(spec.subcommands?.values() ?? [spec])])
    .filter(spec => (spec.apply !== undefined) === writesState && !spec.name.endsWith('|help'))
    .map(spec => spec.name)
    .sort()
}

test('every command of the table is among the random ones', () => {
  assert.deepEqual([...WRITTEN].sort(), names(true))
  assert.deepEqual([...READ].sort(), names(false))
})

test(`a log replayed is a snapshot with its tail, ${SLOTCAST_REPLAYS} times`, () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 20, maxLength: 160, size: 'max' }),
      fc.record({
        from: fc.integer({ min: 0, max: 99 }),
        slice: fc.constantFrom(1, 1, 300, 1 << 16),
        every: fc.constantFrom(1, 3, 10),
      }),
      check,
    ),
    { seed: 41, numRuns: Number(SLOTCAST_REPLAYS), endOnFailure: SLOTCAST_SHRINK !== '1' },
  )
})

after(() => {
  const missing = [...WRITTEN, ...READ].filter(name => !done.has(name))
  assert.deepEqual(missing, [], 'commands that never did anything')
})
