// Bytes that no client should send: an error that says why, a closed connection where
// Redis closes it, and a node that serves all others as before.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LocalCluster } from '../chaos/cluster.ts'
import { Connection, encode, Refused } from '../chaos/connection.ts'

const MiB = 1024 * 1024
/** Half-sent commands of this many connections stay open at a time. */
const HALF_SENT = 200
const GROWTH_MAX = 700 * MiB

/** Sends `bytes`; what came back until the node closed the connection, or fell silent for a while. */
function provoke(port: number, bytes: Buffer): Promise<{ text: string; closed: boolean }> {
  return new Promise(resolve => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    const end = (closed: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ text, closed })
    }
    const timer = setTimeout(() => end(false), 2_000)
    socket.on('data', data => {
      text += data.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => end(true))
  })
}

const cases: readonly { name: string; bytes: Buffer; says: RegExp; closes: boolean }[] = [
  {
    name: 'a count that is no number',
    bytes: Buffer.from('*x\r\n'),
    says: /^-ERR Protocol error: invalid multibulk length/,
    closes: true,
  },
  {
    name: 'more words than there may be',
    bytes: Buffer.from('*99999999\r\n'),
    says: /^-ERR Protocol error: invalid multibulk length/,
    closes: true,
  },
  {
    name: 'a word that is no bulk',
    bytes: Buffer.from('*1\r\n:1\r\n'),
    says: /^-ERR Protocol error: expected '\$', got ':'/,
    closes: true,
  },
  {
    name: 'a bulk over its limit',
    bytes: Buffer.from('*3\r\n$4\r\nXADD\r\n$1\r\na\r\n$999999999\r\n'),
    says: /^-ERR Protocol error: invalid bulk length/,
    closes: true,
  },
  {
    name: 'an inline command that never ends',
    bytes: Buffer.alloc(128 * 1024, 'x'),
    says: /^-ERR Protocol error: too big inline request/,
    closes: true,
  },
  {
    name: 'an unknown command',
    bytes: encode(['NOSUCH', 'a']),
    says: /^-ERR unknown command/,
    closes: false,
  },
  {
    name: 'a command without its words',
    bytes: encode(['XADD', 'a']),
    says: /^-ERR wrong number of arguments for 'xadd' command/,
    closes: false,
  },
]

test('bytes that no client should send leave the node unharmed', { timeout: 180_000 }, async t => {
  await LocalCluster.run({}, async cluster => {
    const [key = ''] = await cluster.keyOfEach('orders')
    const port = cluster.respPort(1)
    const witness = await Connection.open(port)
    const pid = await processOf(witness)
    const memory = await memoryOf(witness)
    for (const { name, bytes, says, closes } of cases) {
      await t.test(name, async () => {
        const { text, closed } = await provoke(port, bytes)
        assert.match(text, says)
        assert.equal(closed, closes)
      })
    }
    await t.test('noise', async () => {
      for (let i = 0; i < 30; i += 1) await provokeAndLeave(port, randomBytes(4_096))
    })
    await t.test('large commands that are begun by many and ended by none', async () => {
      const begun = Buffer.concat([
        Buffer.from(`*5\r\n$4\r\nXADD\r\n$1\r\na\r\n$1\r\n*\r\n$1\r\nf\r\n$${15 * MiB}\r\n`),
        Buffer.alloc(4 * MiB, 'x'),
      ])
      const sockets = Array.from({ length: HALF_SENT }, () => {
        const socket = connect(port, '127.0.0.1', () => socket.write(begun))
        socket.on('error', () => {})
        return socket
      })
      await sleep(4_000)
      const grown = (await memoryOf(witness)) - memory
      for (const socket of sockets) socket.destroy()
      assert.ok(grown < GROWTH_MAX, `grew by ${Math.round(grown / MiB)} MiB`)
    })
    assert.equal(await processOf(witness), pid, 'the same process answers, on the same connection')
    const added = await witness.ask(['XADD', key, '*', 'v', 'x'])
    assert.ok(!(added instanceof Refused))
    assert.equal(await cluster.readiness(1), null)
    witness.close()
  })
})

async function provokeAndLeave(port: number, bytes: Buffer): Promise<void> {
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
  socket.on('error', () => {})
  await sleep(20)
  socket.destroy()
}

async function infoOf(connection: Connection, section: string, field: string): Promise<string> {
  const text = String(await connection.ask(['INFO', section], 30_000))
  return new RegExp(`^${field}:(.*)\r?$`, 'm').exec(text)?.[1]?.trim() ?? ''
}

function processOf(connection: Connection): Promise<string> {
  return infoOf(connection, 'server', 'process_id')
}

async function memoryOf(connection: Connection): Promise<number> {
  return Number(await infoOf(connection, 'memory', 'used_memory_rss'))
}
