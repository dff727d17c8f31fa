// KeyService as commands.

import type * as message from '../../../gen/slotcast/v1/key_service.ts'
import { ExpireCondition } from '../../../gen/slotcast/v1/key_service.ts'
import type { Mapping } from '../unary.ts'
import type { Words } from '../words.ts'
import * as read from './reading.ts'
import * as write from './writing.ts'

function writeKeys(words: Words, command: string, keys: readonly Uint8Array[]): write.Fault {
  words.text(command)
  return write.writeKeys(words, keys)
}

const deleteKeys: Mapping<message.KeyServiceDeleteRequest, message.KeyServiceDeleteResponse> = {
  words: (request, words) => writeKeys(words, 'DEL', request.keys),
  answer: reply => ({ deleted: read.count(reply) }),
}

const unlink: Mapping<message.KeyServiceUnlinkRequest, message.KeyServiceUnlinkResponse> = {
  words: (request, words) => writeKeys(words, 'UNLINK', request.keys),
  answer: reply => ({ unlinked: read.count(reply) }),
}

const exists: Mapping<message.KeyServiceExistsRequest, message.KeyServiceExistsResponse> = {
  words: (request, words) => writeKeys(words, 'EXISTS', request.keys),
  answer: reply => ({ existing: read.count(reply) }),
}

const type: Mapping<message.KeyServiceTypeRequest, message.KeyServiceTypeResponse> = {
  words: (request, words) => write.writeKeyed(words, 'TYPE', request.key),
  answer: reply => ({ type: read.text(reply) }),
}

const CONDITION_WORDS: Readonly<Record<number, string>> = {
  [ExpireCondition.EXPIRE_CONDITION_UNSPECIFIED]: '',
  [ExpireCondition.EXPIRE_CONDITION_NONE]: 'NX',
  [ExpireCondition.EXPIRE_CONDITION_ANY]: 'XX',
  [ExpireCondition.EXPIRE_CONDITION_LATER]: 'GT',
  [ExpireCondition.EXPIRE_CONDITION_EARLIER]: 'LT',
}

const expire: Mapping<message.KeyServiceExpireRequest, message.KeyServiceExpireResponse> = {
  words(request, words) {
    const { key, expiry } = request
    if (expiry === undefined) return 'expiry is required'
    const isTtl = expiry.$case === 'ttl'
    const condition = CONDITION_WORDS[request.condition]
    if (condition === undefined) return 'condition is unknown'
    const fault =
      write.writeKeyed(words, isTtl ? 'PEXPIRE' : 'PEXPIREAT', key) ??
      write.writeDuration(words, isTtl ? 'ttl' : 'expire_time', expiry.value)
    if (condition !== '') words.text(condition)
    return fault
  },
  answer: reply => ({ applied: read.flag(reply) }),
}

/** What PTTL and PEXPIRETIME say where there are no milliseconds. */
const NO_KEY = -2n

const ttl: Mapping<message.KeyServiceTtlRequest, message.KeyServiceTtlResponse> = {
  words: (request, words) => write.writeKeyed(words, 'PTTL', request.key),
  answer(reply) {
    const ms = read.integer(reply)
    return { exists: ms !== NO_KEY, ttl: ms < 0n ? undefined : read.durationOf(ms) }
  },
}

const expireTime: Mapping<
  message.KeyServiceExpireTimeRequest,
  message.KeyServiceExpireTimeResponse
> = {
  words: (request, words) => write.writeKeyed(words, 'PEXPIRETIME', request.key),
  answer(reply) {
    const ms = read.integer(reply)
    return { exists: ms !== NO_KEY, expireTime: ms < 0n ? undefined : read.timestampOf(ms) }
  },
}

const persist: Mapping<message.KeyServicePersistRequest, message.KeyServicePersistResponse> = {
  words: (request, words) => write.writeKeyed(words, 'PERSIST', request.key),
  answer: reply => ({ persisted: read.flag(reply) }),
}

const rename: Mapping<message.KeyServiceRenameRequest, message.KeyServiceRenameResponse> = {
  words(request, words) {
    const fault = write.writeKeyed(words, request.ifAbsent ? 'RENAMENX' : 'RENAME', request.key)
    words.bytes(request.newKey)
    return fault ?? write.nameFault('new_key', request.newKey)
  },
  // RENAME says OK or fails.
  answer: (reply, { ifAbsent }) => ({ renamed: !ifAbsent || read.flag(reply) }),
}

const copy: Mapping<message.KeyServiceCopyRequest, message.KeyServiceCopyResponse> = {
  words(request, words) {
    const { source, destination, replace } = request
    words.text('COPY')
    words.bytes(source)
    words.bytes(destination)
    if (replace) words.text('REPLACE')
    return write.nameFault('source', source) ?? write.nameFault('destination', destination)
  },
  answer: reply => ({ copied: read.flag(reply) }),
}

const dump: Mapping<message.KeyServiceDumpRequest, message.KeyServiceDumpResponse> = {
  words: (request, words) => write.writeKeyed(words, 'DUMP', request.key),
  answer: reply => ({ dump: read.bytesIfAny(reply) }),
}

const restore: Mapping<message.KeyServiceRestoreRequest, message.KeyServiceRestoreResponse> = {
  words(request, words) {
    const { dump, expiry, replace } = request
    if (dump.length === 0) return 'dump is required'
    let fault = write.writeKeyed(words, 'RESTORE', request.key)
    const ms = expiry === undefined ? 0n : write.milliseconds(expiry.value)
    // To RESTORE 0 is no expiry, which is said by saying nothing.
    if (ms === null || (ms === 0n && expiry !== undefined)) fault ??= 'expiry is not above zero'
    words.number(ms ?? 0n)
    words.bytes(dump)
    if (replace) words.text('REPLACE')
    if (expiry?.$case === 'expireTime') words.text('ABSTTL')
    return fault
  },
  answer: () => ({}),
}

const touch: Mapping<message.KeyServiceTouchRequest, message.KeyServiceTouchResponse> = {
  words: (request, words) => writeKeys(words, 'TOUCH', request.keys),
  answer: reply => ({ touched: read.count(reply) }),
}

const memoryUsage: Mapping<
  message.KeyServiceMemoryUsageRequest,
  message.KeyServiceMemoryUsageResponse
> = {
  words(request, words) {
    words.text('MEMORY')
    return write.writeKeyed(words, 'USAGE', request.key)
  },
  answer: reply => ({ bytes: read.countIfKnown(reply) }),
}

const scan: Mapping<message.KeyServiceScanRequest, message.KeyServiceScanResponse> = {
  words(request, words) {
    words.text('SCAN')
    const fault = write.writePage(words, request)
    if (request.type !== '') {
      words.text('TYPE')
      words.text(request.type)
    }
    return fault
  },
  answer(reply) {
    const { found, nextPageToken } = read.page(reply)
    return { keys: found, nextPageToken }
  },
}

const count: Mapping<message.KeyServiceCountRequest, message.KeyServiceCountResponse> = {
  words(_request, words) {
    words.text('DBSIZE')
    return null
  },
  answer: reply => ({ keys: read.count(reply) }),
}

const flushAll: Mapping<message.KeyServiceFlushAllRequest, message.KeyServiceFlushAllResponse> = {
  words(_request, words) {
    words.text('FLUSHALL')
    return null
  },
  answer: () => ({}),
}

export const keyMappings = {
  delete: deleteKeys,
  unlink,
  exists,
  type,
  expire,
  ttl,
  expireTime,
  persist,
  rename,
  copy,
  dump,
  restore,
  touch,
  memoryUsage,
  scan,
  count,
  flushAll,
}
