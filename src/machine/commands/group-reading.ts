// What XREADGROUP does to one group of one stream: claims, delivers, looks back.

import type { Occasion } from '../command.ts'
import { array, integer, NULL_ARRAY, type Reply } from '../reply.ts'
import type { Consumer, Group } from '../types/group.ts'
import { entriesReadAt } from '../types/lag.ts'
import { PENDING_COUNT } from '../types/pending.ts'
import { type Entry, entryReply, type Stream } from '../types/stream.ts'
import { compareIds, type Half, MAX_ID, nextId, type StreamId } from '../types/stream-id.ts'
import type { ReadBudget } from './read-budget.ts'

/** `:`, digits and line end of the two numbers behind an entry: about, so that clocks do not decide. */
const CLAIM_NUMBERS_BYTES = 16
/** Pending entries without a body that are passed over in search of the next one to be due. */
const BODILESS_MAX = 1000

export type Reading = {
  readonly stream: Stream
  readonly group: Group
  readonly consumer: Consumer
  /** Entries at most, of this stream. */
  readonly count: number
  readonly budget: ReadBudget
  readonly at: Occasion
}

type Claimable = { readonly entry: Entry; readonly idle: number; readonly count: Half }

/** As CLAIM answers an entry: with how long it was idle and how often it was delivered, before this time. */
function claimReply(reply: Reply, idle: number, count: Half): Reply {
  return reply.kind === 'array' ? array([...reply.items, integer(idle), integer(count)]) : reply
}

/**
 * Gives the consumer what was idle for `minIdle` ms, oldest delivery first, whoever had
 * it. Entries whose bodies are gone stay where they are.
 */
export function claimIdle(reading: Reading, minIdle: number): Reply[] {
  const { stream, group, consumer, count, budget, at } = reading
  const found: Claimable[] = []
  group.due(at.now - minIdle, id => {
    if (found.length >= count || budget.isSpent) return false
    const entry = stream.get(id)
    if (entry === null) return true
    group.pending.seek(id)
    budget.add(id, entry.bounds, CLAIM_NUMBERS_BYTES)
    const idle = Math.max(0, at.now - group.timeHere())
    found.push({ entry, idle, count: group.pending.wide(PENDING_COUNT) })
    return true
  })
  for (const { entry } of found) {
    group.pending.seek(entry.id)
    group.claim(entry.id, consumer, at.now, group.countHere())
  }
  if (found.length > 0) consumer.activeTime = at.now
  if (!at.asked) return found.map(() => NULL_ARRAY)
  return found.map(({ entry, idle, count: before }) =>
    claimReply(entryReply(entry.id, entry.bytes, entry.bounds), idle, before),
  )
}

/** When `claimIdle` will find something if nothing else happens; null: not that it could be told. */
export function nextDue(
  { stream, group }: Pick<Reading, 'stream' | 'group'>,
  minIdle: number,
): number | null {
  let due: number | null = null
  let passed = 0
  group.due(Number.POSITIVE_INFINITY, id => {
    if (!stream.has(id)) {
      passed += 1
      return passed < BODILESS_MAX
    }
    group.pending.seek(id)
    due = group.timeHere() + minIdle
    return false
  })
  return due
}

/**
 * Delivers what is new to the group.
 *
 * @param asClaim whether each entry says, as claimed ones do, that it was never delivered
 */
export function deliverNew(reading: Reading, noAck: boolean, asClaim: boolean): Reply[] {
  const { stream, group, consumer, count, budget, at } = reading
  const entries: Reply[] = []
  const from = nextId(group.lastId)
  const most = Math.min(count, budget.entriesLeft)
  if (from === null || most <= 0 || compareIds(stream.topId(), group.lastId) <= 0) return entries
  stream.range(from, MAX_ID, most, false, (id, bytes, bounds) => {
    if (budget.isSpent) return false
    budget.add(id, bounds, asClaim ? CLAIM_NUMBERS_BYTES : 0)
    group.entriesRead = entriesReadAt(stream, group, id)
    group.lastId = id
    if (!noAck) group.deliver(id, consumer, at.now)
    if (!at.asked) {
      entries.push(NULL_ARRAY)
      return true
    }
    const reply = entryReply(id, bytes, bounds)
    entries.push(asClaim ? claimReply(reply, 0, 0) : reply)
    return true
  })
  if (!noAck) consumer.activeTime = at.now
  return entries
}

/** What is pending for the consumer behind `after`, each delivered once more unless its body is gone. */
export function history(reading: Reading, after: StreamId): Reply[] {
  const { stream, group, consumer, count, budget, at } = reading
  const entries: Reply[] = []
  const { ids } = consumer
  let left = count
  if (ids.seek(after)) ids.next()
  for (; ids.valid && left > 0 && !budget.isSpent; ids.next()) {
    const id = ids.id()
    const entry = stream.get(id)
    budget.add(id, entry?.bounds ?? null)
    if (entry !== null) {
      group.pending.seek(id)
      group.claim(id, consumer, at.now, group.countHere())
    }
    if (at.asked)
      entries.push(
        entry === null
          ? array([{ kind: 'id', id }, NULL_ARRAY])
          : entryReply(id, entry.bytes, entry.bounds),
      )
    left -= 1
  }
  return entries
}
