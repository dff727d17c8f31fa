// Values that move or are copied to another key of the shard: RENAME, RENAMENX, COPY.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec, KeySpec } from '../command.ts'
import { parseInteger } from '../integers.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  type ErrorReply,
  fail,
  noSuchKey,
  notInteger,
  OK,
  ONE,
  type Reply,
  syntaxError,
  ZERO,
} from '../reply.ts'
import { copyOf, type Value } from '../types/value.ts'
import { keyAt } from './facts.ts'

/** Puts `value` at `key`, whatever is there, and wakes who waits on it. */
export function place(state: Keyspace, key: string, value: Value, expiry: number): void {
  state.delete(key)
  state.put(key, value)
  state.setExpiry(key, expiry)
  state.touch(key)
}

type Names = { readonly from: string; readonly to: string }

function parseNames(argv: Argv): Names {
  return { from: argv.latin1(1), to: argv.latin1(2) }
}

function move(state: Keyspace, { from, to }: Names, value: Value): void {
  const expiry = state.expiry(from)
  state.delete(from)
  place(state, to, value, expiry)
  state.notify(EVENT.GENERIC, 'rename_from', from)
  state.notify(EVENT.GENERIC, 'rename_to', to)
}

function applyRename(state: Keyspace, names: Names): Reply {
  const value = state.value(names.from)
  if (value === null) return noSuchKey
  if (names.from !== names.to) move(state, names, value)
  return OK
}

function applyRenamenx(state: Keyspace, names: Names): Reply {
  const value = state.value(names.from)
  if (value === null) return noSuchKey
  if (names.from === names.to || state.has(names.to)) return ZERO
  move(state, names, value)
  return ONE
}

function twoKeys(source: readonly string[], destination: readonly string[]): readonly KeySpec[] {
  return [...keyAt(1, ...source), ...keyAt(2, ...destination)]
}

const rename: CommandSpec<Names> = {
  name: 'rename',
  arity: 3,
  flags: ['write'],
  categories: ['keyspace', 'write', 'slow'],
  keys: twoKeys(['RW', 'ACCESS', 'DELETE'], ['OW', 'UPDATE']),
  since: '1.0.0',
  group: 'generic',
  summary: 'Renames a key and overwrites the destination.',
  complexity: 'O(1)',
  parse: parseNames,
  apply: applyRename,
}

const renamenx: CommandSpec<Names> = {
  ...rename,
  name: 'renamenx',
  flags: ['write', 'fast'],
  categories: ['keyspace', 'write', 'fast'],
  keys: twoKeys(['RW', 'ACCESS', 'DELETE'], ['OW', 'INSERT']),
  summary: "Renames a key only when the target key name doesn't exist.",
  apply: applyRenamenx,
}

const sameObject = fail('ERR source and destination objects are the same')
const noSuchDb = fail('ERR DB index is out of range')
const notInt32 = fail('ERR value is out of range, value must between -2147483648 and 2147483647')
const INT32_MAX = 2 ** 31 - 1

type CopyArgs = Names & { readonly replaces: boolean }

function parseCopy(argv: Argv): CopyArgs | ErrorReply {
  let replaces = false
  for (let i = 3; i < argv.count; i += 1) {
    if (argv.is(i, 'REPLACE')) {
      replaces = true
    } else if (argv.is(i, 'DB') && i + 1 < argv.count) {
      i += 1
      const db = parseInteger(argv, i)
      if (db === null) return notInteger
      if (db > INT32_MAX || db < -INT32_MAX - 1) return notInt32
      // As on a node of a Redis cluster there is one database.
      if (db !== 0) return noSuchDb
    } else {
      return syntaxError
    }
  }
  const names = parseNames(argv)
  return names.from === names.to ? sameObject : { ...names, replaces }
}

function applyCopy(state: Keyspace, { from, to, replaces }: CopyArgs): Reply {
  const value = state.value(from)
  if (value === null) state.miss(from)
  if (value === null || (!replaces && state.has(to))) return ZERO
  place(state, to, copyOf(value), state.expiry(from))
  state.notify(EVENT.GENERIC, 'copy_to', to)
  return ONE
}

const copy: CommandSpec<CopyArgs> = {
  name: 'copy',
  arity: -3,
  flags: ['write', 'denyoom'],
  categories: ['keyspace', 'write', 'slow'],
  keys: twoKeys(['RO', 'ACCESS'], ['OW', 'UPDATE']),
  since: '6.2.0',
  group: 'generic',
  summary: 'Copies the value of a key to a new key.',
  complexity:
    'O(N) worst case for collections, where N is the number of nested items. O(1) for string values.',
  parse: parseCopy,
  apply: applyCopy,
}

export const renamingCommands: readonly CommandSpec[] = [copy, rename, renamenx]
