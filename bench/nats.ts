// NATS JetStream as a contender: three servers, one stream of three replicas on file, publish with acknowledgement.
//
// The client is as little as the protocol allows: PUB with a reply subject, and a
// count of the acknowledgements. https://docs.nats.io/reference/reference-protocols/nats-protocol

import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { freePortBase, isInstalled, pause, Service } from './processes.ts'

const SERVERS = 3
const START_SECONDS = 30
const STREAM = 'BENCH'
const SUBJECT = 'bench.orders'
/** A publish without an answer for so long is lost: JetStream says nothing of those it dropped. */
const ANSWER_MS = 500
const CRLF = Buffer.from('\r\n')

export const hasNats = (): boolean => isInstalled('nats-server')

export class NatsCluster {
  readonly #services: Service[] = []
  #portBase = 0
  /** Where the stream's leader is: publishing there saves a hop. */
  leader = 0

  static async start(directory: string): Promise<NatsCluster> {
    const cluster = new NatsCluster()
    cluster.#portBase = await freePortBase([0, 1, 2, 10, 11, 12])
    const routes = Array.from(
      { length: SERVERS },
      (_, i) => `nats://127.0.0.1:${cluster.#portBase + 10 + i}`,
    )
    for (let i = 0; i < SERVERS; i += 1) {
      const home = join(directory, `nats${i}`)
      mkdirSync(home, { recursive: true })
      const file = join(home, 'server.conf')
      writeFileSync(
        file,
        [
          `server_name: s${i}`,
          `listen: 127.0.0.1:${cluster.#portBase + i}`,
          `jetstream { store_dir: ${JSON.stringify(home)} }`,
          `cluster { name: bench, listen: 127.0.0.1:${cluster.#portBase + 10 + i}, routes: ${JSON.stringify(routes)} }`,
        ].join('\n'),
      )
      cluster.#services.push(new Service(`nats-server ${i}`, 'nats-server', ['-c', file]))
    }
    await cluster.#services[0]?.until(() => cluster.#makeStream(), START_SECONDS)
    return cluster
  }

  pids(): number[] {
    return this.#services.map(({ pid }) => pid)
  }

  port(server: number): number {
    return this.#portBase + server
  }

  async #makeStream(): Promise<boolean> {
    const config = {
      name: STREAM,
      subjects: [SUBJECT],
      num_replicas: 3,
      storage: 'file',
      retention: 'limits',
    }
    try {
      await natsRequest(this.port(0), `$JS.API.STREAM.CREATE.${STREAM}`, config)
      const info = await natsRequest(this.port(0), `$JS.API.STREAM.INFO.${STREAM}`, {})
      const { cluster } = JSON.parse(info) as {
        cluster?: { leader?: string; replicas?: { current: boolean }[] }
      }
      if (cluster?.leader === undefined || !cluster.replicas?.every(({ current }) => current))
        return false
      this.leader = Number(cluster.leader.slice(1))
      return true
    } catch {
      await pause(200)
      return false
    }
  }

  async stop(): Promise<void> {
    for (const service of this.#services) service.child.kill('SIGCONT')
    await Promise.all(this.#services.map(service => service.stop()))
  }
}

/** One request; resolves with the answer. */
function natsRequest(port: number, subject: string, body: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const payload = JSON.stringify(body)
    const connection = new NatsConnection(port, '_INBOX.ask', answer => {
      connection.close()
      resolve(answer.toString())
    })
    connection.failed = reject
    connection.write(natsPublish(subject, '_INBOX.ask', Buffer.from(payload)))
    setTimeout(() => {
      connection.close()
      reject(new Error('NATS does not answer'))
    }, 3000)
  })
}

export function natsPublish(subject: string, reply: string, payload: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`PUB ${subject} ${reply} ${payload.length}\r\n`),
    payload,
    CRLF,
  ])
}

class NatsConnection {
  readonly #socket: Socket
  readonly #took: (payload: Buffer) => void
  #rest: Buffer = Buffer.alloc(0)
  failed: (error: Error) => void = () => {}
  /** After each piece of input. */
  read: () => void = () => {}

  constructor(port: number, inbox: string, took: (payload: Buffer) => void) {
    this.#took = took
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('error', error => this.failed(error))
    this.#socket.on('data', bytes => this.#parse(bytes as Buffer))
    this.#socket.write(`CONNECT {"verbose":false,"pedantic":false}\r\nSUB ${inbox} 1\r\n`)
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  close(): void {
    this.#socket.destroy()
  }

  #parse(bytes: Buffer): void {
    const input = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    let at = 0
    for (;;) {
      const end = input.indexOf(CRLF, at)
      if (end < 0) break
      const line = input.latin1Slice(at, end)
      if (line.startsWith('MSG ')) {
        const length = Number(line.slice(line.lastIndexOf(' ') + 1))
        if (end + 4 + length > input.length) break
        this.#took(input.subarray(end + 2, end + 2 + length))
        at = end + 4 + length
        continue
      }
      if (line === 'PING') this.#socket.write('PONG\r\n')
      else if (line.startsWith('-ERR')) this.failed(new Error(line))
      at = end + 2
    }
    this.#rest = input.subarray(at)
    this.read()
  }
}

/** Publishes of the stream's subject, as many in flight as asked, for so long. @returns how many were acknowledged */
export async function natsLoad(
  port: number,
  connections: number,
  inFlight: number,
  payload: Buffer,
  seconds: number,
): Promise<number> {
  const until = performance.now() + seconds * 1000
  const loads = Array.from({ length: connections }, (_, i) =>
    natsClientLoad(port, `_INBOX.b${i}`, inFlight, payload, until),
  )
  return (await Promise.all(loads)).reduce((sum, count) => sum + count, 0)
}

function natsClientLoad(
  port: number,
  inbox: string,
  inFlight: number,
  payload: Buffer,
  until: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const message = natsPublish(SUBJECT, inbox, payload)
    let acknowledged = 0
    let owed = 0
    let taken = 0
    const publish = (count: number): void => {
      owed += count
      connection.write(
        count === 1 ? message : Buffer.concat(Array.from({ length: count }, () => message)),
      )
    }
    const connection = new NatsConnection(port, inbox, answer => {
      if (answer.includes('"error"')) {
        connection.close()
        reject(new Error(answer.toString()))
      }
      taken += 1
    })
    connection.failed = reject
    const end = (): void => {
      clearTimeout(patience)
      connection.close()
      resolve(acknowledged)
    }
    // What was lost is not counted, and the load goes on: after a pause the servers elect first.
    const patience = setTimeout(() => {
      patience.refresh()
      if (performance.now() >= until) {
        end()
        return
      }
      owed = 0
      publish(inFlight)
    }, ANSWER_MS)
    connection.read = () => {
      if (taken === 0) return
      patience.refresh()
      owed -= taken
      acknowledged += taken
      const count = taken
      taken = 0
      if (performance.now() < until) publish(count)
      else if (owed === 0) end()
    }
    publish(inFlight)
  })
}
