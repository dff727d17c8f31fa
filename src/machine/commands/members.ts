// Sets: SADD, SREM, SMOVE, and what asks for members by name or for all of them. By chance: members-picked.ts.

import type { Argv } from '../../base/argv.ts'
import { type CommandSpec, isError, type Occasion } from '../command.ts'
import { globMatch } from '../glob.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  array,
  bulk,
  EMPTY_ARRAY,
  type ErrorReply,
  fail,
  integer,
  ONE,
  type Reply,
  text,
  wrongType,
  ZERO,
} from '../reply.ts'
import { MemberSet, type VisitMember } from '../types/member-set.ts'
import { keyAt } from './facts.ts'
import { parseScanOptions, type ScanOptions } from './scan-options.ts'

export const EMPTY_SET: Reply = { kind: 'set', items: [] }

/** Adds each member it is shown to `items`, in memory of its own: pages change. */
export function collector(items: Reply[]): VisitMember {
  return (bytes, from, to) => items.push(bulk(Buffer.from(bytes.subarray(from, to))))
}

/** An empty set at `key`, which is free. Its hashes are as hard to foresee as the entry's chance. */
function create(state: Keyspace, key: string, at: Occasion): MemberSet {
  const set = new MemberSet(at.chance.next(), at.chance.next())
  state.put(key, set)
  return set
}

/** `key`, whose set lost members by `event`, is changed, or gone with the last of them. */
export function noteLoss(state: Keyspace, key: string, set: MemberSet, event: string): void {
  state.notify(EVENT.SET, event, key)
  if (set.size > 0) {
    state.noteChange(key)
    return
  }
  state.delete(key)
  state.notify(EVENT.GENERIC, 'del', key)
}

const FACTS = { group: 'set', since: '1.0.0', parse: (argv: Argv) => argv } as const

const sadd: CommandSpec<Argv> = {
  ...FACTS,
  name: 'sadd',
  arity: -3,
  flags: ['write', 'denyoom', 'fast'],
  categories: ['write', 'set', 'fast'],
  keys: keyAt(1, 'RW', 'INSERT'),
  summary: "Adds one or more members to a set. Creates the key if it doesn't exist.",
  complexity:
    'O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.',
  apply(state, argv, at) {
    const key = argv.key(1)
    const found = state.set(key)
    if (found === 'wrong-type') return wrongType
    const set = found ?? create(state, key, at)
    let added = 0
    for (let i = 2; i < argv.count; i += 1)
      if (set.add(argv.buffer, argv.from(i), argv.to(i))) added += 1
    if (added > 0) {
      state.noteChange(key)
      state.notify(EVENT.SET, 'sadd', key)
    }
    return integer(added)
  },
}

const srem: CommandSpec<Argv> = {
  ...FACTS,
  name: 'srem',
  arity: -3,
  flags: ['write', 'fast'],
  categories: ['write', 'set', 'fast'],
  keys: keyAt(1, 'RW', 'DELETE'),
  summary:
    'Removes one or more members from a set. Deletes the set if the last member was removed.',
  complexity: 'O(N) where N is the number of members to be removed.',
  apply(state, argv) {
    const key = argv.key(1)
    const set = state.set(key)
    if (set === 'wrong-type') return wrongType
    if (set === null) return ZERO
    let removed = 0
    for (let i = 2; i < argv.count; i += 1)
      if (set.remove(argv.buffer, argv.from(i), argv.to(i))) removed += 1
    if (removed > 0) noteLoss(state, key, set, 'srem')
    return integer(removed)
  },
}

function applySmove(state: Keyspace, argv: Argv, at: Occasion): Reply {
  const from = argv.latin1(1)
  const to = argv.latin1(2)
  const source = state.set(from)
  if (source === null) return ZERO
  const target = state.set(to)
  if (source === 'wrong-type' || target === 'wrong-type') return wrongType
  const { buffer } = argv
  if (source === target) return source.has(buffer, argv.from(3), argv.to(3)) ? ONE : ZERO
  if (!source.remove(buffer, argv.from(3), argv.to(3))) return ZERO
  noteLoss(state, from, source, 'srem')
  const set = target ?? create(state, to, at)
  if (set.add(buffer, argv.from(3), argv.to(3))) {
    state.noteChange(to)
    state.notify(EVENT.SET, 'sadd', to)
  }
  return ONE
}

const smove: CommandSpec<Argv> = {
  ...FACTS,
  name: 'smove',
  arity: 4,
  flags: ['write', 'fast'],
  categories: ['write', 'set', 'fast'],
  keys: [...keyAt(1, 'RW', 'ACCESS', 'DELETE'), ...keyAt(2, 'RW', 'INSERT')],
  summary: 'Moves a member from one set to another.',
  complexity: 'O(1)',
  apply: applySmove,
}

