// ListService as commands.

import type { Duration } from '../../../gen/google/protobuf/duration.ts'
import type * as message from '../../../gen/slotcast/v1/list_service.ts'
import { ListEnd, ListMoveOrder, ListSide } from '../../../gen/slotcast/v1/list_service.ts'
import type { Mapping } from '../unary.ts'
import type { Words } from '../words.ts'
import * as read from './reading.ts'
import * as write from './writing.ts'

/** `LEFT`, `RIGHT`, or null of an end that was forgotten or is none. */
function endWord(end: ListEnd): 'LEFT' | 'RIGHT' | null {
  if (end === ListEnd.LIST_END_LEFT) return 'LEFT'
  return end === ListEnd.LIST_END_RIGHT ? 'RIGHT' : null
}

function writeEnd(words: Words, field: string, end: ListEnd): write.Fault {
  const word = endWord(end)
  if (word === null) return `${field} is required`
  words.text(word)
  return null
}

/** How many elements are meant: one, if nothing is said. */
function someOf(count: bigint): bigint {
  return count === 0n ? 1n : count
}

function waits(request: { block: Duration | undefined }): boolean {
  return request.block !== undefined
}

const push: Mapping<message.ListServicePushRequest, message.ListServicePushResponse> = {
  words(request, words) {
    const end = endWord(request.end)
    if (end === null) return 'end is required'
    const command = end === 'LEFT' ? 'LPUSH' : 'RPUSH'
    return (
      write.writeKeyed(words, request.noCreate ? `${command}X` : command, request.key) ??
      write.writeAll(words, 'elements', request.elements)
    )
  },
  answer: reply => ({ length: read.count(reply) }),
}

/** Writes `[timeout] numkeys key ... LEFT | RIGHT COUNT n`. */
function writePopAny(
  words: Words,
  keys: readonly Uint8Array[],
  request: { end: ListEnd; count: bigint; block: Duration | undefined },
): write.Fault {
  const { end, count, block } = request
  words.text(block === undefined ? 'LMPOP' : 'BLMPOP')
  const fault = block === undefined ? null : write.writeSeconds(words, block)
  if (fault !== null) return fault
  words.number(keys.length)
  const keysFault = write.writeKeys(words, keys) ?? writeEnd(words, 'end', end)
  write.writeCount(words, someOf(count))
  return keysFault
}

const pop: Mapping<message.ListServicePopRequest, message.ListServicePopResponse> = {
  words(request, words) {
    const { key, block } = request
    const fault = write.keyFault(key)
    if (fault !== null || block !== undefined) return fault ?? writePopAny(words, [key], request)
    const end = endWord(request.end)
    if (end === null) return 'end is required'
    words.text(end === 'LEFT' ? 'LPOP' : 'RPOP')
    words.bytes(key)
    words.number(someOf(request.count))
    return null
  },
  answer(reply, { block }) {
    const elements = block === undefined ? reply : read.items(reply)[1]
    return { elements: read.bytesOfAll(elements) }
  },
  alone: waits,
}

const popAny: Mapping<message.ListServicePopAnyRequest, message.ListServicePopAnyResponse> = {
  words: (request, words) => writePopAny(words, request.keys, request),
  answer(reply) {
    const [key, elements] = read.items(reply)
    return { key: read.bytes(key), elements: read.bytesOfAll(elements) }
  },
  alone: waits,
}

type Moving = {
  readonly source: Uint8Array
  readonly destination: Uint8Array
  readonly from: ListEnd
  readonly to: ListEnd
  readonly block: Duration | undefined
}

/** Writes `source destination LEFT | RIGHT LEFT | RIGHT [timeout]` behind the command that waits or not. */
function writeMove(words: Words, command: 'LMOVE' | 'LMOVEM', request: Moving): write.Fault {
  const { source, destination, from, to, block } = request
  words.text(block === undefined ? command : `B${command}`)
  words.bytes(source)
  words.bytes(destination)
  return (
    write.nameFault('source', source) ??
    write.nameFault('destination', destination) ??
    writeEnd(words, 'from', from) ??
    writeEnd(words, 'to', to) ??
    (block === undefined ? null : write.writeSeconds(words, block))
  )
}

const move: Mapping<message.ListServiceMoveRequest, message.ListServiceMoveResponse> = {
  words: (request, words) => writeMove(words, 'LMOVE', request),
  answer: reply => ({ element: read.bytesIfAny(reply) }),
  alone: waits,
}

