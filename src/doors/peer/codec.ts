// Envelopes as bytes: the frames of peer.proto, written and read without the generated code.
//
// The version is Hello.protocol; within it the fields of peer.proto may grow, and
// what is unknown is passed over. Entries are copied once, into the frame; a
// decoded envelope holds views of the frame it came in, which nobody writes to.

import type { NodeId, ShardId } from '../../base/types.ts'
import type {
  ConfState,
  Entry,
  EntryKind,
  Message,
  MessageType,
  SnapshotMeta,
} from '../../raft/message.ts'
import type { Envelope, Lead, SnapshotAck, SnapshotChunk } from '../../replica/ports.ts'
import { BYTES, FIXED32, VARINT, WireError, WireReader, WireWriter } from './wire.ts'

/** Version of what peers say to each other; nodes of different versions do not talk. */
export const PROTOCOL_VERSION = 1

/** Field of ReceiveResponse and ReceiveBulkResponse. */
const FRAME_ENVELOPE = 2

/** By number in peer.proto. Storage messages never leave a node. */
const MESSAGE_TYPES: readonly (MessageType | null)[] = [
  null,
  'propose',
  'append',
  'append-response',
  'vote',
  'vote-response',
  'pre-vote',
  'pre-vote-response',
  'snapshot',
  'heartbeat',
  'heartbeat-response',
  'timeout-now',
  'read-index',
  'read-index-response',
]
const TYPE_NUMBERS = new Map(MESSAGE_TYPES.map((type, number) => [type, number]))
const ENTRY_KINDS: readonly (EntryKind | null)[] = [null, 'normal', 'conf-change', 'conf-change-v2']
const KIND_NUMBERS = new Map(ENTRY_KINDS.map((kind, number) => [kind, number]))

/** More than any item takes without its bytes and lists: 13 fields of at most 9 bytes, and its own head. */
const ITEM_BYTES_MAX = 160
const NUMBER_BYTES_MAX = 8
/** Kept between envelopes; a larger one is allocated for once. */
const SCRATCH_BYTES = 1024 * 1024

const EMPTY = Buffer.alloc(0)
const NO_CONF: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
}
const NO_ENTRIES: readonly Entry[] = []
const NO_MESSAGES: readonly Message[] = []

/** At least as many bytes as `message` takes in an envelope, and few more. */
export function messageBytesMax(message: Message): number {
  let bytes = ITEM_BYTES_MAX + (message.context?.length ?? 0)
  for (const entry of message.entries) bytes += ITEM_BYTES_MAX + entry.data.length
  const snapshot = message.snapshot
  if (snapshot !== null) {
    bytes += ITEM_BYTES_MAX + confBytesMax(snapshot.conf) + (snapshot.data?.length ?? 0)
  }
  return bytes
}

/** At least as many bytes as `envelope` takes, and few more. */
export function envelopeBytesMax(envelope: Envelope): number {
  let bytes = ITEM_BYTES_MAX * (1 + envelope.acks.length + envelope.leads.length)
  bytes += envelope.facts.length + envelope.pubsub.length
  for (const { message } of envelope.messages) bytes += messageBytesMax(message)
  for (const chunk of envelope.chunks) {
    bytes += ITEM_BYTES_MAX + confBytesMax(chunk.conf) + chunk.bytes.length
  }
  return bytes
}

function confBytesMax(conf: ConfState): number {
  const members =
    conf.voters.length +
    conf.votersOutgoing.length +
    conf.learners.length +
    conf.learnersNext.length
  return ITEM_BYTES_MAX + members * NUMBER_BYTES_MAX
}

const writer = new WireWriter()
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)

/**
 * The frame of `envelope`.
 *
 * @returns a view of a buffer that the next call overwrites; grpc-js copies it behind
 *          its own header before the call of its serializer returns
 */
