// StreamService as commands.

import type * as message from '../../../gen/slotcast/v1/stream_service.ts'
import type { Reply } from '../../../machine/reply.ts'
import type { Mapping } from '../unary.ts'
import type { Words } from '../words.ts'
import { groupOf } from './group.ts'
import * as read from './reading.ts'
import * as write from './writing.ts'

const MS_PER_SECOND = 1000n

/** Writes `IDMP producer-id idempotent-id` or `IDMPAUTO producer-id`. */
function writeIdempotence(words: Words, idempotence: message.Idempotence): write.Fault {
  const { producerId, idempotentId } = idempotence
  if (producerId.length === 0) return 'idempotence.producer_id is required'
  words.text(idempotentId.length === 0 ? 'IDMPAUTO' : 'IDMP')
  words.bytes(producerId)
  if (idempotentId.length > 0) words.bytes(idempotentId)
  return null
}

const append: Mapping<message.StreamServiceAppendRequest, message.StreamServiceAppendResponse> = {
  words(request, words) {
    const fault = write.keyFault(request.key)
    if (fault !== null) return fault
    if (request.fields.length === 0) return 'fields is empty'
    words.text('XADD')
    words.bytes(request.key)
    if (request.noCreate) words.text('NOMKSTREAM')
    if (request.trim !== undefined) {
      const trimFault = write.writeTrim(words, request.trim)
      if (trimFault !== null) return trimFault
    }
    if (request.idempotence !== undefined) {
      const idempotenceFault = writeIdempotence(words, request.idempotence)
      if (idempotenceFault !== null) return idempotenceFault
    }
    words.text(request.id === '' ? '*' : request.id)
    for (const { name, value } of request.fields) {
      words.bytes(name)
      words.bytes(value)
    }
    return null
  },
  answer: reply => ({ id: read.text(reply) }),
}

function writeRange(
  request: message.StreamServiceRangeRequest,
  words: Words,
  newestFirst: boolean,
): string | null {
  const fault = write.keyFault(request.key)
  if (fault !== null) return fault
  const start = request.start === '' ? '-' : request.start
  const end = request.end === '' ? '+' : request.end
  words.text(newestFirst ? 'XREVRANGE' : 'XRANGE')
  words.bytes(request.key)
  words.text(newestFirst ? end : start)
  words.text(newestFirst ? start : end)
  write.writeCount(words, request.count)
  return null
}

const range: Mapping<message.StreamServiceRangeRequest, message.StreamServiceRangeResponse> = {
  words: (request, words) => writeRange(request, words, false),
  answer: reply => ({ entries: read.entries(reply) }),
}

const reverseRange: Mapping<
  message.StreamServiceReverseRangeRequest,
  message.StreamServiceReverseRangeResponse
> = {
  words: (request, words) => writeRange(request, words, true),
  answer: reply => ({ entries: read.entries(reply) }),
}

const readStreams: Mapping<message.StreamServiceReadRequest, message.StreamServiceReadResponse> = {
  words(request, words) {
    words.text('XREAD')
    write.writeCount(words, request.count)
    write.writeReadLimits(words, request)
    return write.writeBlock(words, request.block) ?? write.writeStreams(words, request.streams, '$')
  },
  answer: reply => ({ streams: read.streams(reply) }),
  alone: request => request.block !== undefined,
}

const length: Mapping<message.StreamServiceLengthRequest, message.StreamServiceLengthResponse> = {
  words(request, words) {
    words.text('XLEN')
    words.bytes(request.key)
    return write.keyFault(request.key)
  },
  answer: reply => ({ length: read.count(reply) }),
}

const deleteEntries: Mapping<
  message.StreamServiceDeleteRequest,
  message.StreamServiceDeleteResponse
> = {
  words(request, words) {
    words.text('XDEL')
    words.bytes(request.key)
    for (const id of request.ids) words.text(id)
    return write.keyFault(request.key) ?? write.idsFault(request.ids)
  },
  answer: reply => ({ deleted: read.count(reply) }),
}

const deleteEx: Mapping<
  message.StreamServiceDeleteExRequest,
  message.StreamServiceDeleteExResponse
> = {
  words: (request, words) =>
    write.writeKeyed(words, 'XDELEX', request.key) ??
    write.writeReferences(words, request.references) ??
    write.writeIds(words, request.ids),
  answer: reply => ({ outcomes: read.outcomes(reply) }),
}

const trim: Mapping<message.StreamServiceTrimRequest, message.StreamServiceTrimResponse> = {
  words(request, words) {
    if (request.policy === undefined) return 'policy is required'
    words.text('XTRIM')
    words.bytes(request.key)
    return write.keyFault(request.key) ?? write.writeTrim(words, request.policy)
  },
  answer: reply => ({ removed: read.count(reply) }),
}

