// MEMORY USAGE: what one key takes. Its container stands at the desk, with the node's own figures.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec } from '../command.ts'
import { parseInteger } from '../integers.ts'
import { type ErrorReply, integer, NULL, notInteger, syntaxError } from '../reply.ts'
import { keyAt, NO_KEYS } from './facts.ts'

/** Nodes of a value that are looked at, unless SAMPLES says otherwise. */
const SAMPLES_DEFAULT = 5
/** A key's holder, its place among the keys of its slot, and its entry in the map of keys. */
const KEY_BYTES = 160

type Usage = { readonly key: string; readonly samples: number }

function parse(argv: Argv): Usage | ErrorReply {
  let samples = SAMPLES_DEFAULT
  for (let i = 3; i < argv.count; i += 2) {
    if (!argv.is(i, 'SAMPLES') || i + 1 === argv.count) return syntaxError
    const asked = parseInteger(argv, i + 1)
    if (asked === null) return notInteger
    if (asked < 0) return syntaxError
    samples = asked === 0 ? Number.POSITIVE_INFINITY : Number(asked)
  }
  return { key: argv.latin1(2), samples }
}

export const memoryUsage: CommandSpec<Usage> = {
  name: 'memory|usage',
  arity: -3,
  flags: ['readonly'],
  categories: ['read', 'slow'],
  keys: keyAt(2, 'RO'),
  since: '4.0.0',
  group: 'server',
  summary: 'Estimates the bytes that a key and its value take.',
  complexity: 'O(N) where N is the number of samples.',
  parse,
  query(keyspace, { key, samples }) {
    const value = keyspace.peek(key)
    if (value === null) return NULL
    return integer(KEY_BYTES + key.length + value.memoryBytes(samples))
  },
}

/** The container as transactions need it, which the machine runs whole: clients find the desk's. */
export const memoryInTransactions: CommandSpec = {
  name: 'memory',
  arity: -2,
  flags: [],
  categories: ['slow'],
  keys: NO_KEYS,
  since: '4.0.0',
  group: 'server',
  summary: 'A container for memory diagnostics commands.',
  complexity: 'Depends on subcommand.',
  subcommands: new Map<string, CommandSpec>([['usage', memoryUsage]]),
}
