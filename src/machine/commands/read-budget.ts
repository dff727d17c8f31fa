// MAXCOUNT and MAXSIZE: how much XREAD and XREADGROUP may answer over all streams together.
//
// COUNT is per stream; these bound the whole reply. MAXSIZE counts bytes as RESP2
// writes them, whatever the client speaks, since a group's state follows from them. It
// is soft: asked before each entry and never before the first, so that a reader always
// gets on.

import type { Argv } from '../../base/argv.ts'
import { clampToSafe, parseInteger } from '../integers.ts'
import { type ErrorReply, fail } from '../reply.ts'
import { formatId, type StreamId } from '../types/stream-id.ts'

const badMaxCount = fail('ERR MAXCOUNT must be a positive integer')
const badMaxSize = fail('ERR MAXSIZE must be a positive integer')
const belowCount = fail('ERR MAXCOUNT must be greater than or equal to COUNT')

/** `*2`, `*n` and their line ends. */
const HEADS_BYTES = 4 + 4

export type ReadLimits = { maxCount: number; maxSize: number }

export const NO_LIMITS: Readonly<ReadLimits> = {
  maxCount: Number.POSITIVE_INFINITY,
  maxSize: Number.POSITIVE_INFINITY,
}

/** Reads the option at word i into `limits`. @returns the word of its value, 0 if it is another option */
export function parseReadLimit(argv: Argv, i: number, limits: ReadLimits): number | ErrorReply {
  const isCount = argv.is(i, 'MAXCOUNT')
  if ((!isCount && !argv.is(i, 'MAXSIZE')) || i + 1 >= argv.count) return 0
  const value = parseInteger(argv, i + 1)
  if (value === null || value < 1) return isCount ? badMaxCount : badMaxSize
  if (isCount) limits.maxCount = clampToSafe(value)
  else limits.maxSize = clampToSafe(value)
  return i + 1
}

/** Checks the limits against COUNT, which is Infinity where it says nothing. */
export function checkReadLimits(limits: ReadLimits, count: number): ErrorReply | null {
  return count !== Number.POSITIVE_INFINITY && limits.maxCount < count ? belowCount : null
}

function bulkBytes(length: number): number {
  return 1 + String(length).length + 2 + length + 2
}

/** What is left of the limits while one reply is made. */
export class ReadBudget {
  entriesLeft: number
  readonly #maxSize: number
  #bytes = HEADS_BYTES / 2
  #entries = 0

  constructor({ maxCount, maxSize }: Readonly<ReadLimits>) {
    this.entriesLeft = maxCount
    this.#maxSize = maxSize
  }

  /** Whether no entry more may be added. */
  get isSpent(): boolean {
    return this.entriesLeft <= 0 || (this.#entries > 0 && this.#bytes >= this.#maxSize)
  }

  /** A stream's key stands in the reply. */
  beginStream(key: string): void {
    if (this.#maxSize !== Number.POSITIVE_INFINITY)
      this.#bytes += HEADS_BYTES + bulkBytes(key.length)
  }

  /**
   * An entry stands in the reply.
   *
   * @param bounds where its words stand; null: its body is gone
   * @param extra  digits of the numbers behind it, signs and ends included
   */
  add(id: StreamId, bounds: readonly number[] | null, extra = 0): void {
    this.entriesLeft -= 1
    this.#entries += 1
    if (this.#maxSize === Number.POSITIVE_INFINITY) return
    let bytes = HEADS_BYTES + bulkBytes(formatId(id).length) + extra
    for (let i = 0; bounds !== null && i < bounds.length; i += 2)
      bytes += bulkBytes((bounds[i + 1] as number) - (bounds[i] as number))
    this.#bytes += bytes
  }
}
