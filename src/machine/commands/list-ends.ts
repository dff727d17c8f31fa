// What commands share that take elements from the ends of lists.

import type { Argv } from '../../base/argv.ts'
import type { Occasion } from '../command.ts'
import { clampToSafe, parseInteger } from '../integers.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import { bulk, type ErrorReply, NULL, OK, type Reply, syntaxError } from '../reply.ts'
import { Words } from '../types/element.ts'
import type { List } from '../types/list.ts'

/** Bytes that the reply has around an element, about. */
const FRAME_BYTES = 12
/** What is made room for at once, at most: a few short elements may lie among long ones. */
const WORDS_BYTES_MAX = 1024 * 1024

/** Room for `count` words of `list` in a reply. */
export function wordsFor(list: List, count: number): Words {
  return new Words(Math.min(count * (list.wordBytes + FRAME_BYTES), WORDS_BYTES_MAX))
}

export function bulksOf(words: Words): Reply {
  const { bytes, bounds, framedBytes } = words
  return { kind: 'bulks', bytes, bounds, framedBytes }
}

/** Word i, LEFT or RIGHT, as whether it is the head. */
export function parseSide(argv: Argv, i: number): boolean | ErrorReply {
  if (argv.is(i, 'LEFT')) return true
  return argv.is(i, 'RIGHT') ? false : syntaxError
}

/** Word i as a whole number from `min` up. Whatever else it is gets the same `refusal`, as in Redis. */
export function parseCount(
  argv: Argv,
  i: number,
  min: number,
  refusal: ErrorReply,
): number | ErrorReply {
  const value = parseInteger(argv, i)
  return value === null || value < min ? refusal : clampToSafe(value)
}

/** `event` took elements from a list. Removes its key with the last of them: lists are never empty. */
export function noteTaken(state: Keyspace, key: string, list: List, event: string): void {
  state.notify(EVENT.LIST, event, key)
  if (list.length > 0) {
    state.noteChange(key)
    return
  }
  state.delete(key)
  state.notify(EVENT.GENERIC, 'del', key)
}

/** Takes one element of the list at `key`. */
export function takeOne(
  state: Keyspace,
  key: string,
  list: List,
  atHead: boolean,
  at: Occasion,
): Reply {
  const reply = !at.asked ? OK : bulk(atHead ? list.headWord() : list.tailWord())
  if (atHead) list.takeHead(1, null)
  else list.takeTail(1, null)
  noteTaken(state, key, list, atHead ? 'lpop' : 'rpop')
  return reply
}

/** Takes at most `count` elements of the list at `key`, in the order in which they go. */
export function takeSome(
  state: Keyspace,
  key: string,
  list: List,
  atHead: boolean,
  count: number,
  at: Occasion,
): Reply {
  const few = Math.min(count, list.length)
  const words = at.asked ? wordsFor(list, few) : null
  if (atHead) list.takeHead(few, words)
  else list.takeTail(few, words)
  if (few > 0) noteTaken(state, key, list, atHead ? 'lpop' : 'rpop')
  return words === null ? NULL : bulksOf(words)
}