export function encodeEnvelopeFrame(envelope: Envelope): Buffer {
  const bytesMax = envelopeBytesMax(envelope)
  writer.begin(bytesMax <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafe(bytesMax))
  const end = writer.position
  writer.bytes(6, envelope.pubsub)
  writer.bytes(5, envelope.facts)
  for (let i = envelope.leads.length - 1; i >= 0; i -= 1) {
    const lead = envelope.leads[i] as Envelope['leads'][number]
    const leadEnd = writer.position
    writer.uint(4, lead.digest)
    writer.uint(3, lead.applied)
    writer.uint(2, lead.term)
    writer.uint(1, lead.shard)
    writer.closeNested(4, leadEnd)
  }
  for (let i = envelope.acks.length - 1; i >= 0; i -= 1) {
    writeAck(envelope.acks[i] as SnapshotAck)
  }
  for (let i = envelope.chunks.length - 1; i >= 0; i -= 1) {
    writeChunk(envelope.chunks[i] as SnapshotChunk)
  }
  for (let i = envelope.messages.length - 1; i >= 0; i -= 1) {
    const item = envelope.messages[i] as Envelope['messages'][number]
    writeMessage(item.shard, item.message)
  }
  writer.closeNested(FRAME_ENVELOPE, end)
  return writer.taken()
}

function writeMessage(shard: ShardId, message: Message): void {
  const end = writer.position
  if (message.context !== null) writer.bytes(13, message.context, true)
  if (message.snapshot !== null) writeSnapshotMeta(12, message.snapshot)
  writer.uint(11, message.rejectHint)
  writer.flag(10, message.reject)
  writer.uint(9, message.commit)
  for (let i = message.entries.length - 1; i >= 0; i -= 1) {
    const entry = message.entries[i] as Entry
    const entryEnd = writer.position
    writer.bytes(4, entry.data)
    writer.uint(3, KIND_NUMBERS.get(entry.kind) as number)
    writer.uint(2, entry.index)
    writer.uint(1, entry.term)
    writer.closeNested(8, entryEnd)
  }
  writer.uint(7, message.index)
  writer.uint(6, message.logTerm)
  writer.uint(5, message.term)
  writer.uint(4, message.to)
  writer.uint(3, message.from)
  const type = TYPE_NUMBERS.get(message.type)
  if (type === undefined) throw new WireError(`a ${message.type} message never leaves its node`)
  writer.uint(2, type)
  writer.uint(1, shard)
  writer.closeNested(1, end)
}

function writeSnapshotMeta(field: number, meta: SnapshotMeta): void {
  const end = writer.position
  if (meta.data !== undefined) writer.bytes(4, meta.data, true)
  writeConf(3, meta.conf)
  writer.uint(2, meta.term)
  writer.uint(1, meta.index)
  writer.closeNested(field, end)
}

function writeConf(field: number, conf: ConfState): void {
  const end = writer.position
  writer.flag(5, conf.autoLeave)
  writer.uints(4, conf.learnersNext)
  writer.uints(3, conf.learners)
  writer.uints(2, conf.votersOutgoing)
  writer.uints(1, conf.voters)
  writer.closeNested(field, end)
}

function writeChunk(chunk: SnapshotChunk): void {
  const end = writer.position
  writer.flag(8, chunk.last)
  writer.fixed32(7, chunk.checksum)
  writer.bytes(6, chunk.bytes)
  writer.uint(5, chunk.offset)
  writeConf(4, chunk.conf)
  writer.uint(3, chunk.term)
  writer.uint(2, chunk.index)
  writer.uint(1, chunk.shard)
  writer.closeNested(2, end)
}

function writeAck(ack: SnapshotAck): void {
  const end = writer.position
  writer.flag(5, ack.failed)
  writer.uint(4, ack.offset)
  writer.uint(3, ack.term)
  writer.uint(2, ack.index)
  writer.uint(1, ack.shard)
  writer.closeNested(3, end)
}

/** Whether `frame` carries an envelope, and not one of the rare frames of a link's beginning and end. */
export function isEnvelopeFrame(frame: Buffer): boolean {
  return frame[0] === ((FRAME_ENVELOPE << 3) | BYTES)
}

