// Parcels: the hand-written bytes are those of peer.proto, and broken ones are noticed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Interest,
  Parcel,
  type ParcelReader,
  readParcel,
} from '../../../../src/broker/pubsub/parcel.ts'
import { PubSub } from '../../../../src/gen/slotcast/peer/v1/peer.ts'

type Said =
  | { readonly channel: string; readonly payload: string; readonly sequence: number }
  | { readonly interest: Interest }
  | { readonly asked: true }

function read(bytes: Buffer): { readonly said: Said[]; readonly whole: boolean } {
  const said: Said[] = []
  const reader: ParcelReader = {
    publication: (source, channelFrom, channelTo, payloadFrom, payloadTo, sequence) => {
      const channel = source.toString('latin1', channelFrom, channelTo)
      const payload = source.toString('latin1', payloadFrom, payloadTo)
      said.push({ channel, payload, sequence })
    },
    interest: interest => said.push({ interest }),
    asked: () => said.push({ asked: true }),
  }
  return { whole: readParcel(bytes, reader), said }
}

const text = fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes).toString('latin1'))
const message = fc.record(
  {
    channel: text,
    payload: text,
    sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  },
  { noNullPrototype: true },
)
const hashes = fc.array(fc.integer({ min: 0, max: 2 ** 52 - 1 }), { maxLength: 20 })
const interest: fc.Arbitrary<Interest> = fc.record(
  {
    anew: fc.boolean(),
    channels: hashes,
    leftChannels: hashes,
    patterns: fc.array(text, { maxLength: 5 }),
    leftPatterns: fc.array(text, { maxLength: 5 }),
    version: fc.nat(),
    base: fc.nat(),
  },
  { noNullPrototype: true },
)

function put(parcel: Parcel, channel: string, payload: string, sequence: number): void {
  const name = Buffer.from(channel, 'latin1')
  const source = Buffer.concat([name, Buffer.from(payload, 'latin1')])
  parcel.publish(source, 0, name.length, name.length, source.length, sequence)
}

test('what was put into a parcel is read out of it, in order', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 30 }), interest, (messages, wanted) => {
      const parcel = new Parcel()
      for (const { channel, payload, sequence } of messages) put(parcel, channel, payload, sequence)
      assert.equal(parcel.publications, messages.length)
      parcel.ask()
      parcel.interest(wanted)
      const { said, whole } = read(parcel.take())
      assert.ok(whole)
      assert.deepEqual(said, [...messages, { asked: true }, { interest: wanted }])
      assert.equal(parcel.length, 0)
    }),
    { seed: 1, numRuns: 200 },
  )
})

test('the bytes are those that peer.proto says', () => {
  const parcel = new Parcel()
  put(parcel, 'news', 'x'.repeat(200), 300)
  parcel.ask()
  parcel.interest({
    anew: true,
    channels: [1, 2 ** 52 - 1],
    leftChannels: [7],
    patterns: ['a*'],
    leftPatterns: ['b?'],
    version: 300,
    base: 299,
  })
  const decoded = PubSub.decode(parcel.take())
  assert.equal(decoded.ask, true)
  assert.equal(decoded.publications.length, 1)
  assert.equal(Buffer.from(decoded.publications[0]?.channel ?? []).toString(), 'news')
  assert.equal(decoded.publications[0]?.payload.length, 200)
  assert.equal(Number(decoded.publications[0]?.sequence), 300)
  assert.equal(decoded.interest?.anew, true)
  assert.equal(Number(decoded.interest?.version), 300)
  assert.equal(Number(decoded.interest?.base), 299)
  assert.deepEqual(decoded.interest?.channels.map(Number), [1, 2 ** 52 - 1])
  assert.deepEqual(decoded.interest?.leftChannels.map(Number), [7])
  assert.deepEqual(
    decoded.interest?.patterns.map(bytes => Buffer.from(bytes).toString()),
    ['a*'],
  )
})

test('fields of a newer build are passed over', () => {
  const parcel = new Parcel()
  put(parcel, 'c', 'm', 1)
  const extra = Buffer.from([0x9a, 0x06, 2, 1, 2, 0x98, 0x06, 5, 0x9d, 0x06, 1, 2, 3, 4])
  const { said, whole } = read(Buffer.concat([extra, parcel.take(), extra]))
  assert.ok(whole)
  assert.deepEqual(said, [{ channel: 'c', payload: 'm', sequence: 1 }])
})

test('a parcel that is cut off anywhere inside is noticed', () => {
  const parcel = new Parcel()
  put(parcel, 'channel', 'payload', 70_000)
  const bytes = parcel.take()
  for (let length = 1; length < bytes.length; length += 1)
    assert.equal(read(bytes.subarray(0, length)).whole, false, `${length}`)
})

test('garbage is read or refused, never beyond its end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), array => {
      read(Buffer.from(array))
    }),
    { seed: 2, numRuns: 3000 },
  )
})

test('what was taken stays as it is until it is given back, whatever is put in meanwhile', () => {
  const parcel = new Parcel()
  const takes: { readonly bytes: Buffer; readonly copy: Buffer }[] = []
  for (let i = 0; i < 10; i += 1) {
    put(parcel, 'c', String(i).repeat(50), i + 1)
    const bytes = parcel.take()
    takes.push({ bytes, copy: Buffer.from(bytes) })
  }
  for (const { bytes, copy } of takes) assert.ok(bytes.equals(copy))
  parcel.reclaim()
  put(parcel, 'c', 'last', 11)
  const last = parcel.take()
  put(parcel, 'c', 'again', 12)
  assert.deepEqual(read(last).said, [{ channel: 'c', payload: 'last', sequence: 11 }])
  assert.equal(parcel.take().buffer, takes.at(-1)?.bytes.buffer, 'what was given back is used')
})
