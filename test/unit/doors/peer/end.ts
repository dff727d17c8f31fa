// One end of a link for tests: a peer door whose listener keeps what it is told, and waits for it.

import { createServer } from 'node:net'
import type { LogFields, Logger } from '../../../../src/base/log.ts'
import { Metrics } from '../../../../src/base/metrics.ts'
import type { PeerIdentity } from '../../../../src/doors/peer/hello.ts'
import { PeerDoor } from '../../../../src/doors/peer/server.ts'
import type { Message } from '../../../../src/raft/message.ts'
import type { Envelope } from '../../../../src/replica/ports.ts'

export type Heard = { readonly from: number; readonly envelope: Envelope }

export class End {
  readonly door: PeerDoor
  readonly heard: Heard[] = []
  readonly events: string[] = []
  readonly warnings: string[] = []
  readonly #waits: { holds: () => boolean; resolve: () => void }[] = []

  constructor(
    id: number,
    ports: readonly number[],
    identity: Partial<PeerIdentity> = {},
    bufferBytesMax = 1 << 20,
  ) {
    const told = (event: string): void => {
      this.events.push(event)
      this.#look()
    }
    const logger: Logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: (fields: LogFields) => {
        this.warnings.push(String(Object.values(fields).at(-1)))
        this.#look()
      },
      error: () => undefined,
      child: () => logger,
    }
    this.door = new PeerDoor({
      listener: {
        receive: (from, envelope) => {
          this.heard.push({ from, envelope })
          this.#look()
        },
        up: peer => told(`up ${peer}`),
        down: peer => told(`down ${peer}`),
        unreachable: peer => told(`unreachable ${peer}`),
      },
      identity: {
        id,
        incarnation: `incarnation ${id}`,
        clusterName: 'test',
        fingerprint: 'f',
        incarnationOf: () => null,
        ...identity,
      },
      listen: { host: '127.0.0.1', port: ports[id - 1] ?? 0 },
      peers: ports.map((port, i) => ({ id: i + 1, host: '127.0.0.1', port })),
      bufferBytesMax,
      logger,
      metrics: new Metrics(),
    })
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.door.open(error => (error === null ? resolve() : reject(error)))
    })
  }

  close(): Promise<void> {
    return new Promise(resolve => this.door.close(resolve))
  }

  /** Resolves when `holds` does; it is asked after each event. */
  until(holds: () => boolean): Promise<void> {
    return new Promise(resolve => {
      this.#waits.push({ holds, resolve })
      this.#look()
    })
  }

  #look(): void {
    for (const wait of this.#waits) if (wait.holds()) wait.resolve()
  }
}

/** Ports of 127.0.0.1 that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>(resolve => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  return Promise.all(
    servers.map(
      server =>
        new Promise<number>(resolve => {
          const address = server.address()
          server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
        }),
    ),
  )
}

/** An envelope of one append; its index tells it from others. */
export function append(index: number, data = Buffer.from(`entry ${index}`)): Envelope {
  const message: Message = {
    type: 'append',
    from: 1,
    to: 2,
    term: 1,
    logTerm: 1,
    index,
    entries: [{ term: 1, index: index + 1, kind: 'normal', data }],
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    snapshot: null,
    context: null,
    responses: [],
  }
  return {
    messages: [{ shard: 1, message }],
    chunks: [],
    acks: [],
    leads: [],
    facts: Buffer.alloc(0),
    pubsub: Buffer.alloc(0),
  }
}
