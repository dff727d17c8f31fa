// Strings that count: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec } from '../command.ts'
import { addIntegers, parseInteger } from '../integers.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  type ErrorReply,
  fail,
  integer,
  notInteger,
  type Reply,
  text as textReply,
  wrongType,
} from '../reply.ts'
import {
  addLongDoubles,
  type LongDouble,
  parseLongDouble,
  printLongDouble,
} from '../types/long-double.ts'
import { Text } from '../types/text.ts'
import { keyAt } from './facts.ts'

const overflow = fail('ERR increment or decrement would overflow')
const decrementOverflow = fail('ERR decrement would overflow')
const notFloat = fail('ERR value is not a valid float')
const notFinite = fail('ERR increment would produce NaN or Infinity')
const INT64_MIN = -(1n << 63n)

function count(state: Keyspace, key: string, by: number | bigint): Reply {
  const text = state.text(key)
  if (text === 'wrong-type') return wrongType
  const old = text === null ? 0 : text.integer()
  if (old === null) return notInteger
  const value = addIntegers(old, by)
  if (value === null) return overflow
  if (text === null) state.put(key, new Text(value))
  else text.set(value)
  state.noteChange(key)
  state.notify(EVENT.STRING, 'incrby', key)
  return integer(value)
}

const FACTS = {
  flags: ['write', 'denyoom', 'fast'],
  categories: ['write', 'string', 'fast'],
  keys: keyAt(1, 'RW', 'ACCESS', 'UPDATE'),
  group: 'string',
  complexity: 'O(1)',
} as const

const incr: CommandSpec<Argv> = {
  ...FACTS,
  name: 'incr',
  arity: 2,
  since: '1.0.0',
  summary:
    "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
  parse: argv => argv,
  apply: (state, argv) => count(state, argv.key(1), 1),
}

const decr: CommandSpec<Argv> = {
  ...incr,
  name: 'decr',
  summary:
    "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
  apply: (state, argv) => count(state, argv.key(1), -1),
}

type CountArgs = { readonly key: string; readonly by: number | bigint }

const incrby: CommandSpec<CountArgs> = {
  ...FACTS,
  name: 'incrby',
  arity: 3,
  since: '1.0.0',
  summary:
    "Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
  parse(argv) {
    const by = parseInteger(argv, 2)
    return by === null ? notInteger : { key: argv.key(1), by }
  },
  apply: (state, { key, by }) => count(state, key, by),
}

const decrby: CommandSpec<CountArgs> = {
  ...incrby,
  name: 'decrby',
  summary:
    "Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't exist.",
  parse(argv) {
    const by = parseInteger(argv, 2)
    if (by === null) return notInteger
    return by === INT64_MIN ? decrementOverflow : { key: argv.key(1), by: -by }
  },
}

const ZERO_FLOAT: LongDouble = { mantissa: 0n, exponent: 0 }

function applyIncrbyfloat(state: Keyspace, argv: Argv): Reply {
  const key = argv.key(1)
  const text = state.text(key)
  if (text === 'wrong-type') return wrongType
  const old = text === null ? ZERO_FLOAT : parseLongDouble(text.bytes().latin1Slice())
  const by = parseLongDouble(argv.latin1(2))
  if (old === null || by === null) return notFloat
  const sum = old === 'infinite' || by === 'infinite' ? 'infinite' : addLongDoubles(old, by)
  if (sum === 'infinite') return notFinite
  const shown = printLongDouble(sum)
  if (text === null) state.put(key, new Text(shown))
  else text.set(shown)
  state.noteChange(key)
  state.notify(EVENT.STRING, 'incrbyfloat', key)
  return textReply(shown)
}

const incrbyfloat: CommandSpec<Argv> = {
  ...FACTS,
  name: 'incrbyfloat',
  arity: 3,
  since: '2.6.0',
  summary:
    "Increment the floating point value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
  parse: (argv): Argv | ErrorReply => argv,
  apply: applyIncrbyfloat,
}

export const counterCommands: readonly CommandSpec[] = [decr, decrby, incr, incrby, incrbyfloat]