const scard: CommandSpec<string> = {
  name: 'scard',
  arity: 2,
  flags: ['readonly', 'fast'],
  categories: ['read', 'set', 'fast'],
  keys: keyAt(1, 'RO'),
  since: '1.0.0',
  group: 'set',
  summary: 'Returns the number of members in a set.',
  complexity: 'O(1)',
  parse: argv => argv.latin1(1),
  query(state, key) {
    const set = state.set(key)
    if (set === 'wrong-type') return wrongType
    return set === null ? ZERO : integer(set.size)
  },
}

type Asked = { readonly key: string; readonly members: readonly Buffer[] }

function parseAsked(argv: Argv): Asked {
  const members: Buffer[] = []
  for (let i = 2; i < argv.count; i += 1) members.push(Buffer.from(argv.bytes(i)))
  return { key: argv.latin1(1), members }
}

const smismember: CommandSpec<Asked> = {
  name: 'smismember',
  arity: -3,
  flags: ['readonly', 'fast'],
  categories: ['read', 'set', 'fast'],
  keys: keyAt(1, 'RO', 'ACCESS'),
  since: '6.2.0',
  group: 'set',
  summary: 'Determines whether multiple members belong to a set.',
  complexity: 'O(N) where N is the number of elements being checked for membership',
  parse: parseAsked,
  query(state, { key, members }) {
    const set = state.set(key)
    if (set === 'wrong-type') return wrongType
    return array(members.map(member => (set?.has(member) === true ? ONE : ZERO)))
  },
}

const sismember: CommandSpec<Asked> = {
  name: 'sismember',
  arity: 3,
  flags: ['readonly', 'fast'],
  categories: ['read', 'set', 'fast'],
  keys: keyAt(1, 'RO'),
  since: '1.0.0',
  group: 'set',
  summary: 'Determines whether a member belongs to a set.',
  complexity: 'O(1)',
  parse: parseAsked,
  query(state, { key, members }) {
    const set = state.set(key)
    if (set === 'wrong-type') return wrongType
    return set?.has(members[0] as Buffer) === true ? ONE : ZERO
  },
}

const smembers: CommandSpec<string> = {
  name: 'smembers',
  arity: 2,
  flags: ['readonly'],
  categories: ['read', 'set', 'slow'],
  keys: keyAt(1, 'RO', 'ACCESS'),
  since: '1.0.0',
  group: 'set',
  summary: 'Returns all members of a set.',
  complexity: 'O(N) where N is the set cardinality.',
  tips: ['nondeterministic_output_order'],
  parse: argv => argv.latin1(1),
  query(state, key) {
    const set = state.set(key)
    if (set === 'wrong-type') return wrongType
    if (set === null) return EMPTY_SET
    const items: Reply[] = []
    set.each(collector(items))
    return { kind: 'set', items }
  },
}

const invalidCursor = fail('ERR invalid cursor')
const CURSOR = /^[0-9]{1,20}$/
const CURSOR_MAX = (1n << 64n) - 1n
/** Cursors are hashes of 32 bits; of a higher one nothing is left to visit. */
const HASH_MAX = 0xffff_ffff
const SCANNED_NONE = array([text('0'), EMPTY_ARRAY])

type ScanArgs = {
  readonly key: string
  readonly cursor: number
  /** Redis looks at them only once it has found the set. */
  readonly options: ScanOptions | ErrorReply
}

function parseSscan(argv: Argv): ScanArgs | ErrorReply {
  const word = argv.latin1(2)
  if (!CURSOR.test(word) || BigInt(word) > CURSOR_MAX) return invalidCursor
  return { key: argv.latin1(1), cursor: Number(word), options: parseScanOptions(argv, 3, false) }
}

function querySscan(state: Keyspace, { key, cursor, options }: ScanArgs): Reply {
  const set = state.set(key)
  if (set === 'wrong-type') return wrongType
  if (set === null) return SCANNED_NONE
  if (isError(options)) return options
  const { count, pattern } = options
  const items: Reply[] = []
  const take = collector(items)
  const visit: VisitMember = (bytes, from, to) => {
    if (pattern === null || globMatch(pattern, bytes.latin1Slice(from, to))) take(bytes, from, to)
  }
  let next = 0
  if (set.isSmall) set.each(visit)
  else if (cursor <= HASH_MAX) next = set.scan(cursor, count, visit)
  return array([text(String(next)), array(items)])
}

const sscan: CommandSpec<ScanArgs> = {
  name: 'sscan',
  arity: -3,
  flags: ['readonly'],
  categories: ['read', 'set', 'slow'],
  keys: keyAt(1, 'RO', 'ACCESS'),
  since: '2.8.0',
  group: 'set',
  summary: 'Iterates over members of a set.',
  complexity:
    'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.',
  tips: ['nondeterministic_output'],
  parse: parseSscan,
  query: querySscan,
}

export const memberCommands: readonly CommandSpec[] = [
  sadd,
  scard,
  sismember,
  smembers,
  smismember,
  smove,
  srem,
  sscan,
]
