// A consumer against nodes that a test plays: credit, deeds, and what becomes of them when a call breaks.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../../../src/client/errors.ts'
import {
  type ConsumeRequest,
  ConsumeResponse,
  type DeepPartial,
  NackMode,
} from '../../../src/gen/slotcast/v1/consume.ts'
import { eventually, PlayedCluster, type PlayedNode } from './played-nodes.ts'

const KEY = Buffer.from('s')
const ENTRY_BYTES = 32

/** Sends entries with one field of `bytes` bytes. */
function deliver(node: PlayedNode, ids: readonly string[], bytes = 10): void {
  const entries = ids.map(id => ({
    entry: { id, fields: [{ name: Buffer.from('f'), value: Buffer.alloc(bytes - 1) }] },
    redelivered: false,
  }))
  say(node, { entries: [{ key: KEY, entries, resumeToken: Buffer.from('t') }] })
}

function say(node: PlayedNode, frame: DeepPartial<ConsumeResponse>): void {
  node.consumers.at(-1)?.write(ConsumeResponse.fromPartial(frame))
}

const credits = (frames: readonly ConsumeRequest[]): string[] =>
  frames.flatMap(({ credit }) => (credit === undefined ? [] : `${credit.entries}/${credit.bytes}`))

const plain = { group: 'g', consumer: 'c', streams: ['s'], heartbeatMs: 60_000, stopMs: 50 }

test('credit in entries and bytes is given back with each entry that is done with, and no sooner', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client()
    const node = cluster.node(1)
    const consumer = client.consume({ ...plain, credit: 10, creditBytes: 1_000 })
    await eventually('it began', () => node.consumed.length === 1)
    assert.deepEqual(credits(node.consumed), ['10/1000'])
    deliver(node, ['1-0', '2-0'], 300)
    const first = (await consumer.next()).value
    const second = (await consumer.next()).value
    await new Promise(resolve => setTimeout(resolve, 30))
    assert.deepEqual(credits(node.consumed), ['10/1000'])
    first?.release()
    await eventually('one is given back', () => credits(node.consumed).length === 2)
    assert.deepEqual(credits(node.consumed), ['10/1000', `1/${300 + ENTRY_BYTES}`])
    void second?.ack()
    await eventually('the other', () => credits(node.consumed).length === 3)
    assert.equal(credits(node.consumed)[2], `1/${300 + ENTRY_BYTES}`)
    // One that is in hand already costs nothing more.
    deliver(node, ['3-0'], 50)
    const third = (await consumer.next()).value
    deliver(node, ['3-0'], 50)
    await eventually('the double', () => credits(node.consumed).length === 4)
    assert.equal(credits(node.consumed)[3], `1/${50 + ENTRY_BYTES}`)
    third?.release()
    await eventually('it, too', () => credits(node.consumed).length === 5)
  })
})

test('without creditBytes no bytes are counted', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client()
    const node = cluster.node(1)
    const consumer = client.consume({ ...plain, credit: 5 })
    await eventually('it began', () => node.consumed.length === 1)
    deliver(node, ['1-0'])
    const { value } = await consumer.next()
    value?.release()
    await eventually('one is given back', () => credits(node.consumed).length === 2)
    assert.deepEqual(credits(node.consumed), ['5/0', '1/0'])
    assert.throws(() => client.consume({ ...plain, creditBytes: 0 }), UsageError)
  })
})

test('nacks go out by their modes, a touch is a claim, and what a broken call owed is sent again', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client()
    const node = cluster.node(1)
    const consumer = client.consume(plain)
    await eventually('it began', () => node.consumed.length === 1)
    deliver(node, ['1-0', '2-0', '3-0', '4-0', '5-0'])
    const deliveries = []
    for (let i = 0; i < 5; i += 1) deliveries.push((await consumer.next()).value)
    const [a, b, c, d, e] = deliveries
    const settled = [a?.nack('silent'), b?.nack(), c?.nack('fatal'), d?.touch(), e?.ack()]
    const deeds = (): ConsumeRequest[] => node.consumed.filter(frame => frame.acks.length > 0)
    await eventually('the deeds', () => deeds().length === 1)
    const [frame] = deeds()
    assert.deepEqual(
      frame?.nacks.map(({ ids, mode }) => [ids, mode]),
      [
        [['1-0'], NackMode.NACK_MODE_SILENT],
        [['2-0'], NackMode.NACK_MODE_FAIL],
        [['3-0'], NackMode.NACK_MODE_FATAL],
      ],
    )
    assert.deepEqual(
      frame?.claims.map(({ ids, minIdle }) => [ids, minIdle]),
      [[['4-0'], undefined]],
    )
    // Two are settled before the call breaks, one of them in doubt.
    const [ack] = frame?.acks ?? []
    const [first, second] = frame?.nacks ?? []
    const error = { code: 'INDOUBT', text: 'INDOUBT who knows' }
    say(node, {
      settled: [
        { tag: first?.tag ?? 0n, outcome: { $case: 'count', value: 1n } },
        { tag: second?.tag ?? 0n, outcome: { $case: 'error', value: error } },
      ],
    })
    assert.equal(await settled[0], true)
    node.consumers.at(-1)?.emit('error', new Error('gone'))
    const again = (): ConsumeRequest[] => node.consumed.filter(({ open }) => open === undefined)
    const tags = () =>
      node.consumed
        .slice(node.consumed.indexOf(frame as ConsumeRequest) + 1)
        .flatMap(({ acks, nacks, claims }) => [...acks, ...nacks, ...claims])
        .map(({ ids }) => ids.join())
        .sort()
    await eventually('what was not settled', () => tags().length === 4)
    assert.deepEqual(tags(), ['2-0', '3-0', '4-0', '5-0'])
    assert.ok(again().length > 0)
    const rest = node.consumed
      .slice(node.consumed.indexOf(frame as ConsumeRequest) + 1)
      .flatMap(({ acks, nacks, claims }) => [...acks, ...nacks, ...claims])
    say(node, {
      settled: rest.map(({ tag, ids }) => ({
        tag,
        outcome: { $case: 'count', value: ids[0] === '5-0' ? 0n : 1n },
      })),
    })
    assert.deepEqual(await Promise.all(settled), [true, true, true, true, false])
    assert.ok((ack?.tag ?? 0n) > 0n)
    assert.equal(consumer.acked, 0)
  })
})
