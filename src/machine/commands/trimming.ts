// MAXLEN, MINID, LIMIT and what becomes of references: what XADD and XTRIM share (COMMANDS 7.1).

import type { Argv } from '../../base/argv.ts'
import { clampToSafe, parseInteger } from '../integers.ts'
import { type ErrorReply, fail, invalidStreamId, notInteger } from '../reply.ts'
import { parseId } from '../types/id-text.ts'
import type { RefPolicy } from '../types/references.ts'
import type { Stream } from '../types/stream.ts'
import { MIN_ID, type StreamId } from '../types/stream-id.ts'

const twoStrategies = fail(
  'ERR syntax error, MAXLEN and MINID options at the same time are not compatible',
)
const negativeMaxLength = fail('ERR The MAXLEN argument must be >= 0.')
const negativeLimit = fail('ERR The LIMIT argument must be >= 0.')
const limitWithoutStrategy = fail(
  'ERR syntax error, LIMIT cannot be used without specifying a trimming strategy',
)
const limitWithoutTilde = fail(
  'ERR syntax error, LIMIT cannot be used without the special ~ option',
)
/** As in Redis: the work that `~` without LIMIT may do at once is so many full blocks, or these entries where blocks have no bound. */
const LIMIT_BLOCKS = 100
const LIMIT_UNBOUND = 10_000
const LIMIT_MAX = 1_000_000
const TILDE = 0x7e
const EQUALS = 0x3d

/** What word i says of references to removed entries; null: it is another word. */
export function refPolicyAt(argv: Argv, i: number): RefPolicy | null {
  const length = argv.length(i)
  if (length === 7) return argv.is(i, 'KEEPREF') ? 'keep' : null
  if (length === 6) return argv.is(i, 'DELREF') ? 'drop' : null
  return length === 5 && argv.is(i, 'ACKED') ? 'mind' : null
}

/** What of a stream to remove. Filled again for each command. */
export class Trim {
  strategy: 'none' | 'maxlen' | 'minid' = 'none'
  approximate = false
  maxLength = 0
  minId: StreamId = MIN_ID
  /** What LIMIT says. */
  limit = 0
  #limitGiven = false
  /** null: none was given, references stay. */
  #policy: RefPolicy | null = null

  reset(): void {
    this.strategy = 'none'
    this.approximate = false
    this.limit = 0
    this.#limitGiven = false
    this.#policy = null
  }

  /**
   * Reads the option at word i, if it is one of these.
   *
   * @returns the word behind it, 0 if it is something else, or what is wrong with it
   */
  parse(argv: Argv, i: number): number | ErrorReply {
    const policy = refPolicyAt(argv, i)
    if (policy !== null) {
      if (this.#policy !== null) return 0
      this.#policy = policy
      return i + 1
    }
    if (i + 1 >= argv.count) return 0
    if (argv.is(i, 'MAXLEN')) return this.#parseThreshold(argv, i, 'maxlen')
    if (argv.is(i, 'MINID')) return this.#parseThreshold(argv, i, 'minid')
    if (!argv.is(i, 'LIMIT')) return 0
    const limit = parseInteger(argv, i + 1)
    if (limit === null) return notInteger
    if (limit < 0) return negativeLimit
    this.limit = clampToSafe(limit)
    this.#limitGiven = true
    return i + 2
  }

  #parseThreshold(argv: Argv, i: number, strategy: 'maxlen' | 'minid'): number | ErrorReply {
    if (this.strategy !== 'none') return twoStrategies
    let word = i + 1
    this.approximate = false
    if (i + 2 < argv.count && argv.length(word) === 1) {
      const sign = argv.buffer[argv.from(word)]
      this.approximate = sign === TILDE
      if (sign === TILDE || sign === EQUALS) word += 1
    }
    if (strategy === 'maxlen') {
      const max = parseInteger(argv, word)
      if (max === null) return notInteger
      if (max < 0) return negativeMaxLength
      this.maxLength = clampToSafe(max)
    } else {
      const id = parseId(argv, word)
      if (id === null) return invalidStreamId
      this.minId = id
    }
    this.strategy = strategy
    return word + 1
  }

  /** Checks the options together, after the last. @param required what to answer where there is no strategy */
  finish(required: ErrorReply | null): ErrorReply | null {
    if (this.strategy === 'none') {
      if (this.limit > 0) return limitWithoutStrategy
      if (required !== null) return required
    }
    return this.#limitGiven && !this.approximate ? limitWithoutTilde : null
  }

  /** How many entries may go at once; 0: any number. */
  #limitOf(blockEntries: number): number {
    if (this.#limitGiven || !this.approximate) return this.limit
    return blockEntries === 0 ? LIMIT_UNBOUND : Math.min(LIMIT_BLOCKS * blockEntries, LIMIT_MAX)
  }

  /**
   * @param blockEntries how many entries a block of the stream takes
   * @returns how many entries were removed
   */
  apply(stream: Stream, blockEntries: number): number {
    if (this.strategy === 'none') return 0
    const limit = this.#limitOf(blockEntries)
    const policy = this.#policy ?? 'keep'
    // Without groups there are no references, and whole blocks go at once.
    if (policy !== 'keep' && stream.groups.size > 0) {
      const minId = this.strategy === 'minid' ? this.minId : null
      return stream.trimByReferences(this.maxLength, minId, this.approximate, limit, policy)
    }
    if (this.strategy === 'maxlen')
      return stream.trimByLength(this.maxLength, this.approximate, limit)
    return stream.trimByMinId(this.minId, this.approximate, limit)
  }
}
