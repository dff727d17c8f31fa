// Links between nodes on loopback: order, loss, how soon a death is known, and who is turned away.

import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Envelope, SnapshotChunk } from '../../../../src/replica/ports.ts'
import { append, End, freePorts } from './end.ts'

const open: End[] = []
const children: ChildProcess[] = []
after(async () => {
  await Promise.all(open.map(end => end.close()))
  for (const child of children) child.kill('SIGKILL')
})

async function make(...parameters: ConstructorParameters<typeof End>): Promise<End> {
  const end = new End(...parameters)
  await end.open()
  open.push(end)
  return end
}

async function pair(bufferBytesMax?: number): Promise<[End, End]> {
  const ports = await freePorts(2)
  const ends = [
    await make(1, ports, {}, bufferBytesMax),
    await make(2, ports, {}, bufferBytesMax),
  ] as const
  await ends[0].until(() => ends[0].events.includes('up 2'))
  await ends[1].until(() => ends[1].events.includes('up 1'))
  return [ends[0], ends[1]]
}

function spawnPeer(id: number, ports: readonly number[]): ChildProcess {
  const child = fork(join(import.meta.dirname, 'peer-process.ts'), [id, ...ports].map(String))
  children.push(child)
  return child
}

function indexes(end: End): number[] {
  return end.heard.flatMap(({ envelope }) => envelope.messages.map(({ message }) => message.index))
}

test('envelopes arrive in order and whole, in both directions', async () => {
  const [one, two] = await pair(1 << 26)
  const count = 300
  for (let i = 0; i < count; i += 1) {
    assert.ok(one.door.send(2, append(i, Buffer.alloc((i * 37) % 5000, i))))
    assert.ok(two.door.send(1, append(i)))
  }
  await two.until(() => two.heard.length === count)
  await one.until(() => one.heard.length === count)
  assert.deepEqual(
    indexes(two),
    Array.from({ length: count }, (_, i) => i),
  )
  assert.deepEqual(indexes(one), indexes(two))
  for (const [i, { from, envelope }] of two.heard.entries()) {
    assert.equal(from, 1)
    const data = Buffer.from(envelope.messages[0]?.message.entries[0]?.data ?? [])
    assert.ok(data.equals(Buffer.alloc((i * 37) % 5000, i)), `entry ${i}`)
  }
})

test('an envelope larger than a frame arrives in parts, in order', async () => {
  const [one, two] = await pair()
  const size = 3 << 20
  const large: Envelope = {
    ...append(0),
    messages: [0, 1, 2, 3, 4].flatMap(i => append(i, Buffer.alloc(size, i)).messages),
    leads: [{ shard: 1, term: 7, applied: 4, digest: 9 }],
  }
  assert.ok(one.door.send(2, large))
  await two.until(() => indexes(two).length === 5)
  assert.ok(two.heard.length > 1)
  assert.deepEqual(indexes(two), [0, 1, 2, 3, 4])
  assert.deepEqual(two.heard.at(-1)?.envelope.leads, [{ shard: 1, term: 7, applied: 4, digest: 9 }])
})

test('chunks go by the bulk stream', async () => {
  const [one, two] = await pair(1 << 26)
  const conf = {
    voters: [1, 2],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  }
  const chunk: SnapshotChunk = {
    shard: 1,
    index: 10,
    term: 2,
    conf,
    offset: 0,
    bytes: Buffer.alloc(1 << 18, 5),
    checksum: 0xfedc_ba98,
    last: true,
  }
  const both: Envelope = { ...append(1), chunks: [chunk] }
  // The bulk stream opens after the first; until then chunks are lost, and their sender repeats.
  while (!one.door.send(2, both)) await new Promise(resolve => setTimeout(resolve, 5))
  await two.until(() => two.heard.some(({ envelope }) => envelope.chunks.length > 0))
  const [got] = two.heard.flatMap(({ envelope }) => envelope.chunks)
  assert.deepEqual({ ...got, bytes: null }, { ...chunk, bytes: null })
  assert.ok(Buffer.from(got?.bytes ?? []).equals(Buffer.from(chunk.bytes)))
  assert.ok(
    two.heard.every(({ envelope }) => envelope.chunks.length * envelope.messages.length === 0),
  )
})

