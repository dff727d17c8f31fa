// The mark of a producer session as clients send it, checked.

import type { Producer as ProducerMessage } from '../../gen/slotcast/v1/producer.ts'
import type { Producer } from './desk.ts'

/** The length stands in one byte (base/payload.ts). */
const ID_BYTES_MAX = 255
const ID_FORM = /^[\x21-\x7e]+$/
const EPOCH_MAX = 0xffff_ffff

/** What is wrong with `producer`, or null. */
export function producerFault(producer: Producer): string | null {
  if (producer.id.length > ID_BYTES_MAX || !ID_FORM.test(producer.id)) {
    return `producer.producer_id must be 1 to ${ID_BYTES_MAX} printable ASCII characters`
  }
  if (producer.epoch > EPOCH_MAX) return 'producer.epoch is above 2^32 - 1'
  if (!Number.isSafeInteger(producer.sequence) || producer.sequence < 1) {
    return 'producer.sequence must be 1 to 2^53 - 1'
  }
  return null
}

/** The mark in a request, in the desk's form. */
export function producerOf(message: ProducerMessage | undefined): Producer | null {
  if (message === undefined) return null
  return { id: message.producerId, epoch: message.epoch, sequence: Number(message.sequence) }
}
