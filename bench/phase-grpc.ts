// gRPC: XADD by sessions of 64 calls a frame, and unary Append beside an empty grpc-js echo.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import { sessionProtocol } from '../src/bench-grpc.ts'
import { StreamServiceService } from '../src/gen/slotcast/v1/stream_service.ts'
import { type Context, ourContender, startCluster, VALUE_BYTES } from './bench-context.ts'
import { type Contender, compete, cpuOf, type Driven, perSecond } from './contender.ts'
import { OUR_LOAD, ourLoad } from './phase-brokers.ts'
import { least, makeRow } from './report.ts'
import { ratios } from './statistics.ts'

const SESSIONS = 4
const FRAME = 64
const FRAMES_IN_FLIGHT = 8
const AT_LEAST_SESSION = 100_000
const UNARY_CLIENTS = 8
const UNARY_IN_FLIGHT = 8
const AT_LEAST_OF_ECHO = 0.5
const ECHO_PATH = '/bench.Echo/Echo'

const identity = (bytes: Buffer): Buffer => bytes
const ECHO: ServiceDefinition = {
  echo: {
    path: ECHO_PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  },
}

export async function sessionPhase(context: Context): Promise<void> {
  const cluster = await startCluster(context, 'session')
  try {
    const key = 'bench-session'
    const options = {
      ...OUR_LOAD,
      protocol: sessionProtocol,
      clients: SESSIONS,
      pipeline: FRAME * FRAMES_IN_FLIGHT,
      frame: FRAME,
      keyPrefix: key,
    }
    const ours = await ourContender(cluster, key, (seconds, { grpc }) =>
      ourLoad({ ...options, address: `127.0.0.1:${grpc}`, seconds }),
    )
    const [own = []] = await compete([ours], context.plan)
    context.row(
      makeRow({
        phase: 'session',
        what: `XADD, ${FRAME} a frame`,
        unit: '/s',
        ours: perSecond(own),
        judged: perSecond(own),
        bound: least(AT_LEAST_SESSION),
        cpu: cpuOf(own),
      }),
    )
  } finally {
    await cluster.stop()
  }
}

export async function unaryPhase(context: Context): Promise<void> {
  const cluster = await startCluster(context, 'unary')
  const echo = fork(fileURLToPath(import.meta.url), ['echo'])
  try {
    const [echoPort] = (await once(echo, 'message')) as [number]
    const key = 'bench-unary'
    const { append } = StreamServiceService
    const request = append.requestSerialize({
      key: Buffer.from(key),
      id: '',
      fields: [{ name: Buffer.from('item'), value: Buffer.alloc(VALUE_BYTES, 'x') }],
      noCreate: false,
      trim: undefined,
      producer: undefined,
      idempotence: undefined,
    })
    const contenders = [
      await ourContender(cluster, key, (seconds, { grpc }) =>
        unaryLoad(grpc, append.path, request)(seconds),
      ),
      echoContender(echo, unaryLoad(echoPort, ECHO_PATH, request)),
    ]
    const [own = [], other = []] = await compete(contenders, context.plan)
    context.row(
      makeRow({
        phase: 'unary',
        what: `Append, ${UNARY_CLIENTS * UNARY_IN_FLIGHT} in flight : empty echo`,
        unit: '/s',
        ours: perSecond(own),
        peer: perSecond(other),
        judged: ratios(perSecond(own), perSecond(other)),
        bound: least(AT_LEAST_OF_ECHO),
        cpu: { ...cpuOf(own), ...cpuOf(other, 'peer ') },
      }),
    )
  } finally {
    echo.kill('SIGKILL')
    await cluster.stop()
  }
}

function echoContender(
  child: ChildProcess,
  drive: (seconds: number) => Promise<Driven>,
): Contender {
  return {
    name: 'echo',
    processes: () => [{ name: 'echo', pid: child.pid ?? 0 }],
    drive,
    hold: () => child.kill('SIGSTOP'),
    release: () => child.kill('SIGCONT'),
  }
}

/** Calls of one method, as many in flight as answers allow. */
function unaryLoad(port: number, path: string, request: Buffer) {
  return async (seconds: number): Promise<Driven> => {
    const from = performance.now()
    const until = from + seconds * 1000
    const loads = Array.from({ length: UNARY_CLIENTS }, () =>
      unaryClient(port, path, request, until),
    )
    const commands = (await Promise.all(loads)).reduce((sum, count) => sum + count, 0)
    return { commands, seconds: (performance.now() - from) / 1000 }
  }
}

async function unaryClient(
  port: number,
  path: string,
  request: Buffer,
  until: number,
): Promise<number> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  })
  let answered = 0
  const one = (resolve: () => void, reject: (error: Error) => void): void => {
    client.makeUnaryRequest(path, identity, identity, request, error => {
      if (error !== null) return reject(error)
      answered += 1
      if (performance.now() < until) one(resolve, reject)
      else resolve()
    })
  }
  await Promise.all(Array.from({ length: UNARY_IN_FLIGHT }, () => new Promise<void>(one)))
  client.close()
  return answered
}

/** The empty echo, a process of its own like a node. */
function serveEcho(): void {
  const server = new Server()
  const answer = Buffer.from('1')
  const echo = (_call: unknown, callback: (error: null, value: Buffer) => void): void =>
    callback(null, answer)
  server.addService(ECHO, { echo })
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_error, port) => {
    process.send?.(port)
  })
  process.on('disconnect', () => process.exit(0))
}

if (process.argv[2] === 'echo' && process.argv[1] === fileURLToPath(import.meta.url)) serveEcho()