test('to an unknown node, or before the link stands, nothing is sent', async () => {
  const ports = await freePorts(2)
  const one = await make(1, ports)
  assert.equal(one.door.send(2, append(1)), false)
  assert.equal(one.door.send(9, append(1)), false)
  await one.until(() => one.events.includes('down 2'))
})

test('a killed peer is down, and up again when it is back', async () => {
  const ports = await freePorts(2)
  const one = await make(1, ports)
  const first = spawnPeer(2, ports)
  await one.until(() => one.events.includes('up 2'))
  one.events.length = 0
  first.kill('SIGKILL')
  await one.until(() => one.events.includes('down 2'))
  assert.equal(one.door.send(2, append(1)), false)
  spawnPeer(2, ports)
  await one.until(() => one.events.includes('up 2'))
  assert.ok(one.door.send(2, append(2)))
})

test('a stopped peer is sent to until its buffer is full, and never counts as dead', async () => {
  const ports = await freePorts(2)
  const one = await make(1, ports)
  const peer = spawnPeer(2, ports)
  await one.until(() => one.events.includes('up 2'))
  one.events.length = 0
  peer.kill('SIGSTOP')
  const data = Buffer.alloc(100_000)
  let taken = 0
  // What the kernel and HTTP/2 hold comes on top of the bound of 1 MiB.
  while (one.door.send(2, append(taken, data)) && taken < 2000) {
    taken += 1
    await new Promise(resolve => setImmediate(resolve))
  }
  assert.ok(taken > 9 && taken < 2000, `${taken} envelopes taken`)
  assert.ok(!one.events.includes('down 2'))
  peer.kill('SIGCONT')
  while (!one.door.send(2, append(0))) await new Promise(resolve => setTimeout(resolve, 5))
})

test('a peer that says goodbye is down at once', async () => {
  const [one, two] = await pair()
  one.events.length = 0
  await two.close()
  await one.until(() => one.events.includes('down 2'))
  assert.ok(one.warnings.includes('it said goodbye'))
})

test('nodes that must not meet refuse each other and say why', async () => {
  const cases: [Parameters<typeof make>[2], RegExp][] = [
    [{ clusterName: 'other' }, /cluster "other" is not "test"|cluster "test" is not "other"/],
    [{ fingerprint: 'g' }, /n2 and n1 differ in options|n1 and n2 differ in options/],
    [{ incarnationOf: () => 'older' }, /n1 has another data directory than the cluster knows/],
  ]
  for (const [identity, reason] of cases) {
    const ports = await freePorts(2)
    const one = await make(1, ports)
    const two = await make(2, ports, identity)
    await one.until(() => one.warnings.some(text => reason.test(text)))
    await two.until(() => two.warnings.some(text => reason.test(text)))
    assert.ok(!one.events.includes('up 2'))
    assert.ok(!two.events.includes('up 1'))
  }
})

test('an address where another node answers is refused', async () => {
  const ports = await freePorts(3)
  const one = await make(1, [ports[0] ?? 0, ports[2] ?? 0, ports[1] ?? 0])
  await make(3, ports)
  await make(2, ports)
  await one.until(() =>
    one.warnings.some(text => /n[23] answers at the address of n[32]/.test(text)),
  )
  assert.ok(!one.events.includes('up 2'))
})

test('garbage on the port harms nobody', async () => {
  const ports = await freePorts(2)
  const one = await make(1, ports)
  const two = await make(2, ports)
  await one.until(() => one.events.includes('up 2'))
  const socket = connect(ports[1] ?? 0, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.end(Buffer.alloc(10_000, 0xa5))
  socket.resume()
  await once(socket, 'close')
  assert.ok(one.door.send(2, append(5)))
  await two.until(() => indexes(two).includes(5))
})

test('a port in use is told in one line', async () => {
  const ports = await freePorts(2)
  await make(1, ports)
  const twin = new End(1, ports)
  await assert.rejects(twin.open(), {
    code: 'PORT',
    message: `cannot listen for peers on 127.0.0.1:${ports[0]}: the port is in use`,
  })
})
