// What SET and GETEX may say of how long a key lives: EX, PX, EXAT, PXAT and a number.

import type { Argv } from '../../base/argv.ts'
import type { Ms } from '../../base/types.ts'
import { parseInteger } from '../integers.ts'
import { type ErrorReply, notInteger } from '../reply.ts'
import { expiryAt } from '../types/expiry.ts'
import { invalidExpireTime } from './expire.ts'

export type Lifetime = 'EX' | 'PX' | 'EXAT' | 'PXAT'

/** The kind that word i names, or null. */
export function lifetimeAt(argv: Argv, i: number): Lifetime | null {
  if (argv.is(i, 'EX')) return 'EX'
  if (argv.is(i, 'PX')) return 'PX'
  if (argv.is(i, 'EXAT')) return 'EXAT'
  return argv.is(i, 'PXAT') ? 'PXAT' : null
}

/**
 * When a key dies to which `command` gave the time in word i.
 *
 * @param now the entry's time
 */
export function expiryOf(
  argv: Argv,
  i: number,
  lifetime: Lifetime,
  now: Ms,
  command: string,
): Ms | ErrorReply {
  const value = parseInteger(argv, i)
  if (value === null) return notInteger
  if (value <= 0) return invalidExpireTime(command)
  const isRelative = lifetime === 'EX' || lifetime === 'PX'
  const unit = lifetime === 'EX' || lifetime === 'EXAT' ? 1000 : 1
  return expiryAt(value, unit, isRelative ? now : 0) ?? invalidExpireTime(command)
}
