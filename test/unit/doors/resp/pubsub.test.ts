// Messages on real sockets: their bytes, short and long, and what becomes of who does not read them.

import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Publication } from '../../../../src/broker/pubsub/publication.ts'
import { SHARED_BYTES_MIN } from '../../../../src/doors/resp/encoder.ts'
import { encodePublication } from '../../../../src/doors/resp/publications.ts'
import { RESP_LIMITS, RespDoor } from '../../../../src/doors/resp/server.ts'
import { quiet, Rig, systemClock } from '../../broker/rig.ts'
import { until } from './until.ts'

type Open = { readonly rig: Rig; readonly door: RespDoor }

async function withDoor(use: (open: Open) => Promise<void>): Promise<void> {
  const rig = new Rig({ clusterEnabled: false, clock: systemClock })
  const { metrics } = rig
  const options = { host: '127.0.0.1', port: 0, logger: quiet, metrics, limits: RESP_LIMITS }
  const door = new RespDoor(rig.broker, options)
  await new Promise<void>(resolve => door.listen(() => resolve()))
  try {
    await use({ rig, door })
  } finally {
    await new Promise<void>(resolve => door.stop(resolve))
  }
}

/** A client that keeps the bytes it gets. */
class Raw {
  readonly socket: Socket
  text = ''
  closed = false

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.on('data', bytes => {
      this.text += bytes.toString('latin1')
    })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.closed = true
    })
  }

  say(line: string): void {
    this.socket.write(`${line}\r\n`)
  }
}

function publish(rig: Rig, channel: string, payload: Buffer): number {
  const source = Buffer.concat([Buffer.from(channel), payload])
  const { length } = channel
  return rig.broker.pubsub.publish(channel, source, 0, length, length, source.length)
}

function bytesOf(publication: Publication): string {
  encodePublication(publication)
  return publication.resp.toString('latin1', 0, publication.respBytes)
}

test('a message is an array of its kind, its pattern, its channel and its payload', () => {
  const publication = new Publication()
  publication.fill(Buffer.from('newshello'), 0, 4, 4, 9)
  assert.equal(
    bytesOf(publication.as('message')),
    '*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n',
  )
  assert.equal(
    bytesOf(publication.as('pmessage', Buffer.from('n*'))),
    '*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$5\r\nhello\r\n',
  )
  assert.equal(
    bytesOf(publication.as('smessage')),
    '*3\r\n$8\r\nsmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n',
  )
  for (const length of [0, 9, 10, 99, 100, 12_345, SHARED_BYTES_MIN, 1_000_000]) {
    publication.fill(Buffer.alloc(length, 'x'), 0, 0, 0, length)
    assert.equal(
      bytesOf(publication.as('message')),
      `*3\r\n$7\r\nmessage\r\n$0\r\n\r\n$${length}\r\n${'x'.repeat(length)}\r\n`,
    )
  }
})

test('short and long messages and replies come in the order in which they were made', () =>
  withDoor(async ({ rig, door }) => {
    const two = new Raw(door.port)
    const three = new Raw(door.port)
    two.say('SUBSCRIBE c')
    three.say('HELLO 3')
    three.say('SUBSCRIBE c')
    await until(() => two.text.includes(':1\r\n') && three.text.includes(':1\r\n'))
    two.text = ''
    three.text = ''
    let wanted = ''
    for (let i = 0; i < 40; i += 1) {
      const length = i % 3 === 0 ? SHARED_BYTES_MIN + i : i
      const payload = String.fromCharCode(97 + (i % 26)).repeat(length)
      assert.equal(publish(rig, 'c', Buffer.from(payload)), 2)
      wanted += `>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$${length}\r\n${payload}\r\n`
    }
    three.say('PING')
    wanted += '+PONG\r\n'
    await until(() => three.text.length >= wanted.length)
    assert.ok(three.text === wanted)
    const asArrays = wanted.replaceAll('>3', '*3').replace('+PONG\r\n', '')
    await until(() => two.text.length >= asArrays.length)
    assert.ok(two.text === asArrays)
    two.socket.destroy()
    three.socket.destroy()
  }))

for (const size of [1_000, 100_000])
  test(`who does not read messages of ${size} bytes is cut off at the hard limit, others are not`, () =>
    withDoor(async ({ rig, door }) => {
      const set = rig.client()
      set.ask('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 3mb 0 0')
      const slow = new Raw(door.port)
      const fast = new Raw(door.port)
      slow.say('SUBSCRIBE c')
      fast.say('SUBSCRIBE c')
      await until(() => slow.text !== '' && fast.text !== '')
      slow.socket.pause()
      const payload = Buffer.alloc(size, 'x')
      let sent = 0
      while (publish(rig, 'c', payload) === 2) {
        sent += 1
        if (sent % 20 === 0) await new Promise(resolve => setImmediate(resolve))
      }
      assert.ok(sent * size > 3_000_000, 'not before the limit')
      assert.equal(rig.metrics.counters.get('resp_output_limit_total')?.value, 1)
      await until(() => fast.text.length > sent * size)
      fast.socket.destroy()
      slow.socket.destroy()
    }))

test('who has too much waiting for too long is cut off at the soft limit', () =>
  withDoor(async ({ rig, door }) => {
    const set = rig.client()
    set.ask('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 0 1mb 1')
    const slow = new Raw(door.port)
    slow.say('SUBSCRIBE c')
    await until(() => slow.text !== '')
    slow.socket.pause()
    const payload = Buffer.alloc(100_000, 'x')
    const since = performance.now()
    let sent = 0
    for (; publish(rig, 'c', payload) === 1; sent += payload.length) await sleep(20)
    const took = performance.now() - since
    assert.ok(took > 900, `${took} ms`)
    assert.ok(sent < RESP_LIMITS.outputBytesMax / 2, 'long before the limit that all have')
    assert.match(String(rig.metrics.counters.get('resp_output_limit_total')?.value), /1/)
    slow.socket.destroy()
  }))

test('a normal client has the limit of its class', () =>
  withDoor(async ({ rig, door }) => {
    const set = rig.client()
    set.ask('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 200kb 0 0')
    set.ask('SET', 'k', 'x'.repeat(100_000))
    const slow = new Raw(door.port)
    slow.say('PING')
    await until(() => slow.text !== '')
    slow.socket.pause()
    slow.say('GET k\r\n'.repeat(200))
    await until(() => rig.metrics.counters.get('resp_output_limit_total')?.value === 1)
    slow.socket.destroy()
  }))
