// MATCH and COUNT, which all commands that scan take.

import type { Argv } from '../../base/argv.ts'
import { clampToSafe, parseInteger } from '../integers.ts'
import { type ErrorReply, notInteger, syntaxError } from '../reply.ts'

const COUNT_DEFAULT = 10

export type ScanOptions = {
  readonly count: number
  /** null: all. */
  readonly pattern: string | null
  /** What TYPE wants, in lower case; null: any. */
  readonly type: string | null
}

/** The options from word `first` on. @param takesType whether TYPE is one of them */
export function parseScanOptions(
  argv: Argv,
  first: number,
  takesType: boolean,
): ScanOptions | ErrorReply {
  let count = COUNT_DEFAULT
  let pattern: string | null = null
  let type: string | null = null
  for (let i = first; i < argv.count; i += 2) {
    if (i + 1 >= argv.count) return syntaxError
    if (argv.is(i, 'COUNT')) {
      const value = parseInteger(argv, i + 1)
      if (value === null) return notInteger
      if (value < 1) return syntaxError
      count = clampToSafe(value)
    } else if (argv.is(i, 'MATCH')) {
      const word = argv.latin1(i + 1)
      pattern = word === '*' ? null : word
    } else if (takesType && argv.is(i, 'TYPE')) {
      type = argv.latin1(i + 1).toLowerCase()
    } else {
      return syntaxError
    }
  }
  return { count, pattern, type }
}
