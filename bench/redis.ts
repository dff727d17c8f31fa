// `redis-benchmark` as the load, and a bare `redis-server` as what it is compared with.

import { connect } from 'node:net'
import { freePortBase, isInstalled, run, Service } from './processes.ts'

const START_SECONDS = 10

export const hasRedis = (): boolean => isInstalled('redis-server') && isInstalled('redis-benchmark')

export class RedisServer {
  readonly #service: Service
  readonly port: number

  private constructor(service: Service, port: number) {
    this.#service = service
    this.port = port
  }

  /** Nothing on disk: the fastest it can be. */
  static async start(): Promise<RedisServer> {
    const port = await freePortBase([0])
    const words = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
    ]
    const service = new Service('redis-server', 'redis-server', words)
    await service.until(() => ask(port, ['PING']).then(isPong, () => false), START_SECONDS)
    return new RedisServer(service, port)
  }

  get pid(): number {
    return this.#service.pid
  }

  async stop(): Promise<void> {
    process.kill(this.pid, 'SIGCONT')
    await this.#service.stop()
  }
}

const isPong = (answer: string): boolean => answer.startsWith('+PONG')

export type RedisLoad = {
  readonly port: number
  readonly command: readonly string[]
  readonly clients: number
  readonly pipeline: number
  readonly count: number
}

/** XADD of one field, as all benchmarks write entries. */
export const xadd = (key: string, valueBytes: number): string[] => [
  ...['XADD', key, '*', 'item'],
  'x'.repeat(valueBytes),
]

/** One command again and again, by redis-benchmark. */
export async function redisBenchmark(
  load: RedisLoad,
): Promise<{ perSecond: number; p50Ms: number }> {
  const { port, command, clients, pipeline, count } = load
  const flags = ['-h', '127.0.0.1', '-p', port, '-c', clients, '-P', pipeline, '-n', count, '--csv']
  const out = await run('redis-benchmark', [...flags.map(String), ...command])
  const lines = out.trim().split('\n')
  const cells = (lines.at(-1) ?? '').split('","').map(cell => cell.replaceAll('"', ''))
  const heads = (lines.at(-2) ?? '').split('","').map(cell => cell.replaceAll('"', ''))
  const cell = (name: string): number => Number(cells[heads.indexOf(name)])
  if (!(cell('rps') > 0)) throw new Error(`redis-benchmark says: ${out}`)
  return { perSecond: cell('rps'), p50Ms: cell('p50_latency_ms') }
}

/** Sends one command; resolves with the first bytes of its reply. */
export function ask(port: number, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', reject)
    socket.once('data', bytes => {
      socket.destroy()
      resolve(bytes.toString('latin1'))
    })
    const bulks = words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
    socket.write(`*${words.length}\r\n${bulks.join('')}`)
  })
}
