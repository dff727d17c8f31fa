// Streams over HTTP, for browsers and curl: append, watch, work, acknowledge.
//
// Each request is a client at the desk like any other, so the node that leads the stream serves it, and
// another answers 307 with the address of that one.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { limits } from '../../base/limits.ts'
import type { Reply } from '../../machine/reply.ts'
import { Asking, type Word } from './asking.ts'
import type { Desk } from './desk.ts'
import { textOf } from './entry-json.ts'
import { EventStream } from './event-stream.ts'
import { WatchFeed, WorkFeed } from './feed.ts'
import { refusalOf } from './refusal.ts'
import { fieldsOf, idsOf, readBody } from './request-body.ts'
import { numberIn, type StreamRoute, streamRoute } from './stream-route.ts'

const EVENT_STREAMS_MAX = 1_000
const PREFETCH = 32
const PREFETCH_MAX = 1_000
const DAY_MS = 24 * 3_600 * 1_000
const JSON_TYPE = 'application/json; charset=utf-8'
/** What EventSource sends when it comes again. */
const LAST_ID = 'last-event-id'

type WorkRoute = Extract<StreamRoute, { group: Buffer }>

export class Streams {
  readonly #desk: Desk
  /** Event streams by key and group, to be told of acknowledgements; of those that watch, by key. */
  readonly #open = new Map<EventStream, string>()

  constructor(desk: Desk) {
    this.#desk = desk
  }

  /** Event streams there are. */
  get size(): number {
    return this.#open.size
  }

  /** @returns whether the path is one of these */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const url = request.url ?? '/'
    const route = streamRoute(request.method ?? 'GET', url)
    if (route === null) return false
    if (typeof route === 'string') {
      request.resume()
      refuse(response, 400, route)
      return true
    }
    switch (route.kind) {
      case 'append':
        readBody(request, body => this.#append(request, response, route, body))
        break
      case 'ack':
        readBody(request, body => this.#acknowledge(request, response, route, body))
        break
      default:
        request.resume()
        this.#events(request, response, route)
    }
    return true
  }

  /** Ends all event streams: their clients come again, here or elsewhere. */
  end(): void {
    for (const stream of [...this.#open.keys()]) stream.end()
  }

  #append(
    request: IncomingMessage,
    response: ServerResponse,
    { key, query }: StreamRoute,
    body: unknown,
  ): void {
    const fields = fieldsOf(body)
    if (typeof fields === 'string') {
      refuse(response, 400, fields)
      return
    }
    const most = numberIn(query, 'maxlen', 0, Number.MAX_SAFE_INTEGER, -1)
    if (typeof most === 'string') {
      refuse(response, 400, most)
      return
    }
    const trim = most < 0 ? [] : ['MAXLEN', '~', String(most)]
    const words = ['XADD', key, ...trim, query.get('id') ?? '*', ...fields]
    this.#once(request, response, words, reply => ({ status: 201, body: { id: textOf(reply) } }))
  }

  #acknowledge(
    request: IncomingMessage,
    response: ServerResponse,
    route: StreamRoute,
    body: unknown,
  ): void {
    const { key, group } = route as WorkRoute
    const ids = idsOf(body)
    if (typeof ids === 'string') {
      refuse(response, 400, ids)
      return
    }
    this.#once(request, response, ['XACK', key, group, ...ids], reply => {
      const of = placeOf(key, group)
      for (const [stream, place] of this.#open) if (place === of) stream.poke()
      const acknowledged = reply.kind === 'integer' ? Number(reply.value) : 0
      return { status: 200, body: { acknowledged } }
    })
  }

  /** One command, one answer. */
  #once(
    request: IncomingMessage,
    response: ServerResponse,
    words: readonly Word[],
    answer: (reply: Reply) => { readonly status: number; readonly body: unknown },
  ): void {
    const asking = this.#asking(request)
    response.on('close', () => asking.end())
    asking.ask(words, reply => {
      if (reply.kind === 'error') {
        const { status, headers, error } = refusalOf(reply, request.url ?? '/')
        refuse(response, status, error, headers)
      } else {
        const { status, body } = answer(reply)
        response.writeHead(status, { 'content-type': JSON_TYPE, 'cache-control': 'no-store' })
        response.end(`${JSON.stringify(body)}\n`)
      }
      asking.end()
    })
  }

  #events(request: IncomingMessage, response: ServerResponse, route: StreamRoute): void {
    if (this.#open.size >= EVENT_STREAMS_MAX) {
      refuse(response, 503, `over ${EVENT_STREAMS_MAX} event streams`, { 'retry-after': '1' })
      return
    }
    const { key, query } = route
    const last = request.headers[LAST_ID]
    const after = typeof last === 'string' && last !== '' ? last : query.get('after')
    const feed =
      route.kind === 'watch'
        ? new WatchFeed(key, after ?? '$')
        : workFeed(route as WorkRoute, after ?? '0')
    if (typeof feed === 'string') {
      refuse(response, 400, feed)
      return
    }
    const place = 'group' in route ? placeOf(key, route.group) : placeOf(key, null)
    const asking = this.#asking(request)
    const stream: EventStream = new EventStream(response, asking, feed, request.url ?? '/', () =>
      this.#open.delete(stream),
    )
    this.#open.set(stream, place)
  }

  #asking({ socket }: IncomingMessage): Asking {
    const { remoteAddress, remotePort, localAddress, localPort } = socket
    const remote = `${remoteAddress}:${remotePort}`
    return new Asking(this.#desk, remote, `${localAddress}:${localPort}`)
  }
}

function workFeed({ key, group, query }: WorkRoute, after: string): WorkFeed | string {
  const consumer = query.get('consumer') ?? ''
  if (consumer === '') return 'consumer is required'
  if (Buffer.byteLength(consumer) > limits.keyBytesMax) return 'consumer is too long'
  const prefetch = numberIn(query, 'prefetch', 1, PREFETCH_MAX, PREFETCH)
  if (typeof prefetch === 'string') return prefetch
  const idle = numberIn(query, 'claim_min_idle', 0, DAY_MS, -1)
  if (typeof idle === 'string') return idle
  const claimMinIdle = idle < 0 ? null : idle
  const create = query.get('create')
  return new WorkFeed({ key, group, consumer, prefetch, claimMinIdle, create, after })
}

function placeOf(key: Buffer, group: Buffer | null): string {
  return `${key.toString('latin1')}\n${group === null ? '' : `${group.length}:${group.toString('latin1')}`}`
}

function refuse(
  response: ServerResponse,
  status: number,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { ...headers, 'content-type': JSON_TYPE })
  response.end(`${JSON.stringify({ error })}\n`)
}
