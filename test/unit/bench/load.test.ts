// The load of `slotcast bench` against servers that answer as a cluster does: in pieces, elsewhere, with errors.

import assert from 'node:assert/strict'
import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { Argv } from '../../../src/base/argv.ts'
import { sessionProtocol } from '../../../src/bench-grpc.ts'
import { type LoadOptions, runLoad } from '../../../src/bench-load.ts'
import { respProtocol } from '../../../src/bench-resp.ts'
import { CarryBudget, COMMAND, Decoder } from '../../../src/doors/resp/decoder.ts'
import {
  type CallResult,
  CommandServiceService,
  type SessionRequest,
  type SessionResponse,
} from '../../../src/gen/slotcast/v1/command_service.ts'

const COUNT = 500
const ID = '1700000000000-7'

const OPTIONS: Omit<LoadOptions, 'address' | 'protocol'> = {
  mix: 'xadd',
  clients: 2,
  pipeline: 8,
  frame: 4,
  valueBytes: 128,
  keys: 3,
  keyPrefix: 'k',
  warmUpSeconds: 0,
  seconds: 30,
  count: COUNT,
  rate: 0,
}

/** Answers each command by `answer`, a few bytes at a time. */
function respServer(
  answer: (words: string[]) => string,
): Promise<{ port: number; server: NetServer }> {
  const server = createServer(socket => {
    socket.setNoDelay(true)
    socket.on('error', () => {})
    serveCommands(socket, answer)
  })
  return new Promise(resolve =>
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve({ server, port: typeof address === 'object' ? (address?.port ?? 0) : 0 })
    }),
  )
}

function serveCommands(socket: Socket, answer: (words: string[]) => string): void {
  let rest = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    rest += text
    let replies = ''
    for (;;) {
      const { words, used } = firstCommand(rest)
      if (words === null) break
      rest = rest.slice(used)
      replies += answer(words)
    }
    // Cut where it hurts: inside of lines and between CR and LF.
    for (let at = 0; at < replies.length; at += 7) socket.write(replies.slice(at, at + 7))
  })
}

function firstCommand(text: string): { words: string[] | null; used: number } {
  const head = /^\*(\d+)\r\n/.exec(text)
  if (head === null) return { words: null, used: 0 }
  let at = head[0].length
  const words: string[] = []
  for (let i = 0; i < Number(head[1]); i += 1) {
    const length = /^\$(\d+)\r\n/.exec(text.slice(at, at + 12))
    if (length === null) return { words: null, used: 0 }
    at += length[0].length
    const end = at + Number(length[1])
    if (end + 2 > text.length) return { words: null, used: 0 }
    words.push(text.slice(at, end))
    at = end + 2
  }
  return { words, used: at }
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`

function clusterAnswer(words: string[]): string {
  switch (words[0]) {
    case 'XADD':
      return bulk(ID)
    case 'XREADGROUP':
      return `*1\r\n*2\r\n${bulk(words[7] ?? '')}*1\r\n*2\r\n${bulk(ID)}*2\r\n${bulk('item')}${bulk('x'.repeat(128))}`
    case 'XACK':
      return words[3] === ID ? ':1\r\n' : '-ERR a wrong ID\r\n'
    case 'XLEN':
      return ':0\r\n'
    default:
      return '+OK\r\n'
  }
}

test('over RESP every command is answered once, wherever its reply is cut', async () => {
  const { server, port } = await respServer(clusterAnswer)
  const result = await runLoad({ ...OPTIONS, protocol: respProtocol, address: `127.0.0.1:${port}` })
  server.close()
  assert.equal(result.errors, 0)
  assert.ok(result.commands >= COUNT)
  assert.equal(result.latencies.get('XADD')?.count, result.commands)
})

test('over RESP the group mix reads and acknowledges the very entry', async () => {
  const { server, port } = await respServer(clusterAnswer)
  const address = `127.0.0.1:${port}`
  const result = await runLoad({ ...OPTIONS, mix: 'group', protocol: respProtocol, address })
  server.close()
  assert.deepEqual([...result.errorTexts], [])
  for (const name of ['XADD', 'XREADGROUP', 'XACK'] as const) {
    assert.ok((result.latencies.get(name)?.count ?? 0) > 0, name)
  }
})

test('a key that moves while it is loaded is followed, and an error is counted and told', async () => {
  const home = await respServer(clusterAnswer)
  let asked = 0
  const away = await respServer(words => {
    // Clients ask for the length before they load, each when its turn comes.
    if (words[0] === 'XLEN') return ':0\r\n'
    asked += 1
    if (asked === 20) return '-TRYAGAIN too much in flight\r\n'
    return asked < 40 ? bulk(ID) : `-MOVED 1 127.0.0.1:${home.port}\r\n`
  })
  const address = `127.0.0.1:${away.port}`
  const result = await runLoad({ ...OPTIONS, protocol: respProtocol, address })
  away.server.close()
  home.server.close()
  assert.ok(result.redirects > 0)
  assert.deepEqual([...result.errorTexts], [['TRYAGAIN too much in flight', 1]])
  assert.ok(result.commands >= COUNT)
})

test('what is sent over RESP is what our own door reads', () => {
  const words = ['XADD', 'orders', '*', 'item', 'x'.repeat(128)].map(word => Buffer.from(word))
  const decoder = new Decoder(new CarryBudget(1 << 20))
  decoder.feed(respProtocol.encode(words))
  assert.equal(decoder.next(), COMMAND)
  const { argv } = decoder
  assert.ok(argv instanceof Argv)
  assert.deepEqual(
    words.map((_, i) => argv.latin1(i)),
    words.map(word => word.latin1Slice()),
  )
})

test('over a Session results, redirects and errors each reach their command', async () => {
  const server = new Server()
  let seen = 0
  let port = 0
  const session = (stream: ServerDuplexStream<SessionRequest, SessionResponse>): void => {
    stream.on('data', ({ calls }: SessionRequest) => {
      const results = calls.map(({ tag, argv }): CallResult => {
        seen += 1
        if (argv[0]?.toString() === 'XLEN') return done(tag, 0)
        if (seen === 30) return { tag, outcome: { $case: 'error', value: failure } }
        return seen === 50 ? elsewhere(tag, port) : done(tag, ID)
      })
      stream.write({ results: results.reverse(), configEpoch: 1n })
    })
    stream.on('end', () => stream.end())
    stream.on('error', () => {})
  }
  const { session: method } = CommandServiceService
  server.addService({ session: method }, { session })
  port = await new Promise<number>(resolve =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, at) => resolve(at)),
  )
  const address = `127.0.0.1:${port}`
  const result = await runLoad({ ...OPTIONS, protocol: sessionProtocol, address })
  server.forceShutdown()
  assert.equal(result.redirects, 1)
  assert.deepEqual([...result.errorTexts], [['OOM too little', 1]])
  assert.ok(result.commands >= COUNT)
})

const failure = { code: 'OOM', text: 'OOM too little', retryDelay: undefined }

function done(tag: bigint, value: string | number): CallResult {
  const kind =
    typeof value === 'string'
      ? { $case: 'bulk' as const, value: Buffer.from(value) }
      : { $case: 'integer' as const, value: BigInt(value) }
  return { tag, outcome: { $case: 'reply', value: { kind } } }
}

function elsewhere(tag: bigint, port: number): CallResult {
  const text = `MOVED 1 127.0.0.1:${port}`
  return { tag, outcome: { $case: 'redirect', value: { text, moved: undefined } } }
}
