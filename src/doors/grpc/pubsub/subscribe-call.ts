// One PubSubService.Subscribe: what one client listens to on this node.
//
// Subscriptions are commands of a session at the desk, so they show and end as those of
// RESP do. Messages are handed over in the middle of a publication, wait as shared
// bytes, and leave with the end of the turn. More than the class pubsub may have waiting
// ends the stream: nobody waits for a client that does not read.

import { status as codes } from '@grpc/grpc-js'
import type { NodeId, Slot } from '../../../base/types.ts'
import { OutputGauge } from '../../../broker/output-limits.ts'
import type { Moved } from '../../../broker/pubsub/listener.ts'
import type { Publication } from '../../../broker/pubsub/publication.ts'
import {
  type SubscribeEvent,
  type SubscribeRequest,
  SubscribeResponse,
  SubscriptionKind,
} from '../../../gen/slotcast/v1/pubsub.ts'
import type { SlotMoved } from '../../../gen/slotcast/v1/topology.ts'
import type { Reply } from '../../../machine/reply.ts'
import type { Desk, DeskClient } from '../desk.ts'
import { failureOf } from '../failure.ts'
import * as read from '../mapping/reading.ts'
import { slotMoved } from '../topology.ts'
import type { Words } from '../words.ts'
import { Outlet } from './outlet.ts'
import { encodePublication } from './publications.ts'
import { heartbeatOf, type Operation, operationsOf, writeOperation } from './request.ts'

/** What may wait where CONFIG sets no limit. */
const WAITING_BYTES_MAX = 256 * 1024 * 1024
/** How long a frame may be under way: as long as RESP waits for a write. */
const WRITE_STALL_MS = 60_000
const MS_PER_SECOND = 1_000
const NANOS_PER_MS = 1_000_000

/** The part of grpc-js' call that is used here; frames to the client are bytes. */
export interface SubscribeChannel {
  on(event: 'data', listener: (frame: SubscribeRequest) => void): unknown
  on(event: 'end' | 'cancelled' | 'error', listener: () => void): unknown
  write(frame: Buffer, written: () => void): unknown
  end(): unknown
  /** Ends the call with the error's `code` and `details`. */
  emit(event: 'error', error: Error): unknown
  pause(): unknown
  resume(): unknown
}

/** What all calls of a door share. The words hold nothing between two commands. */
export type SubscribeTools = {
  readonly desk: Desk
  readonly words: Words
  readonly nodeName: string
  /** The call has something to send at the end of the turn. */
  gathered(call: SubscribeCall): void
  /** A client is cut off because too much waits for it. */
  slow(address: string, reason: string): void
  /** Monotonic milliseconds. */
  now(): number
}

export class SubscribeCall implements DeskClient {
  readonly #channel: SubscribeChannel
  readonly #tools: SubscribeTools
  readonly #address: string
  readonly #session: unknown
  readonly #outlet: Outlet
  readonly #gauge = new OutputGauge()
  #heartbeat: NodeJS.Timeout | null = null
  #opened = false
  /** Frames were sent since the last beat. */
  #sent = false
  /** Since when one frame is under way, at the last beats; 0: it is not. */
  #stalledSince = 0
  /** What the desk has yet to take, in order, from `#nextOperation` on. */
  #operations: Operation[] = []
  #nextOperation = 0
  readonly #owed = new Map<number, Operation>()
  #ticket = 0
  #held = false
  /** Subscriptions: to channels and patterns, and to sharded channels. */
  #names = 0
  #shardedNames = 0
  #isGathered = false
  /** The client has sent its last frame. */
  #halfClosed = false
  /** The last frame was made; the call ends when it is sent. */
  #leaving = false
  #disconnected = false
  #ended = false

