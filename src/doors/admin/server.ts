// The HTTP door: health, metrics and the map for operators and their machines, streams for browsers and curl.
//
//   GET /healthz      200 while the process lives
//   GET /readyz       200 when the node serves, else 503 with the reason
//   GET /metrics      Prometheus
//   GET /v1/topology  the map and the leaders, as JSON
//   /v1/streams/...   streams.ts

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { OperationalError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { Desk } from './desk.ts'
import { Origins } from './origins.ts'
import { PROMETHEUS_CONTENT_TYPE, prometheusText } from './prometheus.ts'
import { Streams } from './streams.ts'

export type AdminDoorOptions = {
  readonly listen: { readonly host: string; readonly port: number }
  readonly metrics: Metrics
  readonly logger: Logger
  /** Null when the node serves, else why not. */
  readonly ready: () => string | null
  /** A value for JSON. */
  readonly topology: () => unknown
  readonly desk: Desk
  /** Web pages of these origins may use the door; `*`: of all. */
  readonly allowOrigins: readonly string[]
}

/** An idle or slow client is closed after this. */
const REQUEST_TIMEOUT_MS = 10_000
/** Event streams, and a good many others beside them. */
const CONNECTIONS_MAX = 1_256

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json; charset=utf-8'

type Answer = { readonly status: number; readonly type: string; readonly body: string }

export class AdminDoor {
  readonly #options: AdminDoorOptions
  readonly #server: Server
  readonly #streams: Streams
  readonly #origins: Origins

  constructor(options: AdminDoorOptions) {
    this.#options = options
    this.#streams = new Streams(options.desk)
    this.#origins = new Origins(options.allowOrigins)
    options.metrics.gauge({
      name: 'http_event_streams',
      help: 'Clients that follow a stream over HTTP',
      read: () => this.#streams.size,
    })
    this.#server = createServer((request, response) => this.#serve(request, response))
    this.#server.requestTimeout = REQUEST_TIMEOUT_MS
    this.#server.maxConnections = CONNECTIONS_MAX
  }

  /** @param done gets null, or why this node cannot listen there */
  open(done: (error: OperationalError | null) => void): void {
    const { host, port } = this.#options.listen
    const failed = (error: NodeJS.ErrnoException): void => {
      const reason = error.code === 'EADDRINUSE' ? 'the port is in use' : error.message
      done(
        new OperationalError('PORT', `cannot listen for HTTP on ${host}:${port}: ${reason}`, error),
      )
    }
    this.#server.once('error', failed)
    this.#server.listen({ host, port }, () => {
      this.#server.removeListener('error', failed)
      this.#server.on('error', error => {
        this.#options.logger.warn({ reason: error.message }, 'admin door')
      })
      done(null)
    })
  }

  /** Where it listens; for tests that ask for any free port. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  close(done: () => void): void {
    this.#streams.end()
    this.#server.close(() => done())
    this.#server.closeAllConnections()
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    if (!this.#origins.admit(request, response)) return
    if (this.#streams.serve(request, response)) return
    // Nothing else takes a body.
    request.resume()
    const { status, type, body } = this.#answer(request)
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
    })
    response.end(request.method === 'HEAD' ? '' : body)
  }

  #answer(request: IncomingMessage): Answer {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { status: 405, type: TEXT, body: 'only GET and HEAD\n' }
    }
    const path = (request.url ?? '/').split('?')[0]
    switch (path) {
      case '/healthz':
        return { status: 200, type: TEXT, body: 'ok\n' }
      case '/readyz': {
        const reason = this.#options.ready()
        return reason === null
          ? { status: 200, type: TEXT, body: 'ready\n' }
          : { status: 503, type: TEXT, body: `${reason}\n` }
      }
      case '/metrics':
        return {
          status: 200,
          type: PROMETHEUS_CONTENT_TYPE,
          body: prometheusText(this.#options.metrics),
        }
      case '/v1/topology':
        return {
          status: 200,
          type: JSON_TYPE,
          body: `${JSON.stringify(this.#options.topology())}\n`,
        }
      default:
        return { status: 404, type: TEXT, body: `nothing at ${path}\n` }
    }
  }
}
