// Members of a set by chance: SPOP takes them out, SRANDMEMBER leaves them.
//
// SPOP draws from the entry's chance, which every replica has alike, and draws as often
// whether somebody reads the reply or not.

import type { Argv } from '../../base/argv.ts'
import { limits } from '../../base/limits.ts'
import type { Chance } from '../chance.ts'
import type { CommandSpec } from '../command.ts'
import { clampToSafe, parseInteger } from '../integers.ts'
import { EVENT } from '../key-events.ts'
import {
  array,
  EMPTY_ARRAY,
  type ErrorReply,
  fail,
  NULL,
  notInteger,
  type Reply,
  syntaxError,
  wrongType,
} from '../reply.ts'
import type { MemberSet, VisitMember } from '../types/member-set.ts'
import { keyAt } from './facts.ts'
import { collector, EMPTY_SET, noteLoss } from './members.ts'

const notPositive = fail('ERR value is out of range, must be positive')
const outOfRange = fail(
  'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
)
const tooMany = fail('ERR value is out of range')
const INT64_MIN = -(2n ** 63n)
/** Above this share of a set, 1 in so many, all of it is shuffled instead of drawn from with draws in vain. */
const DRAWN_SHARE = 3

/** `count` null: one member, not in a list. */
type PickArgs = { readonly key: string; readonly count: number | null }

function parseSpop(argv: Argv): PickArgs | ErrorReply {
  if (argv.count > 3) return syntaxError
  const key = argv.key(1)
  if (argv.count === 2) return { key, count: null }
  const count = parseInteger(argv, 2)
  if (count === null || count < 0) return notPositive
  return { key, count: clampToSafe(count) }
}

const nobody: VisitMember = () => {}

const spop: CommandSpec<PickArgs> = {
  name: 'spop',
  arity: -2,
  flags: ['write', 'fast'],
  categories: ['write', 'set', 'fast'],
  keys: keyAt(1, 'RW', 'ACCESS', 'DELETE'),
  since: '1.0.0',
  group: 'set',
  summary:
    'Returns one or more random members from a set after removing them. Deletes the set if the last member was popped.',
  complexity:
    'Without the count argument O(1), otherwise O(N) where N is the value of the passed count.',
  tips: ['nondeterministic_output'],
  parse: parseSpop,
  apply(state, { key, count }, at) {
    const set = state.set(key)
    if (set === 'wrong-type') return wrongType
    if (set === null) return count === null ? NULL : EMPTY_SET
    if (count === 0) return EMPTY_SET
    const items: Reply[] = []
    const visit = at.asked ? collector(items) : nobody
    const wanted = count ?? 1
    if (wanted >= set.size) {
      set.each(visit)
      state.delete(key)
      state.notify(EVENT.SET, 'spop', key)
      state.notify(EVENT.GENERIC, 'del', key)
    } else {
      for (let left = wanted; left > 0; left -= 1) set.pop(at.chance, visit)
      noteLoss(state, key, set, 'spop')
    }
    return count === null ? (items[0] ?? NULL) : { kind: 'set', items }
  },
}

function parseSrandmember(argv: Argv): PickArgs | ErrorReply {
  if (argv.count > 3) return syntaxError
  if (argv.count === 2) return { key: argv.latin1(1), count: null }
  const count = parseInteger(argv, 2)
  if (count === null) return notInteger
  if (count === INT64_MIN) return outOfRange
  // What may come again is bounded by nothing else.
  if (count < -limits.wordsMax) return tooMany
  return { key: argv.latin1(1), count: clampToSafe(count) }
}

/** `count` members, none twice; there are more. */
function pickDistinct(set: MemberSet, count: number, chance: Chance): Reply[] {
  const items: Reply[] = []
  const take = collector(items)
  if (count * DRAWN_SHARE <= set.size) {
    const seen = new Set<string>()
    while (seen.size < count)
      set.random(chance, (bytes, from, to) => {
        const member = bytes.latin1Slice(from, to)
        if (!seen.has(member)) take(bytes, from, to)
        seen.add(member)
      })
    return items
  }
  set.each(take)
  for (let i = 0; i < count; i += 1) {
    const k = i + chance.below(items.length - i)
    const picked = items[k] as Reply
    items[k] = items[i] as Reply
    items[i] = picked
  }
  items.length = count
  return items
}

const srandmember: CommandSpec<PickArgs> = {
  name: 'srandmember',
  arity: -2,
  flags: ['readonly'],
  categories: ['read', 'set', 'slow'],
  keys: keyAt(1, 'RO', 'ACCESS'),
  since: '1.0.0',
  group: 'set',
  summary: 'Get one or multiple random members from a set',
  complexity:
    'Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.',
  tips: ['nondeterministic_output'],
  parse: parseSrandmember,
  query(state, { key, count }, at) {
    const set = state.set(key)
    if (set === 'wrong-type') return wrongType
    if (set === null) return count === null ? NULL : EMPTY_ARRAY
    if (count !== null && count > 0 && count < set.size)
      return array(pickDistinct(set, count, at.chance))
    const items: Reply[] = []
    const take = collector(items)
    if (count !== null && count >= set.size) set.each(take)
    else for (let left = -(count ?? -1); left > 0; left -= 1) set.random(at.chance, take)
    return count === null ? (items[0] ?? NULL) : array(items)
  },
}

export const memberPickCommands: readonly CommandSpec[] = [spop, srandmember]