  constructor(
    channel: SubscribeChannel,
    tools: SubscribeTools,
    address: string,
    localAddress: string,
  ) {
    this.#channel = channel
    this.#tools = tools
    this.#address = address
    this.#outlet = new Outlet(channel, () => this.flush())
    this.#session = tools.desk.connect(this, {
      ...{ door: 'grpc', ordered: false },
      ...{ address, localAddress },
    })
    channel.on('data', frame => this.#receive(frame))
    channel.on('end', () => {
      this.#halfClosed = true
      this.#gather()
      this.flush()
    })
    channel.on('cancelled', () => this.#leave())
    channel.on('error', () => this.#leave())
  }

  /** Ends all subscriptions, and the call when the client has what waits. */
  finish(reason: string): void {
    if (this.#leaving || this.#ended) return
    this.#leaving = true
    this.#disconnect()
    this.#push({ events: [], opened: undefined, goAway: { reason } })
    this.flush()
  }

  /** Ends the call with a status; what waits is lost. */
  fail(code: codes, details: string): void {
    if (this.#ended) return
    this.#leave()
    this.#channel.emit('error', Object.assign(new Error(details), { code, details }))
  }

  // What the client sends.

  #receive(frame: SubscribeRequest): void {
    if (this.#ended || this.#leaving) return
    const fault = this.#open(frame)
    const operations = fault ?? operationsOf(frame.changes)
    if (typeof operations === 'string') {
      this.fail(codes.INVALID_ARGUMENT, operations)
      return
    }
    for (const operation of operations) this.#operations.push(operation)
    this.#operate()
    // What was answered at once need not wait for a turn.
    this.flush()
  }

  #open({ open }: SubscribeRequest): string | null {
    if (open === undefined) return this.#opened ? null : 'the first frame has no open'
    if (this.#opened) return 'a frame that is not the first has open'
    const heartbeatMs = heartbeatOf(open)
    if (typeof heartbeatMs === 'string') return heartbeatMs
    this.#opened = true
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs / 2)
    this.#heartbeat.unref()
    const heartbeat = {
      seconds: BigInt(Math.floor(heartbeatMs / MS_PER_SECOND)),
      nanos: (heartbeatMs % MS_PER_SECOND) * NANOS_PER_MS,
    }
    const opened = { nodeId: this.#tools.nodeName, heartbeat }
    this.#push({ events: [], opened, goAway: undefined })
    return null
  }

  /** Hands subscriptions to the desk, as far as it takes them. */
  #operate(): void {
    const { desk, words } = this.#tools
    while (!this.#held && !this.#ended && !this.#leaving) {
      const operation = this.#operations[this.#nextOperation]
      if (operation === undefined) {
        this.#operations = []
        this.#nextOperation = 0
        break
      }
      this.#nextOperation += 1
      this.#ticket += 1
      this.#owed.set(this.#ticket, operation)
      const fault = writeOperation(words, operation)
      if (fault !== null) this.answer(this.#ticket, { kind: 'error', text: `ERR ${fault}` })
      else if (!desk.execute(this.#session, words.argv, this.#ticket, null)) this.#held = true
    }
    if (this.#ended) return
    // What is not done yet holds the client back.
    if (this.#held) this.#channel.pause()
    else this.#channel.resume()
  }

  // What the desk says.

  answer(ticket: number, reply: Reply): void {
    const operation = this.#owed.get(ticket)
    this.#owed.delete(ticket)
    if (operation === undefined || this.#leaving || this.#ended) return
    const { kind, begins, name } = operation
    if (reply.kind === 'error') {
      this.#tell({
        $case: 'refused',
        value: { kind, name, reason: failureOf(this.#tools.desk, reply) },
      })
      return
    }
    const count = reply.kind === 'pushes' ? reply.pushes[0]?.[2] : undefined
    const subscriptions = read.count(count ?? { kind: 'integer', value: 0 })
    if (kind === SubscriptionKind.SUBSCRIPTION_KIND_SHARDED)
      this.#shardedNames = Number(subscriptions)
    else this.#names = Number(subscriptions)
    this.#tell({ $case: begins ? 'started' : 'ended', value: { kind, name, subscriptions } })
  }

  resume(): void {
    this.#held = false
    this.#operate()
    this.#gather()
  }

  close(reason: string): void {
    // Called by the desk, which must not be called back from here.
    setImmediate(() => this.finish(reason))
  }

  deliver(publication: Publication): void {
    if (this.#leaving || this.#ended) return
    if (publication.grpc.length === 0)
      publication.grpc = encodePublication(publication, this.#nameOf(publication.origin))
    this.#outlet.push(publication.grpc)
    this.#gather()
    this.#checkLimit()
  }

  moved({ channel, slot, left }: Moved): void {
    if (this.#leaving || this.#ended) return
    this.#shardedNames = left
    const name = Buffer.from(channel, 'latin1')
    this.#tell({ $case: 'moved', value: { channel: name, moved: this.#placeOf(slot) } })
  }

  buffers(): { readonly input: number; readonly output: number } {
    return { input: 0, output: this.#outlet.bytes }
  }

  #nameOf(node: NodeId): string {
    return this.#tools.desk.map().nodes.get(node)?.name ?? ''
  }

  /** Where `slot` is now. A leader that is this node is none: it serves the slot no longer, or not yet. */
  #placeOf(slot: Slot): SlotMoved | undefined {
    const { desk, nodeName } = this.#tools
    const map = desk.map()
    for (const shard of map.shards.values()) {
      if (!shard.ranges.some(({ first, last }) => first <= slot && slot <= last)) continue
      const known = desk.leaderOf(shard.id)
      const leader = this.#nameOf(known) === nodeName ? 0 : known
      return slotMoved(desk, { kind: 'MOVED', slot, epoch: map.epoch, shard: shard.id, leader })
    }
    return undefined
  }

  // What goes out.

  #tell(event: SubscribeEvent['event']): void {
    this.#push({ events: [{ event }], opened: undefined, goAway: undefined })
    this.#checkLimit()
  }

  #push(frame: SubscribeResponse): void {
    const bytes = SubscribeResponse.encode(frame).finish()
    this.#outlet.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
    this.#gather()
  }

  #gather(): void {
    if (this.#isGathered || this.#ended) return
    this.#isGathered = true
    this.#tools.gathered(this)
  }

  /** Sends what gathered, as far as the client takes it. */
  flush(): void {
    this.#isGathered = false
    if (this.#ended) return
    if (this.#outlet.flush()) this.#sent = true
    this.#endIfDone()
  }

  #beat(): void {
    if (!this.#checkLimit()) return
    const now = this.#tools.now()
    if (!this.#outlet.isWriting) this.#stalledSince = 0
    else if (this.#sent || this.#stalledSince === 0) this.#stalledSince = now
    else if (now - this.#stalledSince > WRITE_STALL_MS) {
      this.#cut('a frame was under way for too long')
      return
    }
    if (!this.#sent) this.#outlet.beat()
    this.#sent = false
  }

  /** Whether more may wait for this client. If not, it is cut off. */
  #checkLimit(): boolean {
    const { bytes } = this.#outlet
    const reason =
      bytes > WAITING_BYTES_MAX
        ? `more than any client may have (${WAITING_BYTES_MAX})`
        : this.#gauge.excess(this.#tools.desk.settings.outputLimits.pubsub, bytes, this.#tools.now)
    if (reason === null) return true
    this.#cut(`messages piled up: ${bytes} bytes wait, ${reason}`)
    return false
  }

  #cut(reason: string): void {
    if (this.#ended) return
    this.#tools.slow(this.#address, reason)
    this.#leave(true)
    // A publication, or an answer of the desk, may be under way.
    setImmediate(() => {
      const details = `the client does not read: ${reason}`
      const code = codes.RESOURCE_EXHAUSTED
      this.#channel.emit('error', Object.assign(new Error(details), { code, details }))
    })
  }

  #endIfDone(): void {
    const isOwed = this.#owed.size > 0 || this.#operations.length > 0
    const isDeaf = this.#names + this.#shardedNames === 0
    if (this.#halfClosed && isDeaf && !isOwed) this.#leaving = true
    if (!this.#leaving || !this.#outlet.isEmpty) return
    this.#leave()
    this.#channel.end()
  }

  /** @param later the desk is at work and may not be called: all but the subscriptions end now */
  #leave(later = false): void {
    if (this.#ended) return
    this.#ended = true
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    this.#outlet.clear()
    if (later) setImmediate(() => this.#disconnect())
    else this.#disconnect()
  }

  #disconnect(): void {
    if (this.#disconnected) return
    this.#disconnected = true
    this.#tools.desk.disconnect(this.#session)
  }
}
