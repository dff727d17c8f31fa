// The door with real sockets on loopback: redis-cli, ioredis, and rude clients.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { RESP_LIMITS, RespDoor, type RespLimits } from '../../../../src/doors/resp/server.ts'
import { quiet, Rig, type RigSettings, systemClock } from '../../broker/rig.ts'
import { until } from './until.ts'

const REDIS_CLI = '/usr/bin/redis-cli'

type Open = { readonly rig: Rig; readonly door: RespDoor }

/** Opens a door, runs `use`, closes it. */
async function withDoor(
  use: (open: Open) => Promise<void>,
  settings: RigSettings = { clusterEnabled: false },
  limits: Partial<RespLimits> = {},
): Promise<void> {
  const rig = new Rig({ ...settings, clock: systemClock })
  const door = new RespDoor(rig.broker, {
    host: '127.0.0.1',
    port: 0,
    logger: quiet,
    metrics: rig.metrics,
    limits: { ...RESP_LIMITS, ...limits },
  })
  await new Promise<void>((resolve, reject) => {
    door.listen(error => (error === null ? resolve() : reject(error)))
  })
  try {
    await use({ rig, door })
  } finally {
    await new Promise<void>(resolve => door.stop(resolve))
  }
}

/** Sends `input` and gives all that comes until the other side closes. */
function exchange(port: number, input: string, half = true): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1')
    let output = ''
    socket.on('data', chunk => {
      output += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(output))
    if (half) socket.end(input, 'latin1')
    else socket.write(input, 'latin1')
  })
}

test('who closes its side still gets all replies, in order', async () => {
  await withDoor(async ({ door }) => {
    const input = `${'XADD s * f v\r\n'.repeat(3)}XLEN s\r\nPING\r\n`
    const output = await exchange(door.port, input)
    assert.match(output, /^(\$\d+\r\n\d+-\d+\r\n){3}:3\r\n\+PONG\r\n$/)
  })
})

test('a protocol error is answered behind what is owed, and closes', async () => {
  await withDoor(async ({ door }) => {
    const output = await exchange(door.port, 'PING\r\n*1\r\n!\r\nPING\r\n', false)
    assert.equal(output, "+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n")
    assert.equal(await exchange(door.port, 'POST / HTTP/1.1\r\nHost: x\r\n', false), '')
    assert.equal(await exchange(door.port, 'PING\r\nQUIT\r\nPING\r\n', false), '+PONG\r\n+OK\r\n')
  })
})

test('who goes on sending after a protocol error is cut off', async () => {
  await withDoor(async ({ door }) => {
    const socket = connect(door.port, '127.0.0.1')
    const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
    socket.on('error', () => {})
    socket.write('*x\r\n')
    const flood = setInterval(() => socket.write('more'), 10)
    await closed
    clearInterval(flood)
  })
})

test('reads and writes that alternate in one pipeline see each other in order', async () => {
  await withDoor(async ({ door }) => {
    const output = await exchange(door.port, 'XADD s * f v\r\nXLEN s\r\n'.repeat(50))
    const lengths = [...output.matchAll(/:(\d+)\r\n/g)].map(match => Number(match[1]))
    assert.deepEqual(
      lengths,
      Array.from({ length: 50 }, (_, i) => i + 1),
    )
  })
})

test('a connection over the limit is told so', async () => {
  await withDoor(
    async ({ rig, door }) => {
      rig.broker.settings.clientsMax = 1
      const first = connect(door.port, '127.0.0.1')
      await new Promise(resolve => first.once('connect', resolve))
      const output = await exchange(door.port, '')
      first.destroy()
      assert.equal(output, '-ERR max number of clients reached\r\n')
    },
    { clusterEnabled: false },
  )
})

test('a client that never reads is paused at its bound and harms nobody', async () => {
  await withDoor(
    async ({ rig, door }) => {
      const rude = connect(door.port, '127.0.0.1')
      await new Promise(resolve => rude.once('connect', resolve))
      rude.pause()
      const echo = `*2\r\n$4\r\nECHO\r\n$100000\r\n${'x'.repeat(100_000)}\r\n`
      for (let i = 0; i < 400; i += 1) rude.write(echo)
      assert.equal(await exchange(door.port, 'PING\r\n'), '+PONG\r\n')
      await new Promise(resolve => setTimeout(resolve, 100))
      const taken = rig.metrics.gauges.get('broker_commands')?.read()
      assert.ok(typeof taken === 'number' && taken < 400, `${taken} commands were taken`)
      rude.destroy()
    },
    { clusterEnabled: false },
    { outputPauseBytes: 200_000, inputPauseBytes: 200_000 },
  )
})

test('a port in use is an error with its reason', async () => {
  await withDoor(async ({ rig, door }) => {
    const second = new RespDoor(rig.broker, {
      host: '127.0.0.1',
      port: door.port,
      logger: quiet,
      metrics: rig.metrics,
    })
    const error = await new Promise<Error | null>(resolve => second.listen(resolve))
    assert.match(error?.message ?? '', /the port is in use$/)
  })
})

test('a client that goes away while it waits is forgotten', async () => {
  await withDoor(async ({ rig, door }) => {
    await exchange(door.port, 'XREAD BLOCK 0 STREAMS s $\r\n')
    assert.equal(rig.shard().waiting.length, 0)
  })
})

