// GroupService as commands.

import type { Duration } from '../../../gen/google/protobuf/duration.ts'
import { NackMode } from '../../../gen/slotcast/v1/consume.ts'
import type * as message from '../../../gen/slotcast/v1/group_service.ts'
import type { Group } from '../../../gen/slotcast/v1/stream.ts'
import type { Reply } from '../../../machine/reply.ts'
import type { Mapping } from '../unary.ts'
import type { Words } from '../words.ts'
import * as read from './reading.ts'
import * as write from './writing.ts'

/** What a page of pending entries holds if the request does not say. */
const PENDING_PAGE = 100n

function writeGroup(
  words: Words,
  request: { key: Uint8Array; group: Uint8Array },
  ...command: readonly string[]
): write.Fault {
  for (const word of command) words.text(word)
  words.bytes(request.key)
  words.bytes(request.group)
  return write.groupFault(request)
}

function writeEntriesRead(words: Words, entriesRead: bigint | undefined): void {
  if (entriesRead === undefined) return
  words.text('ENTRIESREAD')
  words.number(entriesRead)
}

const create: Mapping<message.GroupServiceCreateRequest, message.GroupServiceCreateResponse> = {
  words(request, words) {
    const fault = writeGroup(words, request, 'XGROUP', 'CREATE')
    words.text(request.startId === '' ? '$' : request.startId)
    if (request.createStream) words.text('MKSTREAM')
    writeEntriesRead(words, request.entriesRead)
    return fault
  },
  answer: () => ({}),
}

const setId: Mapping<message.GroupServiceSetIdRequest, message.GroupServiceSetIdResponse> = {
  words(request, words) {
    const fault = writeGroup(words, request, 'XGROUP', 'SETID')
    words.text(request.id === '' ? '$' : request.id)
    writeEntriesRead(words, request.entriesRead)
    return fault
  },
  answer: () => ({}),
}

const destroy: Mapping<message.GroupServiceDestroyRequest, message.GroupServiceDestroyResponse> = {
  words: (request, words) => writeGroup(words, request, 'XGROUP', 'DESTROY'),
  answer: reply => ({ destroyed: read.count(reply) > 0n }),
}

const createConsumer: Mapping<
  message.GroupServiceCreateConsumerRequest,
  message.GroupServiceCreateConsumerResponse
> = {
  words(request, words) {
    const fault = writeGroup(words, request, 'XGROUP', 'CREATECONSUMER')
    words.bytes(request.consumer)
    return fault ?? write.nameFault('consumer', request.consumer)
  },
  answer: reply => ({ created: read.count(reply) > 0n }),
}

const deleteConsumer: Mapping<
  message.GroupServiceDeleteConsumerRequest,
  message.GroupServiceDeleteConsumerResponse
> = {
  words(request, words) {
    const fault = writeGroup(words, request, 'XGROUP', 'DELCONSUMER')
    words.bytes(request.consumer)
    return fault ?? write.nameFault('consumer', request.consumer)
  },
  answer: reply => ({ pendingDropped: read.count(reply) }),
}

/** Writes `CLAIM min-idle` if idle entries are taken over too. */
function writeClaim(words: Words, minIdle: Duration | undefined): write.Fault {
  if (minIdle === undefined) return null
  words.text('CLAIM')
  return write.writeDuration(words, 'claim_min_idle', minIdle)
}

const readGroup: Mapping<message.GroupServiceReadRequest, message.GroupServiceReadResponse> = {
  words(request, words) {
    const fault =
      write.nameFault('group', request.group) ?? write.nameFault('consumer', request.consumer)
    if (fault !== null) return fault
    words.text('XREADGROUP')
    words.text('GROUP')
    words.bytes(request.group)
    words.bytes(request.consumer)
    write.writeCount(words, request.count)
    write.writeReadLimits(words, request)
    const blockFault = write.writeBlock(words, request.block)
    const claimFault = writeClaim(words, request.claimMinIdle)
    if (request.noAck) words.text('NOACK')
    return blockFault ?? claimFault ?? write.writeStreams(words, request.streams, '>')
  },
  answer: reply => ({ streams: read.streams(reply) }),
  alone: request => request.block !== undefined,
}