const ORDER_WORDS: Readonly<Record<number, string>> = {
  [ListMoveOrder.LIST_MOVE_ORDER_ONE_BY_ONE]: 'OBO',
  [ListMoveOrder.LIST_MOVE_ORDER_BULK]: 'BULK',
}

const moveMany: Mapping<message.ListServiceMoveManyRequest, message.ListServiceMoveManyResponse> = {
  words(request, words) {
    const fault = writeMove(words, 'LMOVEM', request)
    const count = someOf(request.count)
    words.text(request.exactly ? 'EXACTLY' : 'COUNT')
    words.number(count)
    // One element lies in the same order either way.
    const order = ORDER_WORDS[request.order] ?? (count === 1n ? 'BULK' : null)
    if (order === null) return fault ?? 'order is required'
    words.text(order)
    return fault
  },
  answer: reply => ({ elements: read.bytesOfAll(reply) }),
  alone: waits,
}

const length: Mapping<message.ListServiceLengthRequest, message.ListServiceLengthResponse> = {
  words: (request, words) => write.writeKeyed(words, 'LLEN', request.key),
  answer: reply => ({ length: read.count(reply) }),
}

/** The index of the last element. */
const LAST = -1n

const range: Mapping<message.ListServiceRangeRequest, message.ListServiceRangeResponse> = {
  words(request, words) {
    const fault = write.writeKeyed(words, 'LRANGE', request.key)
    words.number(request.start)
    words.number(request.stop ?? LAST)
    return fault
  },
  answer: reply => ({ elements: read.bytesOfAll(reply) }),
}

const index: Mapping<message.ListServiceIndexRequest, message.ListServiceIndexResponse> = {
  words(request, words) {
    const fault = write.writeKeyed(words, 'LINDEX', request.key)
    words.number(request.index)
    return fault
  },
  answer: reply => ({ element: read.bytesIfAny(reply) }),
}

const set: Mapping<message.ListServiceSetRequest, message.ListServiceSetResponse> = {
  words(request, words) {
    const fault = write.writeKeyed(words, 'LSET', request.key)
    words.number(request.index)
    words.bytes(request.element)
    return fault
  },
  answer: () => ({}),
}

const SIDE_WORDS: Readonly<Record<number, string>> = {
  [ListSide.LIST_SIDE_BEFORE]: 'BEFORE',
  [ListSide.LIST_SIDE_AFTER]: 'AFTER',
}

const insert: Mapping<message.ListServiceInsertRequest, message.ListServiceInsertResponse> = {
  words(request, words) {
    const side = SIDE_WORDS[request.side]
    if (side === undefined) return 'side is required'
    const fault = write.writeKeyed(words, 'LINSERT', request.key)
    words.text(side)
    words.bytes(request.pivot)
    words.bytes(request.element)
    return fault
  },
  answer(reply) {
    // 0: no such list; -1: no such pivot.
    const length = read.integer(reply)
    return { inserted: length > 0n, length: length > 0n ? length : 0n }
  },
}

const remove: Mapping<message.ListServiceRemoveRequest, message.ListServiceRemoveResponse> = {
  words(request, words) {
    const fault = write.writeKeyed(words, 'LREM', request.key)
    words.number(request.count)
    words.bytes(request.element)
    return fault
  },
  answer: reply => ({ removed: read.count(reply) }),
}

const trim: Mapping<message.ListServiceTrimRequest, message.ListServiceTrimResponse> = {
  words(request, words) {
    const fault = write.writeKeyed(words, 'LTRIM', request.key)
    words.number(request.start)
    words.number(request.stop ?? LAST)
    return fault
  },
  answer: () => ({}),
}

const position: Mapping<message.ListServicePositionRequest, message.ListServicePositionResponse> = {
  words(request, words) {
    const fault = write.writeKeyed(words, 'LPOS', request.key)
    words.bytes(request.element)
    if (request.rank !== 0n) {
      words.text('RANK')
      words.number(request.rank)
    }
    // Without COUNT there would be a bare number, or nothing.
    words.text('COUNT')
    words.number(request.count ?? 1n)
    if (request.maxComparisons > 0n) {
      words.text('MAXLEN')
      words.number(request.maxComparisons)
    }
    return fault
  },
  answer: reply => ({ positions: read.items(reply).map(read.count) }),
}

export const listMappings = {
  push,
  pop,
  popAny,
  move,
  moveMany,
  length,
  range,
  index,
  set,
  insert,
  remove,
  trim,
  position,
}
