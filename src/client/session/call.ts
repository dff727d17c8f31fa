// One command on its way: what was asked, who waits, and what has become of it so far.

import type { Value } from './value.ts'
import type { Window } from './window.ts'

/** A word of a command: text goes as UTF-8, numbers in decimal. */
export type Word = string | Uint8Array | number | bigint

/** How strings of bytes in the answer are given. */
export type As = 'text' | 'bytes'

/** No key: any node answers. */
export const NO_SLOT = -1

export class Call {
  readonly words: readonly Word[]
  readonly as: As
  readonly slot: number
  /** It changes nothing: repeating it is harmless. */
  readonly reads: boolean
  /** It may wait at the leader, and has a stream of its own meanwhile. */
  readonly blocks: boolean
  readonly resolve: (value: Value) => void
  readonly reject: (error: Error) => void
  readonly signal: AbortSignal | null
  /** Rises with each call of the client: the order in which they were made. */
  order = 0
  /** 0: it has no producer mark. */
  sequence = 0
  /** Its replies may be large: numbered in a session of their own, where they do not push out small ones. */
  isBulky = false
  /** It is at a node, whose answer is to come. */
  isSent = false
  /** An attempt ended without an answer: it may have been done. */
  isDoubtful = false
  isSettled = false
  /** Attempts that failed, redirects not counted. */
  failures = 0
  redirects = 0
  /** Sending it again is paid for from the retry budget. */
  isRetry = false
  /** What the last attempt met. */
  lastError: Error | null = null
  onAbort: (() => void) | null = null
  /** What keeps later calls from running too far ahead of it. */
  shardWindow: Window | null = null
  keyWindow: Window | null = null
  windowKey = ''
  /** A call that blocks: who has it. */
  node: { settled(call: Call): void } | null = null
  // The list of calls with the same time to live, oldest first. Milliseconds.
  lifetime = 0
  deadlineAt = Number.POSITIVE_INFINITY
  earlier: Call | null = null
  later: Call | null = null

  constructor(
    words: readonly Word[],
    as: As,
    slot: number,
    reads: boolean,
    blocks: boolean,
    resolve: (value: Value) => void,
    reject: (error: Error) => void,
    signal: AbortSignal | null,
  ) {
    this.words = words
    this.as = as
    this.slot = slot
    this.reads = reads
    this.blocks = blocks
    this.resolve = resolve
    this.reject = reject
    this.signal = signal
  }

  /** Sending it again cannot do it twice. */
  get isRepeatable(): boolean {
    return this.reads || this.sequence > 0
  }
}

const UTF8_BYTES_A_UNIT = 3
const NUMBER_BYTES = 24

/** Bytes of a word, or more. */
export function bytesAtMost(word: Word): number {
  if (typeof word === 'string') return word.length * UTF8_BYTES_A_UNIT
  return typeof word === 'object' ? word.length : NUMBER_BYTES
}

/** Bytes of a call's words, about. */
export function bytesHint(call: Call): number {
  let bytes = 0
  for (const word of call.words)
    bytes += typeof word === 'object' || typeof word === 'string' ? word.length : 8
  return bytes
}