/**
 * Reads a frame for which `isEnvelopeFrame` holds.
 *
 * @throws WireError when it is none
 */
export function decodeEnvelopeFrame(frame: Buffer): Envelope {
  const reader = new WireReader(frame)
  reader.tag()
  const outer = reader.open()
  const messages: { shard: ShardId; message: Message }[] = []
  const chunks: SnapshotChunk[] = []
  const acks: SnapshotAck[] = []
  const leads: Lead[] = []
  let facts: Uint8Array = EMPTY
  let pubsub: Uint8Array = EMPTY
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case (1 << 3) | BYTES:
        messages.push(readMessage(reader))
        break
      case (2 << 3) | BYTES:
        chunks.push(readChunk(reader))
        break
      case (3 << 3) | BYTES:
        acks.push(readAck(reader))
        break
      case (4 << 3) | BYTES:
        leads.push(readLead(reader))
        break
      case (5 << 3) | BYTES:
        facts = reader.bytes()
        break
      case (6 << 3) | BYTES:
        pubsub = reader.bytes()
        break
      default:
        reader.skip(tag)
    }
  }
  reader.close(outer)
  if (reader.position !== frame.length) throw new WireError('bytes behind the envelope')
  return { messages, chunks, acks, leads, facts, pubsub }
}

/** A message while its fields are read. */
type Draft = { -readonly [K in keyof Message]: Message[K] }

function readMessage(reader: WireReader): { shard: ShardId; message: Message } {
  const outer = reader.open()
  let shard: ShardId = 0
  let type: MessageType | null = null
  const draft: Draft = {
    type: 'propose',
    from: 0,
    to: 0,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: NO_ENTRIES,
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    snapshot: null,
    context: null,
    responses: NO_MESSAGES,
  }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ((1 << 3) | VARINT)) shard = reader.uint()
    else if (tag === ((2 << 3) | VARINT)) type = MESSAGE_TYPES[reader.uint()] ?? null
    else if (tag === ((8 << 3) | BYTES)) draft.entries = readEntries(reader)
    else readMessageField(reader, tag, draft)
  }
  reader.close(outer)
  if (type === null) throw new WireError('a message without a type that this build knows')
  draft.type = type
  return { shard, message: draft }
}

function readMessageField(reader: WireReader, tag: number, draft: Draft): void {
  switch (tag) {
    case (3 << 3) | VARINT:
      draft.from = reader.uint()
      break
    case (4 << 3) | VARINT:
      draft.to = reader.uint()
      break
    case (5 << 3) | VARINT:
      draft.term = reader.uint()
      break
    case (6 << 3) | VARINT:
      draft.logTerm = reader.uint()
      break
    case (7 << 3) | VARINT:
      draft.index = reader.uint()
      break
    case (9 << 3) | VARINT:
      draft.commit = reader.uint()
      break
    case (10 << 3) | VARINT:
      draft.reject = reader.flag()
      break
    case (11 << 3) | VARINT:
      draft.rejectHint = reader.uint()
      break
    case (12 << 3) | BYTES:
      draft.snapshot = readSnapshotMeta(reader)
      break
    case (13 << 3) | BYTES:
      draft.context = reader.bytes()
      break
    default:
      reader.skip(tag)
  }
}

/** The run of entries whose first tag was just read. */
function readEntries(reader: WireReader): readonly Entry[] {
  const entries = [readEntry(reader)]
  while (reader.source[reader.position] === ((8 << 3) | BYTES) && reader.position < reader.end) {
    reader.tag()
    entries.push(readEntry(reader))
  }
  return entries
}

function readEntry(reader: WireReader): Entry {
  const outer = reader.open()
  let term = 0
  let index = 0
  let kind: EntryKind | null = null
  let data: Uint8Array = EMPTY
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ((1 << 3) | VARINT)) term = reader.uint()
    else if (tag === ((2 << 3) | VARINT)) index = reader.uint()
    else if (tag === ((3 << 3) | VARINT)) kind = ENTRY_KINDS[reader.uint()] ?? null
    else if (tag === ((4 << 3) | BYTES)) data = reader.bytes()
    else reader.skip(tag)
  }
  reader.close(outer)
  if (kind === null) throw new WireError('an entry without a kind that this build knows')
  return { term, index, kind, data }
}

