// Commands on keys whatever their values: DEL, EXISTS, TYPE, KEYS, SCAN and their like.
//
// They speak of one shard. Commands of the whole node (DBSIZE, KEYS, SCAN, FLUSHALL)
// are run on each shard and merged at the desk.

import type { Argv } from '../../base/argv.ts'
import { type CommandSpec, isError } from '../command.ts'
import { globMatch } from '../glob.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  array,
  bulk,
  type ErrorReply,
  fail,
  integer,
  NULL,
  OK,
  type Reply,
  syntaxError,
  text,
} from '../reply.ts'
import { keyAt, keysFrom, NO_KEYS } from './facts.ts'
import { parseScanOptions, type ScanOptions } from './scan-options.ts'

function keyWords(argv: Argv): string[] {
  const keys: string[] = []
  for (let i = 1; i < argv.count; i += 1) keys.push(argv.latin1(i))
  return keys
}

function keyReply(key: string): Reply {
  return bulk(Buffer.from(key, 'latin1'))
}

function deleteKeys(state: Keyspace, keys: readonly string[]): Reply {
  let deleted = 0
  for (const key of keys) {
    if (!state.delete(key)) continue
    state.notify(EVENT.GENERIC, 'del', key)
    deleted += 1
  }
  return integer(deleted)
}

function useKeys(state: Keyspace, keys: readonly string[]): Reply {
  let found = 0
  for (const key of keys) {
    if (state.use(key)) found += 1
    else state.miss(key)
  }
  return integer(found)
}

const del: CommandSpec<readonly string[]> = {
  name: 'del',
  arity: -2,
  flags: ['write'],
  categories: ['write', 'keyspace', 'slow'],
  keys: keysFrom(1, 'RM', 'DELETE'),
  since: '1.0.0',
  group: 'generic',
  summary: 'Deletes one or more keys.',
  complexity: 'O(N) where N is the number of keys that will be removed.',
  tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
  parse: keyWords,
  apply: deleteKeys,
}

const unlink: CommandSpec<readonly string[]> = {
  ...del,
  name: 'unlink',
  flags: ['write', 'fast'],
  categories: ['write', 'keyspace', 'fast'],
  since: '4.0.0',
  summary: 'Asynchronously deletes one or more keys.',
  complexity:
    'O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.',
}

const exists: CommandSpec<readonly string[]> = {
  name: 'exists',
  arity: -2,
  flags: ['readonly', 'fast'],
  categories: ['read', 'keyspace', 'fast'],
  keys: keysFrom(1, 'RO'),
  since: '1.0.0',
  group: 'generic',
  summary: 'Determines whether one or more keys exist.',
  complexity: 'O(N) where N is the number of keys to check.',
  tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
  parse: keyWords,
  query(state, keys) {
    let count = 0
    for (const key of keys) {
      if (state.has(key)) count += 1
      else state.miss(key)
    }
    return integer(count)
  },
}

const touch: CommandSpec<readonly string[]> = {
  ...exists,
  name: 'touch',
  since: '3.2.1',
  summary:
    'Returns the number of existing keys out of those specified after updating the time they were last accessed.',
  complexity: 'O(N) where N is the number of keys that will be touched.',
  query: useKeys,
}

const type: CommandSpec<string> = {
  name: 'type',
  arity: 2,
  flags: ['readonly', 'fast'],
  categories: ['read', 'keyspace', 'fast'],
  keys: keyAt(1, 'RO'),
  since: '1.0.0',
  group: 'generic',
  summary: 'Determines the type of value stored at a key.',
  complexity: 'O(1)',
  parse: argv => argv.latin1(1),
  query(state, key) {
    const found = state.typeOf(key)
    if (found === null) state.miss(key)
    return { kind: 'simple', text: found ?? 'none' }
  },
}

const dbsize: CommandSpec<null> = {
  name: 'dbsize',
  arity: 1,
  flags: ['readonly', 'fast'],
  categories: ['read', 'keyspace', 'fast'],
  keys: NO_KEYS,
  since: '1.0.0',
  group: 'server',
  summary: 'Returns the number of keys in the database.',
  complexity: 'O(1)',
  tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
  parse: () => null,
  query: state => integer(state.size),
}

