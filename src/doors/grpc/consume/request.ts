// What may be wrong with a frame of Consume, and the commands of its acks, nacks and claims.

import {
  type ConsumeAck,
  type ConsumeClaim,
  type ConsumeNack,
  type ConsumeOpen,
  type ConsumeRequest,
  NackMode,
} from '../../../gen/slotcast/v1/consume.ts'
import { keyFault, milliseconds, nameFault } from '../mapping/writing.ts'
import type { Words } from '../words.ts'
import type { Manner } from './stream-reader.ts'

const HEARTBEAT_MS = 5_000
const HEARTBEAT_MS_MIN = 100
const HEARTBEAT_MS_MAX = 60_000
const TOKEN = /^\d{1,20}-\d{1,20}$/

/** An ack, a nack or a claim, to be done. */
export type Operation =
  | { readonly kind: 'ack'; readonly message: ConsumeAck }
  | { readonly kind: 'nack'; readonly message: ConsumeNack }
  | { readonly kind: 'claim'; readonly message: ConsumeClaim }

export type Opened = { readonly manner: Manner; readonly heartbeatMs: number }

/** What `open` says, or what is wrong with it. */
export function openedBy(open: ConsumeOpen): Opened | string {
  const fault = nameFault('group', open.group) ?? nameFault('consumer', open.consumer)
  if (fault !== null) return fault
  const heartbeat = open.heartbeat === undefined ? HEARTBEAT_MS : milliseconds(open.heartbeat)
  if (heartbeat === null || heartbeat < HEARTBEAT_MS_MIN || heartbeat > HEARTBEAT_MS_MAX) {
    return `heartbeat is not between ${HEARTBEAT_MS_MIN} and ${HEARTBEAT_MS_MAX} ms`
  }
  const claimMinIdle = open.claimMinIdle === undefined ? undefined : milliseconds(open.claimMinIdle)
  if (claimMinIdle === null) return 'claim_min_idle is negative or malformed'
  const { group, consumer, noAck, createFrom } = open
  return {
    manner: {
      ...{ group, consumer, noAck },
      claimMinIdle: claimMinIdle ?? null,
      createFrom: createFrom ?? null,
    },
    heartbeatMs: Number(heartbeat),
  }
}

/** Where a stream is resumed: the token is the ID up to which all has arrived. */
export function tokenOf(bytes: Uint8Array): string | null {
  if (bytes.length === 0) return ''
  const token = Buffer.from(bytes).toString('latin1')
  return TOKEN.test(token) ? token : null
}

/** What a frame wants done, or what is wrong with it. */
export function operationsOf(frame: ConsumeRequest): Operation[] | string {
  const operations: Operation[] = [
    ...frame.acks.map(message => ({ kind: 'ack', message }) as const),
    ...frame.nacks.map(message => ({ kind: 'nack', message }) as const),
    ...frame.claims.map(message => ({ kind: 'claim', message }) as const),
  ]
  for (const { kind, message } of operations) {
    const fault = keyFault(message.key) ?? (message.ids.length === 0 ? 'ids is empty' : null)
    if (fault !== null) return `${kind}: ${fault}`
    if (message.tag > BigInt(Number.MAX_SAFE_INTEGER)) return `${kind}: tag is over 2^53 - 1`
  }
  return operations
}

/** Writes the command of `operation`. @returns what is wrong with it, or null */
export function writeOperation(words: Words, operation: Operation, manner: Manner): string | null {
  const { kind, message } = operation
  words.begin()
  words.text(kind === 'ack' ? 'XACK' : kind === 'nack' ? 'XNACK' : 'XCLAIM')
  words.bytes(message.key)
  words.bytes(manner.group)
  if (kind === 'nack') {
    words.text(modeOf(message.mode))
    words.text('IDS')
    words.number(message.ids.length)
  } else if (kind === 'claim') {
    const minIdle = message.minIdle === undefined ? 0n : milliseconds(message.minIdle)
    if (minIdle === null) return 'min_idle is negative or malformed'
    words.bytes(manner.consumer)
    words.number(minIdle)
  }
  for (const id of message.ids) words.text(id)
  if (kind === 'claim') words.text('JUSTID')
  return words.finish()
}

function modeOf(mode: NackMode): string {
  if (mode === NackMode.NACK_MODE_SILENT) return 'SILENT'
  return mode === NackMode.NACK_MODE_FATAL ? 'FATAL' : 'FAIL'
}