function readSnapshotMeta(reader: WireReader): SnapshotMeta {
  const outer = reader.open()
  let index = 0
  let term = 0
  let conf = NO_CONF
  let data: Uint8Array | null = null
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ((1 << 3) | VARINT)) index = reader.uint()
    else if (tag === ((2 << 3) | VARINT)) term = reader.uint()
    else if (tag === ((3 << 3) | BYTES)) conf = readConf(reader)
    else if (tag === ((4 << 3) | BYTES)) data = reader.bytes()
    else reader.skip(tag)
  }
  reader.close(outer)
  return data === null ? { index, term, conf } : { index, term, conf, data }
}

function readConf(reader: WireReader): ConfState {
  const outer = reader.open()
  const voters: NodeId[] = []
  const votersOutgoing: NodeId[] = []
  const learners: NodeId[] = []
  const learnersNext: NodeId[] = []
  let autoLeave = false
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag >> 3 === 1) reader.uints(tag, voters)
    else if (tag >> 3 === 2) reader.uints(tag, votersOutgoing)
    else if (tag >> 3 === 3) reader.uints(tag, learners)
    else if (tag >> 3 === 4) reader.uints(tag, learnersNext)
    else if (tag === ((5 << 3) | VARINT)) autoLeave = reader.flag()
    else reader.skip(tag)
  }
  reader.close(outer)
  return { voters, votersOutgoing, learners, learnersNext, autoLeave }
}

function readChunk(reader: WireReader): SnapshotChunk {
  const outer = reader.open()
  const chunk = {
    shard: 0,
    index: 0,
    term: 0,
    conf: NO_CONF,
    offset: 0,
    bytes: EMPTY as Uint8Array,
    checksum: 0,
    last: false,
  }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ((1 << 3) | VARINT)) chunk.shard = reader.uint()
    else if (tag === ((2 << 3) | VARINT)) chunk.index = reader.uint()
    else if (tag === ((3 << 3) | VARINT)) chunk.term = reader.uint()
    else if (tag === ((4 << 3) | BYTES)) chunk.conf = readConf(reader)
    else if (tag === ((5 << 3) | VARINT)) chunk.offset = reader.uint()
    else if (tag === ((6 << 3) | BYTES)) chunk.bytes = reader.bytes()
    else if (tag === ((7 << 3) | FIXED32)) chunk.checksum = reader.fixed32()
    else if (tag === ((8 << 3) | VARINT)) chunk.last = reader.flag()
    else reader.skip(tag)
  }
  reader.close(outer)
  return chunk
}

function readAck(reader: WireReader): SnapshotAck {
  const outer = reader.open()
  const ack = { shard: 0, index: 0, term: 0, offset: 0, failed: false }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ((1 << 3) | VARINT)) ack.shard = reader.uint()
    else if (tag === ((2 << 3) | VARINT)) ack.index = reader.uint()
    else if (tag === ((3 << 3) | VARINT)) ack.term = reader.uint()
    else if (tag === ((4 << 3) | VARINT)) ack.offset = reader.uint()
    else if (tag === ((5 << 3) | VARINT)) ack.failed = reader.flag()
    else reader.skip(tag)
  }
  reader.close(outer)
  return ack
}

function readLead(reader: WireReader): Lead {
  const outer = reader.open()
  const lead = { shard: 0, term: 0, applied: 0, digest: 0 }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ((1 << 3) | VARINT)) lead.shard = reader.uint()
    else if (tag === ((2 << 3) | VARINT)) lead.term = reader.uint()
    else if (tag === ((3 << 3) | VARINT)) lead.applied = reader.uint()
    else if (tag === ((4 << 3) | VARINT)) lead.digest = reader.uint()
    else reader.skip(tag)
  }
  reader.close(outer)
  return lead
}