const setId: Mapping<message.StreamServiceSetIdRequest, message.StreamServiceSetIdResponse> = {
  words(request, words) {
    if (request.lastId === '') return 'last_id is required'
    words.text('XSETID')
    words.bytes(request.key)
    words.text(request.lastId)
    if (request.entriesAdded !== undefined) {
      words.text('ENTRIESADDED')
      words.number(request.entriesAdded)
    }
    if (request.maxDeletedId !== '') {
      words.text('MAXDELETEDID')
      words.text(request.maxDeletedId)
    }
    return write.keyFault(request.key)
  },
  answer: () => ({}),
}

const configure: Mapping<
  message.StreamServiceConfigureRequest,
  message.StreamServiceConfigureResponse
> = {
  words(request, words) {
    const { idempotenceDuration, idempotenceMaxSize } = request
    const fault = write.writeKeyed(words, 'XCFGSET', request.key)
    if (idempotenceDuration !== undefined) {
      words.text('IDMP-DURATION')
      const ms = write.milliseconds(idempotenceDuration)
      if (ms === null) return 'idempotence_duration is negative or malformed'
      words.number((ms + MS_PER_SECOND - 1n) / MS_PER_SECOND)
    }
    if (idempotenceMaxSize !== undefined) {
      words.text('IDMP-MAXSIZE')
      words.number(idempotenceMaxSize)
    }
    return fault
  },
  answer: () => ({}),
}

const info: Mapping<message.StreamServiceInfoRequest, message.StreamServiceInfoResponse> = {
  words(request, words) {
    words.text('XINFO')
    words.text('STREAM')
    words.bytes(request.key)
    if (request.full) {
      words.text('FULL')
      write.writeCount(words, request.count)
    }
    return write.keyFault(request.key)
  },
  answer(reply) {
    const found = read.named(reply)
    const groups = found.get('groups')
    const full = groups !== undefined && groups.kind !== 'integer'
    return {
      length: read.count(found.get('length')),
      lastGeneratedId: read.text(found.get('last-generated-id')),
      maxDeletedEntryId: read.text(found.get('max-deleted-entry-id')),
      entriesAdded: read.count(found.get('entries-added')),
      recordedFirstEntryId: read.text(found.get('recorded-first-entry-id')),
      groups: full ? BigInt(read.items(groups).length) : read.count(groups),
      firstEntry: read.entryIfAny(found.get('first-entry')),
      lastEntry: read.entryIfAny(found.get('last-entry')),
      entries: read.entries(found.get('entries')),
      groupDetails: full ? read.items(groups).map(groupDetail) : [],
      idempotence: idempotenceState(found),
    }
  },
}

function idempotenceState(found: ReadonlyMap<string, Reply>): message.IdempotenceState {
  return {
    duration: { seconds: read.integer(found.get('idmp-duration')), nanos: 0 },
    maxSize: read.count(found.get('idmp-maxsize')),
    producers: read.count(found.get('pids-tracked')),
    tracked: read.count(found.get('iids-tracked')),
    added: read.count(found.get('iids-added')),
    duplicates: read.count(found.get('iids-duplicates')),
  }
}

function groupDetail(reply: Reply): message.GroupDetail {
  const found = read.named(reply)
  const consumers = read.items(found.get('consumers'))
  return {
    group: {
      ...groupOf(found),
      consumers: BigInt(consumers.length),
      pending: read.count(found.get('pel-count')),
    },
    pending: read.items(found.get('pending')).map(row => {
      const [id, consumer, time, times] = read.items(row)
      return pendingEntry(id, read.bytes(consumer), time, times)
    }),
    consumers: consumers.map(consumerDetail),
    nacked: read.count(found.get('nacked-count')),
  }
}

function consumerDetail(reply: Reply): message.ConsumerDetail {
  const found = read.named(reply)
  const name = read.bytes(found.get('name'))
  return {
    name,
    seenTimeMs: read.integer(found.get('seen-time')),
    activeTimeMs: read.integer(found.get('active-time')),
    pendingCount: read.count(found.get('pel-count')),
    pending: read.items(found.get('pending')).map(row => {
      const [id, time, times] = read.items(row)
      return pendingEntry(id, name, time, times)
    }),
  }
}

function pendingEntry(
  id: Reply | undefined,
  consumer: Buffer,
  time: Reply | undefined,
  times: Reply | undefined,
): message.PendingEntry {
  return {
    id: read.text(id),
    consumer,
    deliveryTimeMs: read.integer(time),
    deliveryCount: read.count(times),
  }
}

export const streamMappings = {
  append,
  range,
  reverseRange,
  read: readStreams,
  length,
  delete: deleteEntries,
  deleteEx,
  trim,
  setId,
  configure,
  info,
}
