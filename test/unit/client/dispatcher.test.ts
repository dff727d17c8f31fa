// The dispatcher against a node that a test plays: batching, order of retries, redirects, silence, what ends in doubt.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js'
import { Client } from '../../../src/client/client.ts'
import { DeadlineError, InDoubtError } from '../../../src/client/errors.ts'
import { type ClientOptions, settingsOf } from '../../../src/client/options.ts'
import {
  type ClusterServiceServer,
  ClusterServiceService,
} from '../../../src/gen/slotcast/v1/cluster_service.ts'
import {
  type Call,
  type CommandServiceServer,
  CommandServiceService,
  type SessionRequest,
  SessionResponse,
} from '../../../src/gen/slotcast/v1/command_service.ts'
import { Topology } from '../../../src/gen/slotcast/v1/topology.ts'

type Stream = ServerDuplexStream<SessionRequest, SessionResponse>
type Played = {
  readonly port: number
  readonly frames: Call[][]
  readonly asked: { watches: number; questions: number }
  client(options?: Partial<ClientOptions>): Promise<Client>
}

/** Runs `story` with a node that answers each frame by `answer`. */
async function played(
  answer: (stream: Stream, calls: Call[], port: number) => void,
  story: (node: Played) => Promise<void>,
): Promise<void> {
  const frames: Call[][] = []
  const asked = { watches: 0, questions: 0 }
  const clients: Client[] = []
  const server = new Server()
  let port = 0
  const map = () => {
    const grpc = { nodeId: 'n1', host: '127.0.0.1', port }
    const topology = Topology.fromPartial({
      configEpoch: 1n,
      nodes: [{ nodeId: 'n1', grpc }],
      shards: [{ shardId: 1, ranges: [{ first: 0, last: 16_383 }], leaderNodeId: 'n1' }],
    })
    return { topology }
  }
  const cluster: ClusterServiceServer = {
    getTopology: (_call, callback) => {
      asked.questions += 1
      callback(null, map())
    },
    watchTopology: call => {
      asked.watches += 1
      call.write(map())
    },
  }
  server.addService(ClusterServiceService, cluster)
  const commands: CommandServiceServer = {
    execute: (_call, callback) => callback(new Error('not here')),
    session: (stream: Stream) => {
      stream.on('data', ({ calls }: SessionRequest) => {
        frames.push(calls)
        answer(stream, calls, port)
      })
      stream.on('end', () => stream.end())
    },
  }
  server.addService(CommandServiceService, commands)
  port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  const client = async (options: Partial<ClientOptions> = {}): Promise<Client> => {
    const made = new Client(settingsOf({ seeds: [`127.0.0.1:${port}`], ...options }))
    clients.push(made)
    await made.ready()
    return made
  }
  try {
    await story({ port, frames, asked, client })
  } finally {
    await Promise.all(clients.map(each => each.close()))
    server.forceShutdown()
  }
}

function fail(stream: Stream): void {
  stream.emit('error', Object.assign(new Error('gone'), { code: status.UNAVAILABLE }))
}

const wordsOf = (calls: readonly Call[]): string[] => calls.map(({ argv }) => argv.join(' '))

function ok(stream: Stream, calls: readonly Call[]): void {
  const results = calls.map(({ tag, argv }) => ({
    tag,
    outcome: {
      $case: 'reply' as const,
      value: { kind: { $case: 'simple' as const, value: String(argv[1]) } },
    },
  }))
  stream.write(SessionResponse.fromPartial({ results, configEpoch: 1n }))
}

test('calls of one turn leave in frames of at most 64, in order', async () => {
  await played(ok, async ({ client, frames }) => {
    const made = await client()
    const answers = Array.from({ length: 100 }, (_, i) => made.command('SET', i, 'v'))
    assert.deepEqual(
      await Promise.all(answers),
      Array.from({ length: 100 }, (_, i) => String(i)),
    )
    assert.deepEqual(
      frames.map(({ length }) => length),
      [64, 36],
    )
    assert.deepEqual(
      frames.flat().map(({ producer }) => Number(producer?.sequence)),
      Array.from({ length: 100 }, (_, i) => i + 1),
    )
  })
})

test('what a broken session left open is sent again in its order, with its marks', async () => {
  let breaks = 1
  const answer = (stream: Stream, calls: Call[]): void => {
    if (breaks > 0) {
      breaks -= 1
      fail(stream)
    } else ok(stream, calls)
  }
  await played(answer, async ({ client, frames }) => {
    const made = await client()
    const sent = ['a', 'b', 'c'].map(value => made.command('SET', 'k', value))
    await Promise.all(sent)
    assert.deepEqual(wordsOf(frames[1] ?? []), ['SET k a', 'SET k b', 'SET k c'])
    const marks = frames.map(calls => calls.map(({ producer }) => producer))
    assert.deepEqual(marks[1], marks[0])
  })
})

test('without a mark, what may have been done ends in doubt, and what only reads is repeated', async () => {
  let breaks = 1
  const answer = (stream: Stream, calls: Call[]): void => {
    if (breaks > 0) {
      breaks -= 1
      fail(stream)
    } else ok(stream, calls)
  }
  await played(answer, async ({ client, frames }) => {
    const made = await client()
    const write = made.execute(['SET', 'k', 'v'], { marked: false })
    const read = made.execute(['GET', 'k'])
    await assert.rejects(write, InDoubtError)
    assert.equal(await read, 'k')
    assert.deepEqual(frames.map(wordsOf), [['SET k v', 'GET k'], ['GET k']])
  })
})

test('a node that hangs is left after its silence; the write is in doubt, the read is not done', async () => {
  await played(
    () => {},
    async ({ client, asked }) => {
      const made = await client({ silenceMs: 200, deadlineMs: 1_000 })
      const write = made.command('SET', 'k', 'v')
      const read = made.command('GET', 'k')
      await assert.rejects(read, DeadlineError)
      await assert.rejects(write, InDoubtError)
      assert.ok(made.stats.lost >= 1)
      assert.ok(asked.questions <= 6, `${asked.questions} questions for the map`)
    },
  )
})

test('calls that find no route ask for the map once, however many they are', async () => {
  const answer = (stream: Stream, calls: Call[]): void => {
    const results = calls.map(({ tag }) => ({
      tag,
      outcome: {
        $case: 'redirect' as const,
        value: { text: 'MOVED 1 nowhere:1', moved: { slot: 1, configEpoch: 0n, shardId: 1 } },
      },
    }))
    stream.write(SessionResponse.fromPartial({ results, configEpoch: 1n }))
  }
  await played(answer, async ({ client, asked, frames }) => {
    const made = await client({ deadlineMs: 400 })
    const calls = Array.from({ length: 200 }, () => made.command('SET', 'k', 'v'))
    const results = await Promise.allSettled(calls)
    assert.ok(results.every(({ status }) => status === 'rejected'))
    assert.ok(asked.questions <= 4, `${asked.questions} questions`)
    assert.ok(frames.flat().length <= 200 * 12, `${frames.flat().length} calls for 200`)
  })
})
