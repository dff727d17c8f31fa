// One response of Server-Sent Events (HTML, section 9.2): the entries that a feed brings, in order.
//
// The next question is asked when the socket has taken the last answer, so that a client
// that does not read costs one answer of memory. When the stream is led elsewhere the response ends
// with an event `moved`, and the client, which comes again by itself, is sent there.

import type { ServerResponse } from 'node:http'
import type { ErrorReply, Reply } from '../../machine/reply.ts'
import type { Asking } from './asking.ts'
import type { Feed, FeedEvent } from './feed.ts'
import { refusalOf } from './refusal.ts'

/** What a browser waits before it comes again. */
const RETRY_MS = 500
/** A line that means nothing, so that proxies and clients see that the stream lives. */
const BEAT_MS = 15_000
/** How often a feed that had nothing to ask is asked again. */
const AGAIN_MS = 1_000
const BUSY_GROUP = 'BUSYGROUP'

export class EventStream {
  readonly #response: ServerResponse
  readonly #asking: Asking
  readonly #feed: Feed
  /** Path and query, for who is sent elsewhere. */
  readonly #path: string
  readonly #ended: () => void
  #beat: NodeJS.Timeout | null = null
  #again: NodeJS.Timeout | null = null
  #isAsking = false
  #isOver = false

  /** @param ended is called once, however it ends */
  constructor(
    response: ServerResponse,
    asking: Asking,
    feed: Feed,
    path: string,
    ended: () => void,
  ) {
    this.#response = response
    this.#asking = asking
    this.#feed = feed
    this.#path = path
    this.#ended = ended
    response.on('close', () => this.end())
    response.on('error', () => this.end())
    response.on('drain', () => this.#ask())
    this.#open(0)
  }

  /** Somebody acknowledged entries of this group. */
  poke(): void {
    this.#feed.poke()
    this.#ask()
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#beat !== null) clearInterval(this.#beat)
    if (this.#again !== null) clearTimeout(this.#again)
    this.#asking.end()
    this.#response.end()
    this.#ended()
  }

  /** Asks what comes before the first event, from question `i` on. */
  #open(i: number): void {
    const words = this.#feed.opening[i]
    if (words === undefined) {
      this.#begin()
      return
    }
    this.#asking.ask(words, reply => {
      if (reply.kind !== 'error' || reply.text.startsWith(BUSY_GROUP)) this.#open(i + 1)
      else this.#refuse(reply)
    })
  }

  #refuse(reply: ErrorReply): void {
    const { status, headers, error } = refusalOf(reply, this.#path)
    this.#response.writeHead(status, { ...headers, 'content-type': 'application/json' })
    this.#response.write(`${JSON.stringify({ error })}\n`)
    this.end()
  }

  #begin(): void {
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Else a proxy keeps events back until it has a page of them.
      'x-accel-buffering': 'no',
    })
    this.#response.write(`retry: ${RETRY_MS}\n\n`)
    this.#beat = setInterval(() => this.#response.write(':\n\n'), BEAT_MS)
    this.#beat.unref()
    this.#ask()
  }

  #ask(): void {
    const mayAsk = this.#beat !== null && !this.#isAsking && !this.#isOver
    if (!mayAsk || this.#response.writableNeedDrain) return
    const words = this.#feed.next()
    if (words === null) {
      this.#later()
      return
    }
    this.#isAsking = true
    this.#asking.ask(words, reply => this.#take(reply))
  }

  #later(): void {
    if (this.#again !== null) return
    this.#again = setTimeout(() => {
      this.#again = null
      this.poke()
    }, AGAIN_MS)
    this.#again.unref()
  }

  #take(reply: Reply): void {
    this.#isAsking = false
    if (reply.kind === 'error') {
      this.#fail(reply)
      return
    }
    const events = this.#feed.take(reply)
    if (events.length > 0) this.#response.write(events.map(textOf).join(''))
    this.#ask()
  }

  /** The last event: what became of the stream. */
  #fail(reply: ErrorReply): void {
    const { status, location, error } = refusalOf(reply, this.#path)
    const name = status === 307 || status === 503 ? 'moved' : 'failed'
    const data = JSON.stringify(location === null ? { error } : { error, location })
    this.#response.write(`event: ${name}\ndata: ${data}\n\n`)
    this.end()
  }
}

/** JSON has no line ends of its own. */
function textOf(event: FeedEvent): string {
  return `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`
}
