// One stream of a Consume call: first the group is made, where that is wanted, then what the consumer has
// pending is replayed, then new entries are waited for.
//
// It has a session at the desk to itself, so that its wait can be forgotten alone.
// An answer must not call the desk back: the call asks on at the end of the turn.

import type { ConsumedEntries, ConsumedEntry } from '../../../gen/slotcast/v1/consume.ts'
import type { ErrorReply, Reply } from '../../../machine/reply.ts'
import type { Desk, DeskClient, DeskSessionOptions } from '../desk.ts'
import * as read from '../mapping/reading.ts'
import { errorWord } from '../status.ts'
import type { Words } from '../words.ts'
import { NO_SHARE, type Share } from './credit.ts'

/** How all streams of a call are consumed. */
export type Manner = {
  readonly group: Uint8Array
  readonly consumer: Uint8Array
  /** Milliseconds; null: entries of others are not taken over. */
  readonly claimMinIdle: bigint | null
  readonly noAck: boolean
  /** null: a missing group is an error. */
  readonly createFrom: string | null
}

/** The call, as far as a reader tells it. */
export interface ReaderHost {
  /** The reader asks for nothing any more until `ask`. `found` is empty where there was nothing. */
  brought(reader: StreamReader, found: ConsumedEntries, bytes: number): void
  failed(reader: StreamReader, reply: ErrorReply): void
  /** The desk ends the session. */
  closed(reason: string): void
}

type Step = 'create' | 'replay' | 'live'

/** What an entry costs beside its fields, in bytes of credit. */
const ENTRY_BYTES = 32
const BUSY_GROUP = 'BUSYGROUP'

export class StreamReader implements DeskClient {
  readonly key: Buffer
  /** What it took of the credit while it asks. */
  share: Share = NO_SHARE
  readonly #host: ReaderHost
  readonly #desk: Desk
  readonly #manner: Manner
  readonly #session: unknown
  #step: Step
  /** Up to this ID the client has what was delivered; replay goes on after it. */
  #token: string

  constructor(
    host: ReaderHost,
    desk: Desk,
    options: DeskSessionOptions,
    manner: Manner,
    key: Uint8Array,
    from: { readonly token: string; readonly onlyNew: boolean },
  ) {
    this.#host = host
    this.#desk = desk
    this.#manner = manner
    this.key = Buffer.from(key)
    this.#token = from.token
    // A consumer that never acknowledges has nothing pending.
    this.#afterCreate = from.onlyNew || manner.noAck ? 'live' : 'replay'
    this.#step = manner.createFrom === null ? this.#afterCreate : 'create'
    this.#session = desk.connect(this, options)
  }

  readonly #afterCreate: Step

  /** Whether what it asks next may bring entries. */
  get needsCredit(): boolean {
    return this.#step !== 'create'
  }

  /**
   * Asks for what comes next, at most `share` of it.
   *
   * @param rotateMs how long to wait for something new; 0: until there is
   */
  ask(words: Words, share: Share, rotateMs: number): void {
    this.share = share
    words.begin()
    if (this.#step === 'create') this.#writeCreate(words)
    else this.#writeRead(words, rotateMs)
    const fault = words.finish()
    if (fault !== null) this.answer(0, { kind: 'error', text: `ERR ${fault}` })
    else this.#desk.execute(this.#session, words.argv, 0, null)
  }

  #writeCreate(words: Words): void {
    words.text('XGROUP')
    words.text('CREATE')
    words.bytes(this.key)
    words.bytes(this.#manner.group)
    words.text(this.#manner.createFrom ?? '$')
    words.text('MKSTREAM')
  }

  #writeRead(words: Words, rotateMs: number): void {
    const { group, consumer, claimMinIdle, noAck } = this.#manner
    const isLive = this.#step === 'live'
    words.text('XREADGROUP')
    words.text('GROUP')
    words.bytes(group)
    words.bytes(consumer)
    words.text('COUNT')
    words.number(this.share.entries)
    words.text('MAXSIZE')
    words.number(this.share.bytes)
    if (isLive) {
      words.text('BLOCK')
      words.number(rotateMs)
      if (claimMinIdle !== null) {
        words.text('CLAIM')
        words.number(claimMinIdle)
      }
      if (noAck) words.text('NOACK')
    }
    words.text('STREAMS')
    words.bytes(this.key)
    words.text(isLive ? '>' : this.#token === '' ? '0' : this.#token)
  }

  /** Takes no more part: what it waits for is forgotten. */
  end(): void {
    this.#desk.disconnect(this.#session)
  }

  answer(_ticket: number, reply: Reply): void {
    if (reply.kind === 'error') {
      if (this.#step !== 'create' || errorWord(reply.text) !== BUSY_GROUP) {
        this.#host.failed(this, reply)
        return
      }
    }
    if (this.#step === 'create') {
      this.#step = this.#afterCreate
      this.#host.brought(this, this.#found([]), 0)
      return
    }
    const entries = read.items(streamOf(reply)).map(item => this.#entry(item))
    const last = entries.at(-1)?.entry?.id
    if (this.#step === 'replay') {
      if (last === undefined) this.#step = 'live'
      else this.#token = last
    } else {
      const newest = entries.findLast(({ redelivered }) => !redelivered)
      if (newest?.entry !== undefined) this.#token = newest.entry.id
    }
    this.#host.brought(this, this.#found(entries), entries.reduce(addBytes, 0))
  }

  resume(): void {}

  close(reason: string): void {
    this.#host.closed(reason)
  }

  #found(entries: ConsumedEntry[]): ConsumedEntries {
    return { key: this.key, entries, resumeToken: Buffer.from(this.#token) }
  }

  /** `[id, fields]`, with CLAIM also how long it was idle and how often it was delivered. */
  #entry(item: Reply): ConsumedEntry {
    const entry = read.entry(item)
    const [, , idle, deliveries] = read.items(item)
    if (idle === undefined || deliveries === undefined) {
      const redelivered = this.#step === 'replay'
      return { entry, redelivered, deliveriesBefore: undefined, idleBefore: undefined }
    }
    const idleMs = read.integer(idle)
    const deliveriesBefore = read.count(deliveries)
    const redelivered = deliveriesBefore > 0n || idleMs > 0n
    return { entry, redelivered, deliveriesBefore, idleBefore: read.durationOf(idleMs) }
  }
}

/** The entries of the one stream that was asked for; there are none in a missing answer. */
function streamOf(reply: Reply): Reply | undefined {
  if (read.isNull(reply)) return undefined
  const [first, second] = read.items(reply)
  // Pairs are flat; as an array of arrays, they are not.
  return reply.kind === 'pairs' || reply.kind === 'map' ? second : read.items(first)[1]
}

function addBytes(sum: number, { entry }: ConsumedEntry): number {
  let bytes = sum + ENTRY_BYTES
  for (const { name, value } of entry?.fields ?? []) bytes += name.length + value.length
  return bytes
}
