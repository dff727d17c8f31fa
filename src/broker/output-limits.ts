// How much may wait to be written to one client: CONFIG's client-output-buffer-limit.
//
// Redis has three classes of clients, of which the links between nodes are one; those
// are no clients here, so that class is kept and shown and rules nothing.

import type { Ms } from '../base/types.ts'
import { FOLLOWER_ROLE_WORD } from './redis-words.ts'

export type OutputLimit = {
  /** Bytes at which the client is cut off at once; 0: none. */
  readonly hardBytes: number
  /** Bytes beyond which a client may be for `softFor`, and then is cut off; 0: none. */
  readonly softBytes: number
  readonly softFor: Ms
}

export type OutputLimits = {
  readonly normal: OutputLimit
  readonly replica: OutputLimit
  /** Clients with subscriptions. */
  readonly pubsub: OutputLimit
}

const MiB = 1024 * 1024

export const OUTPUT_LIMITS: OutputLimits = {
  normal: { hardBytes: 0, softBytes: 0, softFor: 0 },
  replica: { hardBytes: 256 * MiB, softBytes: 64 * MiB, softFor: 60_000 },
  pubsub: { hardBytes: 32 * MiB, softBytes: 8 * MiB, softFor: 60_000 },
}

const CLASSES: ReadonlyMap<string, keyof OutputLimits> = new Map([
  ['normal', 'normal'],
  [FOLLOWER_ROLE_WORD, 'replica'],
  ['replica', 'replica'],
  ['pubsub', 'pubsub'],
])
const SHOWN: readonly (readonly [string, keyof OutputLimits])[] = [
  ['normal', 'normal'],
  [FOLLOWER_ROLE_WORD, 'replica'],
  ['pubsub', 'pubsub'],
]
/** class, hard, soft, seconds */
const WORDS_PER_CLASS = 4

/** Bytes that no limit minds. */
export function unlimitedBytes({ normal, pubsub }: OutputLimits): number {
  const bounds = [normal.hardBytes, normal.softBytes, pubsub.hardBytes, pubsub.softBytes]
  return Math.min(...bounds.filter(bytes => bytes > 0))
}

/** What waits for one client, held against the limit of its class. */
export class OutputGauge {
  /** Since when more waits than it may for long; 0: it does not. */
  #overSince: Ms = 0

  /** Little waits. */
  clear(): void {
    this.#overSince = 0
  }

  /** Why `bytes` are too many to wait, or null. `clock` is monotonic, and asked only when it matters. */
  excess(
    { hardBytes, softBytes, softFor }: OutputLimit,
    bytes: number,
    clock: () => Ms,
  ): string | null {
    if (hardBytes > 0 && bytes > hardBytes) return `more than its class may have (${hardBytes})`
    if (softBytes === 0 || bytes <= softBytes) {
      this.#overSince = 0
      return null
    }
    const now = clock()
    if (this.#overSince === 0) this.#overSince = now
    if (now - this.#overSince < softFor) return null
    return `more than its class may have for ${softFor / 1000} seconds (${softBytes})`
  }
}

export function showOutputLimits(limits: OutputLimits): string {
  return SHOWN.map(([word, name]) => {
    const { hardBytes, softBytes, softFor } = limits[name]
    return `${word} ${hardBytes} ${softBytes} ${softFor / 1000}`
  }).join(' ')
}

/**
 * Reads what CONFIG SET is given: classes that are not named stay as they are.
 *
 * @param readBytes reads one of Redis' sizes
 * @returns what changes, or why not in Redis' words
 */
export function readOutputLimits(
  value: string,
  readBytes: (word: string) => number | null,
): Partial<OutputLimits> | string {
  const words = value.split(' ').filter(word => word !== '')
  if (words.length % WORDS_PER_CLASS !== 0)
    return 'Wrong number of arguments in buffer limit configuration.'
  const changes: { -readonly [K in keyof OutputLimits]?: OutputLimit } = {}
  for (let i = 0; i < words.length; i += WORDS_PER_CLASS) {
    const name = CLASSES.get((words[i] as string).toLowerCase())
    if (name === undefined) return 'Invalid client class specified in buffer limit configuration.'
    const hardBytes = readBytes(words[i + 1] as string)
    const softBytes = readBytes(words[i + 2] as string)
    const seconds = words[i + 3] as string
    if (hardBytes === null || softBytes === null || !/^\d{1,9}$/.test(seconds))
      return 'Error in hard, soft or soft_seconds setting in buffer limit configuration.'
    changes[name] = { hardBytes, softBytes, softFor: Number(seconds) * 1000 }
  }
  return changes
}