test('a client that goes away while it waits is forgotten, however much it has sent behind', async () => {
  const before = 'PING\r\n'.repeat(100_000)
  for (const first of ['', before]) {
    await withDoor(async ({ rig, door }) => {
      const socket = connect(door.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.resume()
      socket.write(`${first}BLPOP q 0\r\n${'PING\r\n'.repeat(200_000)}`)
      await until(() => rig.shard().waiting.length === 1)
      socket.destroy()
      await until(() => rig.shard().waiting.length === 0)
    })
  }
})

test('who sends without end behind a command that waits is cut off', async () => {
  await withDoor(
    async ({ door }) => {
      const socket = connect(door.port, '127.0.0.1')
      const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
      socket.on('error', () => {})
      socket.resume()
      socket.write(`BLPOP q 0\r\n${'PING\r\n'.repeat(400_000)}`)
      await closed
    },
    undefined,
    { inputWaitBytesMax: 1024 * 1024 },
  )
})

test('ioredis speaks to a standalone node in RESP3', async () => {
  await withDoor(async ({ door }) => {
    const redis = new Redis(door.port, '127.0.0.1')
    try {
      const ids = await Promise.all([1, 2, 3].map(i => redis.xadd('s', '*', 'n', String(i))))
      const entries = await redis.xrange('s', '-', '+')
      assert.deepEqual(
        entries.map(([id]) => id),
        ids,
      )
      const waiting = redis.duplicate()
      const blocked = waiting.xread('BLOCK', 0, 'STREAMS', 's', '$')
      while (!/blocked_clients:1/.test(await redis.info('clients')));
      await redis.xadd('s', '*', 'n', '4')
      assert.equal((await blocked)?.length, 1)
      await waiting.quit()
    } finally {
      await redis.quit()
    }
  })
})

const noCli = existsSync(REDIS_CLI) ? false : 'redis-cli is not installed'
test('redis-cli has a session', { skip: noCli }, async () => {
  await withDoor(async ({ door }) => {
    const cli = (...words: string[]) =>
      new Promise<string>((resolve, reject) => {
        execFile(REDIS_CLI, ['-p', String(door.port), ...words], (error, stdout) =>
          error === null ? resolve(stdout.trimEnd()) : reject(error),
        )
      })
    assert.equal(await cli('PING'), 'PONG')
    assert.match(await cli('XADD', 's', '*', 'f', 'v'), /^\d+-0$/)
    assert.equal(await cli('XLEN', 's'), '1')
    assert.equal(await cli('-3', 'XGROUP', 'CREATE', 's', 'g', '0'), 'OK')
    assert.match(await cli('-3', 'XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>'), /\nf\nv$/)
    assert.match(await cli('NOSUCH'), /^ERR unknown command 'NOSUCH'/)
  })
})

/** Asks for `big` so many times and reads nothing. */
function deaf(port: number, times: number): Promise<Socket> {
  return new Promise(resolve => {
    const socket: Socket = connect(port, '127.0.0.1', () => {
      socket.pause()
      socket.write('GET big\r\n'.repeat(times))
      resolve(socket)
    })
    socket.on('error', () => {})
  })
}

/** From now on commands are done a moment later, all at once, as a turn does them. @returns what ends that */
function inTurns(rig: Rig): () => void {
  const shards = [...rig.shards.values()]
  for (const shard of shards) shard.manual = true
  const timer = setInterval(() => {
    for (const shard of shards) shard.run()
  }, 1)
  return () => clearInterval(timer)
}

/** The most bytes that wait in the next 200 ms. */
async function mostWaiting(door: RespDoor): Promise<number> {
  let most = 0
  for (let i = 0; i < 40; i += 1) {
    await new Promise(resolve => setTimeout(resolve, 5))
    most = Math.max(most, door.outputs.bytes)
  }
  return most
}

test('a pipeline of large replies is run a few commands ahead of what was written', async () => {
  await withDoor(async ({ rig, door }) => {
    const set = `*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$1048576\r\n${'x'.repeat(1 << 20)}\r\n`
    await exchange(door.port, set)
    const end = inTurns(rig)
    const socket = await deaf(door.port, 1000)
    const most = await mostWaiting(door)
    assert.ok(most > 1 << 20 && most < 24 << 20, `${most} bytes waited`)
    socket.destroy()
    end()
    while (door.outputs.bytes > 0) await new Promise(resolve => setTimeout(resolve, 5))
  })
})

test('when replies of all clients pile up, those are cut who have most of them', async () => {
  const limits = { outputTotalBytesMax: 8 << 20, outputPauseBytes: 1 << 16 }
  await withDoor(
    async ({ rig, door }) => {
      const set = `*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$1048576\r\n${'x'.repeat(1 << 20)}\r\n`
      await exchange(door.port, set)
      const end = inTurns(rig)
      const sockets: Socket[] = []
      for (let i = 0; i < 8; i += 1) sockets.push(await deaf(door.port, 100))
      await mostWaiting(door)
      const info = await exchange(door.port, 'INFO clients\r\n')
      const left = Number(/connected_clients:(\d+)/.exec(info)?.[1]) - 1
      assert.ok(left < sockets.length, `${left} are left`)
      for (const socket of sockets) socket.destroy()
      end()
      while (door.outputs.bytes > 0) await new Promise(resolve => setTimeout(resolve, 5))
    },
    { clusterEnabled: false },
    limits,
  )
})

test('who closes its side and wants no reply is let go once its command is done', async () => {
  await withDoor(async ({ rig, door }) => {
    const end = inTurns(rig)
    assert.equal(await exchange(door.port, 'CLIENT REPLY SKIP\r\nXADD s * f v\r\n'), '')
    assert.equal(await exchange(door.port, 'GET none\r\n'.repeat(17)), '$-1\r\n'.repeat(17))
    end()
  })
})
