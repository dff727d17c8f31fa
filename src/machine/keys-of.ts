// Which words of a command are keys, by the key specifications of its spec.
//
// Routing asks this of every command, so the common case, one key at a fixed
// place, costs neither a call nor an object (`soleKey`).

import type { Argv } from '../base/argv.ts'
import type { CommandFacts, KeySpec } from './command.ts'
import { parseInteger } from './integers.ts'

/** The word that is the only key of every call, or 0 if the command is not of that kind. */
export function soleKey(spec: CommandFacts): number {
  const keys = spec.keys[0]
  if (keys === undefined || spec.keys.length !== 1) return 0
  return keys.find !== 'counted' && keys.find.last === 0 && 'index' in keys.begin
    ? keys.begin.index
    : 0
}

/** The word at which `keys` begin, or 0 if the command has none. */
function beginOf(keys: KeySpec, argv: Argv): number {
  if ('index' in keys.begin) return keys.begin.index < argv.count ? keys.begin.index : 0
  const { keyword, startFrom } = keys.begin
  if (startFrom > 0) {
    // The last word cannot begin anything.
    for (let i = startFrom; i < argv.count - 1; i += 1) if (argv.is(i, keyword)) return i + 1
    return 0
  }
  for (let i = argv.count + startFrom; i > 1; i -= 1) if (argv.is(i, keyword)) return i + 1
  return 0
}

/** The last of `count` words that is one of the keys that `find` finds from word `first` on. */
function lastOf(find: Exclude<KeySpec['find'], 'counted'>, first: number, count: number): number {
  const { last, limit } = find
  if (last >= 0) return first + last
  if (limit <= 1) return count + last
  return first + Math.floor((count - first) / limit) + last
}

/**
 * The words that are keys, in order, of a call that has the right number of words.
 *
 * @returns none where the words do not say where their keys are (STREAMS is missing)
 */
export function keysOf(spec: CommandFacts, argv: Argv): readonly number[] {
  const words: number[] = []
  for (const keys of spec.keys) {
    const first = beginOf(keys, argv)
    if (first === 0) return NONE
    if (keys.find === 'counted') {
      const count = parseInteger(argv, first)
      if (typeof count !== 'number' || count < 1 || count >= argv.count - first) return NONE
      for (let i = 1; i <= count; i += 1) words.push(first + i)
      continue
    }
    const last = lastOf(keys.find, first, argv.count)
    if (last < first || last >= argv.count) return NONE
    for (let i = first; i <= last; i += keys.find.step) words.push(i)
  }
  return words
}

const NONE: readonly number[] = []
