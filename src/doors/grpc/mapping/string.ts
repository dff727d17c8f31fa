// StringService as commands.

import type { Duration } from '../../../gen/google/protobuf/duration.ts'
import type * as message from '../../../gen/slotcast/v1/string_service.ts'
import type { Mapping } from '../unary.ts'
import type { Words } from '../words.ts'
import * as read from './reading.ts'
import * as write from './writing.ts'

const get: Mapping<message.StringServiceGetRequest, message.StringServiceGetResponse> = {
  words: (request, words) => write.writeKeyed(words, 'GET', request.key),
  answer: reply => ({ value: read.bytesIfAny(reply) }),
}

const multiGet: Mapping<
  message.StringServiceMultiGetRequest,
  message.StringServiceMultiGetResponse
> = {
  words(request, words) {
    words.text('MGET')
    return write.writeKeys(words, request.keys)
  },
  answer: reply => ({
    values: read.items(reply).map(item => ({ value: read.bytesIfAny(item) })),
  }),
}

type Condition = message.StringServiceSetRequest['condition']

function writeCondition(words: Words, condition: Condition): void {
  switch (condition?.$case) {
    case 'ifAbsent':
      if (condition.value) words.text('NX')
      break
    case 'ifPresent':
      if (condition.value) words.text('XX')
      break
    case 'ifEqual':
      words.text('IFEQ')
      words.bytes(condition.value)
      break
    case 'ifNotEqual':
      words.text('IFNE')
      words.bytes(condition.value)
      break
    default:
  }
}

/** Whether a condition held, from what the value was. */
function held(condition: Condition, previous: Buffer | undefined): boolean {
  switch (condition?.$case) {
    case 'ifAbsent':
      return !condition.value || previous === undefined
    case 'ifPresent':
      return !condition.value || previous !== undefined
    case 'ifEqual':
      return previous?.equals(condition.value) === true
    case 'ifNotEqual':
      return previous?.equals(condition.value) !== true
    default:
      return true
  }
}

type Expiry =
  | { $case: 'ttl' | 'expireTime'; value: Duration }
  | { $case: 'keepTtl' | 'persist'; value: boolean }
  | undefined

/** Writes `PX ms`, `PXAT unix-ms`, KEEPTTL or PERSIST. */
function writeExpiry(words: Words, expiry: Expiry): write.Fault {
  switch (expiry?.$case) {
    case 'ttl':
      words.text('PX')
      return write.writeDuration(words, 'ttl', expiry.value)
    case 'expireTime':
      words.text('PXAT')
      return write.writeDuration(words, 'expire_time', expiry.value)
    case 'keepTtl':
      if (expiry.value) words.text('KEEPTTL')
      return null
    case 'persist':
      if (expiry.value) words.text('PERSIST')
      return null
    default:
      return null
  }
}

const set: Mapping<message.StringServiceSetRequest, message.StringServiceSetResponse> = {
  words(request, words) {
    const fault = write.writeKeyed(words, 'SET', request.key)
    words.bytes(request.value)
    writeCondition(words, request.condition)
    if (request.returnPrevious) words.text('GET')
    return fault ?? writeExpiry(words, request.expiry)
  },
  answer(reply, { condition, returnPrevious }) {
    if (!returnPrevious) return { stored: !read.isNull(reply), previous: undefined }
    const previous = read.bytesIfAny(reply)
    return { stored: held(condition, previous), previous }
  },
}

const multiSet: Mapping<
  message.StringServiceMultiSetRequest,
  message.StringServiceMultiSetResponse
> = {
  words(request, words) {
    if (request.pairs.length === 0) return 'pairs is empty'
    words.text(request.ifAbsent ? 'MSETNX' : 'MSET')
    for (const { key, value } of request.pairs) {
      const fault = write.keyFault(key)
      if (fault !== null) return `pairs: ${fault}`
      words.bytes(key)
      words.bytes(value)
    }
    return null
  },
  // MSET says OK or fails.
  answer: (reply, { ifAbsent }) => ({ stored: !ifAbsent || read.flag(reply) }),
}

const getDelete: Mapping<
  message.StringServiceGetDeleteRequest,
  message.StringServiceGetDeleteResponse
> = {
  words: (request, words) => write.writeKeyed(words, 'GETDEL', request.key),
  answer: reply => ({ value: read.bytesIfAny(reply) }),
}

const getExpire: Mapping<
  message.StringServiceGetExpireRequest,
  message.StringServiceGetExpireResponse
> = {
  words: (request, words) =>
    write.writeKeyed(words, 'GETEX', request.key) ?? writeExpiry(words, request.expiry),
  answer: reply => ({ value: read.bytesIfAny(reply) }),
}

const append: Mapping<message.StringServiceAppendRequest, message.StringServiceAppendResponse> = {
  words(request, words) {
    const fault = write.writeKeyed(words, 'APPEND', request.key)
    words.bytes(request.value)
    return fault
  },
  answer: reply => ({ length: read.count(reply) }),
}

const length: Mapping<message.StringServiceLengthRequest, message.StringServiceLengthResponse> = {
  words: (request, words) => write.writeKeyed(words, 'STRLEN', request.key),
  answer: reply => ({ length: read.count(reply) }),
}

const increment: Mapping<
  message.StringServiceIncrementRequest,
  message.StringServiceIncrementResponse
> = {
  words(request, words) {
    const fault = write.writeKeyed(words, 'INCRBY', request.key)
    words.number(request.amount ?? 1n)
    return fault
  },
  answer: reply => ({ value: read.integer(reply) }),
}

const incrementFloat: Mapping<
  message.StringServiceIncrementFloatRequest,
  message.StringServiceIncrementFloatResponse
> = {
  words(request, words) {
    if (!Number.isFinite(request.amount)) return 'amount is not finite'
    const fault = write.writeKeyed(words, 'INCRBYFLOAT', request.key)
    words.text(String(request.amount))
    return fault
  },
  answer: reply => ({ value: Number(read.text(reply)) }),
}

export const stringMappings = {
  get,
  multiGet,
  set,
  multiSet,
  getDelete,
  getExpire,
  append,
  length,
  increment,
  incrementFloat,
}
