// KeyService as commands.

import type * as message from '../../../gen/slotcast/v1/key_service.ts'
import type { Mapping } from '../unary.ts'
import type { Words } from '../words.ts'
import * as read from './reading.ts'
import * as write from './writing.ts'

/** SCAN's cursor before the first page and after the last. */
const SCAN_END = '0'
const PAGE_TOKEN = /^[1-9]\d{0,19}$/

function writeKeys(words: Words, command: string, keys: readonly Uint8Array[]): write.Fault {
  if (keys.length === 0) return 'keys is empty'
  words.text(command)
  for (const key of keys) {
    const fault = write.keyFault(key)
    if (fault !== null) return `keys: ${fault}`
    words.bytes(key)
  }
  return null
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
  words(request, words) {
    words.text('TYPE')
    words.bytes(request.key)
    return write.keyFault(request.key)
  },
  answer: reply => ({ type: read.text(reply) }),
}

const scan: Mapping<message.KeyServiceScanRequest, message.KeyServiceScanResponse> = {
  words(request, words) {
    const { pageToken } = request
    if (pageToken !== '' && !PAGE_TOKEN.test(pageToken)) return 'page_token is not one of ours'
    words.text('SCAN')
    words.text(pageToken === '' ? SCAN_END : pageToken)
    if (request.match.length > 0) {
      words.text('MATCH')
      words.bytes(request.match)
    }
    write.writeCount(words, BigInt(request.pageSize))
    if (request.type !== '') {
      words.text('TYPE')
      words.text(request.type)
    }
    return null
  },
  answer(reply) {
    const [cursor, keys] = read.items(reply)
    const next = read.text(cursor)
    return {
      keys: read.items(keys).map(read.bytes),
      nextPageToken: next === SCAN_END ? '' : next,
    }
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

export const keyMappings = { delete: deleteKeys, unlink, exists, type, scan, count, flushAll }