const keys: CommandSpec<string> = {
  name: 'keys',
  arity: 2,
  flags: ['readonly'],
  categories: ['read', 'keyspace', 'dangerous', 'slow'],
  keys: NO_KEYS,
  since: '1.0.0',
  group: 'generic',
  summary: 'Returns all key names that match a pattern.',
  complexity:
    'O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.',
  tips: ['request_policy:all_shards', 'nondeterministic_output_order'],
  parse: argv => argv.latin1(1),
  query(state, pattern) {
    const found: Reply[] = []
    state.scan(0, Number.POSITIVE_INFINITY, key => {
      if (pattern === '*' || globMatch(pattern, key)) found.push(keyReply(key))
    })
    return array(found)
  },
}

const invalidCursor = fail('ERR invalid cursor')
const CURSOR = /^[0-9]{1,20}$/

type ScanArgs = ScanOptions & { readonly cursor: number }

function parseScan(argv: Argv): ScanArgs | ErrorReply {
  const word = argv.latin1(1)
  if (!CURSOR.test(word)) return invalidCursor
  const options = parseScanOptions(argv, 2, true)
  return isError(options) ? options : { ...options, cursor: Number(word) }
}

const scan: CommandSpec<ScanArgs> = {
  name: 'scan',
  arity: -2,
  flags: ['readonly', 'touches_arbitrary_keys'],
  categories: ['read', 'keyspace', 'slow'],
  keys: NO_KEYS,
  since: '2.8.0',
  group: 'generic',
  summary: 'Iterates over the key names in the database.',
  complexity:
    'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.',
  tips: ['nondeterministic_output', 'request_policy:special', 'response_policy:special'],
  parse: parseScan,
  query(state, args) {
    const found: Reply[] = []
    const next = state.scan(args.cursor, args.count, (key, holder) => {
      if (args.type !== null && args.type !== holder.value.type) return
      if (args.pattern === null || globMatch(args.pattern, key)) found.push(keyReply(key))
    })
    return array([text(String(next)), array(found)])
  },
}

const randomkey: CommandSpec<null> = {
  name: 'randomkey',
  arity: 1,
  flags: ['readonly', 'touches_arbitrary_keys'],
  categories: ['read', 'keyspace', 'slow'],
  keys: NO_KEYS,
  since: '1.0.0',
  group: 'generic',
  summary: 'Returns a random key name from the database.',
  complexity: 'O(1)',
  tips: ['request_policy:all_shards', 'response_policy:special', 'nondeterministic_output'],
  parse: () => null,
  query(state, _args, at) {
    const key = state.random(at.chance)
    return key === null ? NULL : keyReply(key)
  },
}

function parseFlush(argv: Argv): null | ErrorReply {
  if (argv.count === 1) return null
  if (argv.count === 2 && (argv.is(1, 'ASYNC') || argv.is(1, 'SYNC'))) return null
  return syntaxError
}

function flush(state: Keyspace): Reply {
  state.clear()
  return OK
}

const flushall: CommandSpec<null> = {
  name: 'flushall',
  arity: -1,
  flags: ['write'],
  categories: ['write', 'keyspace', 'dangerous', 'slow'],
  keys: NO_KEYS,
  since: '1.0.0',
  group: 'server',
  summary: 'Removes all keys from all databases.',
  complexity: 'O(N) where N is the total number of keys in all databases',
  tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  parse: parseFlush,
  apply: flush,
}

const flushdb: CommandSpec<null> = {
  ...flushall,
  name: 'flushdb',
  summary: 'Remove all keys from the current database.',
  complexity: 'O(N) where N is the number of keys in the selected database',
}

export const keyCommands: readonly CommandSpec[] = [
  dbsize,
  del,
  exists,
  flushall,
  flushdb,
  keys,
  randomkey,
  scan,
  touch,
  type,
  unlink,
]
