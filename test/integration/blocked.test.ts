// Clients that wait while their leader dies, stops or hands over: they are told, never left hanging.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { credentials } from '@grpc/grpc-js'
import { CommandServiceClient } from '../../src/gen/slotcast/v1/command_service.ts'
import { LocalCluster } from '../chaos/cluster.ts'
import { Connection, Dropped, type Plain, Refused, readEntriesOf } from '../chaos/connection.ts'

/** What a wait without end came to. */
async function fateOf(connection: Connection, words: readonly string[]): Promise<string> {
  try {
    const reply = await connection.ask(words, 60_000)
    return reply instanceof Refused ? reply.word : show(reply)
  } catch (error) {
    if (error instanceof Dropped) return error.message
    throw error
  }
}

function show(reply: Plain): string {
  return readEntriesOf(reply)
    .map(({ value }) => value)
    .join(' ')
}

const waits = (key: string): readonly (readonly string[])[] => [
  ['XREAD', 'BLOCK', '0', 'STREAMS', key, '$'],
  ['XREADGROUP', 'GROUP', 'g', 'me', 'BLOCK', '0', 'STREAMS', key, '>'],
]

test('whoever waits is told when the leader goes, and a wait at the new leader works', {
  timeout: 180_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const [key = ''] = await cluster.keyOfEach('orders')
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGSTOP'] as const) {
      const leader = await cluster.leaderOf(key)
      const ask = await Connection.open(cluster.respPort(leader))
      await ask.ask(['XGROUP', 'CREATE', key, 'g', '$', 'MKSTREAM'])
      ask.close()
      const connections = await Promise.all(
        waits(key).map(() => Connection.open(cluster.respPort(leader))),
      )
      const fates = waits(key).map((words, i) => fateOf(connections[i] as Connection, words))
      await sleep(300)
      cluster.node(leader).signal(signal)
      if (signal === 'SIGSTOP') {
        await sleep(4_000)
        cluster.node(leader).signal('SIGCONT')
      }
      const told = await Promise.all(fates)
      const allowed = ['UNBLOCKED', 'MOVED', 'the connection broke']
      assert.deepEqual(
        told.filter(fate => !allowed.includes(fate)),
        [],
        `after ${signal}`,
      )
      if (signal !== 'SIGSTOP') {
        await cluster.node(leader).ended()
        assert.equal(await successor(cluster, key), 'hello again', `after ${signal}`)
        cluster.node(leader).start()
      }
      await cluster.awaitReady()
    }
  })
})

/** A wait and a write at whoever leads now. Who is said to lead may have been followed by another meanwhile. */
async function successor(cluster: LocalCluster, key: string): Promise<string> {
  for (;;) {
    const got = await waitAndWrite(cluster, key)
    if (got !== 'MOVED') return got
    await sleep(100)
  }
}

async function waitAndWrite(cluster: LocalCluster, key: string): Promise<string> {
  const port = cluster.respPort(await cluster.leaderOf(key))
  const [waiter, writer] = await Promise.all([Connection.open(port), Connection.open(port)])
  const fate = fateOf(waiter, ['XREADGROUP', 'GROUP', 'g', 'me', 'BLOCK', '0', 'STREAMS', key, '>'])
  await sleep(200)
  const added = await writer.ask(['XADD', key, '*', 'v', 'hello again'])
  const isMoved = added instanceof Refused && added.word === 'MOVED'
  assert.ok(isMoved || typeof added === 'string', JSON.stringify(added))
  const got = isMoved ? 'MOVED' : await fate
  for (const connection of [waiter, writer]) connection.close()
  return got
}

test('a pop that waited and is asked once more with its producer takes nothing more', {
  timeout: 60_000,
}, async () => {
  await LocalCluster.run({ nodes: 1 }, async cluster => {
    const client = new CommandServiceClient(cluster.grpcAddress(1), credentials.createInsecure())
    const argv = ['BLPOP', 'jobs', '0'].map(word => Buffer.from(word))
    const producer = { producerId: 'worker', epoch: 1, sequence: 1n }
    const pop = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        client.execute({ argv, producer }, (error, answer) =>
          error === null ? resolve(answer.reply) : reject(error),
        )
      })
    const waiting = pop()
    const resp = await Connection.open(cluster.respPort(1))
    const blocked = async (): Promise<boolean> =>
      String(await resp.ask(['INFO', 'clients'])).includes('blocked_clients:1')
    while (!(await blocked())) await sleep(20)
    await resp.ask(['RPUSH', 'jobs', 'a', 'b'])
    const first = await waiting
    assert.deepEqual(await pop(), first)
    assert.deepEqual(await resp.ask(['LRANGE', 'jobs', '0', '-1']), ['b'])
    client.close()
    resp.close()
  })
})