const ack: Mapping<message.GroupServiceAckRequest, message.GroupServiceAckResponse> = {
  words(request, words) {
    const fault = writeGroup(words, request, 'XACK')
    for (const id of request.ids) words.text(id)
    return fault ?? write.idsFault(request.ids)
  },
  answer: reply => ({ acknowledged: read.count(reply) }),
}

const ackDelete: Mapping<
  message.GroupServiceAckDeleteRequest,
  message.GroupServiceAckDeleteResponse
> = {
  words: (request, words) =>
    writeGroup(words, request, 'XACKDEL') ??
    write.writeReferences(words, request.references) ??
    write.writeIds(words, request.ids),
  answer: reply => ({ outcomes: read.outcomes(reply) }),
}

const NACK_WORDS: Readonly<Record<number, string>> = {
  [NackMode.NACK_MODE_UNSPECIFIED]: 'FAIL',
  [NackMode.NACK_MODE_SILENT]: 'SILENT',
  [NackMode.NACK_MODE_FAIL]: 'FAIL',
  [NackMode.NACK_MODE_FATAL]: 'FATAL',
}

const nack: Mapping<message.GroupServiceNackRequest, message.GroupServiceNackResponse> = {
  words(request, words) {
    const mode = NACK_WORDS[request.mode]
    if (mode === undefined) return 'mode is unknown'
    const fault = writeGroup(words, request, 'XNACK')
    words.text(mode)
    const idsFault = write.writeIds(words, request.ids)
    if (request.retryCount !== undefined) {
      words.text('RETRYCOUNT')
      words.number(request.retryCount)
    }
    if (request.force) words.text('FORCE')
    return fault ?? idsFault
  },
  answer: reply => ({ released: read.count(reply) }),
}

const pending: Mapping<message.GroupServicePendingRequest, message.GroupServicePendingResponse> = {
  words: (request, words) => writeGroup(words, request, 'XPENDING'),
  answer(reply) {
    const [total, lowest, highest, consumers] = read.items(reply)
    return {
      total: read.count(total),
      lowestId: read.text(lowest),
      highestId: read.text(highest),
      consumers: read.items(consumers).map(row => {
        const [consumer, count] = read.items(row)
        return { consumer: read.bytes(consumer), pending: read.count(count) }
      }),
    }
  },
}

const pendingEntries: Mapping<
  message.GroupServicePendingEntriesRequest,
  message.GroupServicePendingEntriesResponse
> = {
  words(request, words) {
    let fault = writeGroup(words, request, 'XPENDING')
    if (request.minIdle !== undefined) {
      words.text('IDLE')
      fault ??= write.writeDuration(words, 'min_idle', request.minIdle)
    }
    words.text(request.start === '' ? '-' : request.start)
    words.text(request.end === '' ? '+' : request.end)
    words.number(request.count === 0n ? PENDING_PAGE : request.count)
    if (request.consumer.length > 0) words.bytes(request.consumer)
    return fault
  },
  answer: reply => ({
    entries: read.items(reply).map(row => {
      const [id, consumer, idleMs, times] = read.items(row)
      // -1: released, nobody's.
      const idle = read.integer(idleMs)
      return {
        id: read.text(id),
        consumer: read.bytes(consumer),
        idle: idle < 0n ? undefined : read.durationOf(idle),
        deliveryCount: read.count(times),
      }
    }),
  }),
}

