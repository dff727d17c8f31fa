// The entry that says how many entries a block of a stream takes: proposed by CONFIG SET, not by clients.
//
// Where blocks end is replicated state, since `~` trims whole blocks. So the setting is
// state as well: it holds from its place in the log on, alike on every replica.

import type { CommandSpec } from '../command.ts'
import { parseInteger } from '../integers.ts'
import { notInteger, OK } from '../reply.ts'
import { NO_KEYS } from './facts.ts'

const NAME = 'slotcast.block-entries'

export const setBlockEntries: CommandSpec<number> = {
  name: NAME,
  arity: 2,
  flags: ['write'],
  categories: ['write', 'admin', 'fast'],
  keys: NO_KEYS,
  since: '1.0.0',
  group: 'server',
  summary: 'Sets how many entries a block of a stream takes.',
  complexity: 'O(1)',
  parse(argv) {
    const count = parseInteger(argv, 1)
    return count === null ? notInteger : Number(count)
  },
  apply(state, count) {
    state.blockEntries = count
    return OK
  },
}

/** The words of the command. */
export function blockEntriesWords(count: number): readonly string[] {
  return [NAME, String(count)]
}
