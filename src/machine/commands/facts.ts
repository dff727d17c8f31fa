// Facts that many commands share, so that specs read like Redis' own tables.

import type { KeySpec } from '../command.ts'

/** One key, at word `index`. */
export function keyAt(index: number, ...flags: readonly string[]): readonly KeySpec[] {
  return [{ flags, begin: { index }, find: { last: 0, step: 1, limit: 0 } }]
}

/** Every word from the first on is a key. */
export function keysFrom(index: number, ...flags: readonly string[]): readonly KeySpec[] {
  return [{ flags, begin: { index }, find: { last: -1, step: 1, limit: 0 } }]
}

/** The first half of the words after STREAMS, which is looked for from word `startFrom` on. */
export function keysAfterStreams(startFrom: number): readonly KeySpec[] {
  return [
    {
      flags: ['RO', 'ACCESS'],
      begin: { keyword: 'STREAMS', startFrom },
      find: { last: -1, step: 1, limit: 2 },
    },
  ]
}

/** Word `index` says how many keys follow it. */
export function keysCounted(index: number, ...flags: readonly string[]): readonly KeySpec[] {
  return [{ flags, begin: { index }, find: 'counted' }]
}

export const NO_KEYS: readonly KeySpec[] = []