/** `TIME unix-ms` or `IDLE ms`. */
function writeDelivered(
  words: Words,
  delivered: message.GroupServiceClaimRequest['delivered'],
): write.Fault {
  if (delivered === undefined) return null
  if (delivered.$case === 'idle') {
    words.text('IDLE')
    return write.writeDuration(words, 'idle', delivered.value)
  }
  words.text('TIME')
  return write.writeDuration(words, 'delivery_time', delivered.value)
}

const claim: Mapping<message.GroupServiceClaimRequest, message.GroupServiceClaimResponse> = {
  words(request, words) {
    let fault = writeGroup(words, request, 'XCLAIM')
    fault ??= write.nameFault('consumer', request.consumer) ?? write.idsFault(request.ids)
    words.bytes(request.consumer)
    fault ??= write.writeDuration(words, 'min_idle', request.minIdle)
    for (const id of request.ids) words.text(id)
    fault ??= writeDelivered(words, request.delivered)
    if (request.retryCount !== undefined) {
      words.text('RETRYCOUNT')
      words.number(request.retryCount)
    }
    if (request.force) words.text('FORCE')
    if (request.justId) words.text('JUSTID')
    if (request.lastId !== '') {
      words.text('LASTID')
      words.text(request.lastId)
    }
    return fault
  },
  answer: reply => ({ entries: read.entriesOrIds(reply) }),
}

const autoClaim: Mapping<
  message.GroupServiceAutoClaimRequest,
  message.GroupServiceAutoClaimResponse
> = {
  words(request, words) {
    let fault = writeGroup(words, request, 'XAUTOCLAIM')
    fault ??= write.nameFault('consumer', request.consumer)
    words.bytes(request.consumer)
    fault ??= write.writeDuration(words, 'min_idle', request.minIdle)
    words.text(request.start === '' ? '-' : request.start)
    write.writeCount(words, request.count)
    if (request.justId) words.text('JUSTID')
    return fault
  },
  answer(reply) {
    const [next, claimed, deleted] = read.items(reply)
    return {
      nextStart: read.text(next),
      entries: read.entriesOrIds(claimed),
      deletedIds: read.items(deleted).map(read.text),
    }
  },
}

const listGroups: Mapping<message.ListGroupsRequest, message.ListGroupsResponse> = {
  words(request, words) {
    words.text('XINFO')
    words.text('GROUPS')
    words.bytes(request.key)
    return write.keyFault(request.key)
  },
  answer: reply => ({
    groups: read.items(reply).map(row => {
      const found = read.named(row)
      return {
        ...groupOf(found),
        consumers: read.count(found.get('consumers')),
        pending: read.count(found.get('pending')),
      }
    }),
  }),
}

/** What XINFO GROUPS and XINFO STREAM FULL name alike. */
export function groupOf(found: ReadonlyMap<string, Reply>): Omit<Group, 'consumers' | 'pending'> {
  return {
    name: read.bytes(found.get('name')),
    lastDeliveredId: read.text(found.get('last-delivered-id')),
    entriesRead: read.countIfKnown(found.get('entries-read')),
    lag: read.countIfKnown(found.get('lag')),
  }
}

const listConsumers: Mapping<message.ListConsumersRequest, message.ListConsumersResponse> = {
  words: (request, words) => writeGroup(words, request, 'XINFO', 'CONSUMERS'),
  answer: reply => ({
    consumers: read.items(reply).map(row => {
      const found = read.named(row)
      const inactive = read.integer(found.get('inactive'))
      return {
        name: read.bytes(found.get('name')),
        pending: read.count(found.get('pending')),
        idle: read.durationOf(read.integer(found.get('idle'))),
        inactive: inactive < 0n ? undefined : read.durationOf(inactive),
      }
    }),
  }),
}

export const groupMappings = {
  create,
  setId,
  destroy,
  createConsumer,
  deleteConsumer,
  read: readGroup,
  ack,
  ackDelete,
  nack,
  pending,
  pendingEntries,
  claim,
  autoClaim,
  listGroups,
  listConsumers,
}
