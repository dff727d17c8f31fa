// One GroupService.Consume to one node: streams and deeds out, gathered for a turn; entries and settlements in.

import type { ChannelCredentials } from '@grpc/grpc-js'
import {
  type ConsumeOpen,
  ConsumeRequest,
  type ConsumeResponse,
  NackMode,
} from '../../gen/slotcast/v1/consume.ts'
import { GroupServiceService } from '../../gen/slotcast/v1/group_service.ts'
import { BeatingCall } from '../session/beating-call.ts'
import type { Batch } from './ledger.ts'

export interface ConsumeCallHost {
  /** The turn ends: what is to be said may be added to the frame. */
  gather(call: ConsumeCall): void
  received(call: ConsumeCall, frame: ConsumeResponse): void
  /** Told once. */
  broke(call: ConsumeCall, reason: Error): void
}

export class ConsumeCall {
  readonly address: string
  /** Streams that it serves. */
  readonly streams = new Set<string>()
  /** Tags of deeds that it owes. */
  readonly owed = new Set<bigint>()
  /** Entries that the node may send, or has sent and the application has not done with. */
  granted = 0
  /** The same in bytes, if they are counted. */
  grantedBytes = 0
  /** The node delivers nothing any more. */
  isLeaving = false
  readonly #host: ConsumeCallHost
  readonly #call: BeatingCall<ConsumeRequest, ConsumeResponse>
  #frame: ConsumeRequest
  #isDirty = true
  #isScheduled = false

  constructor(
    address: string,
    host: ConsumeCallHost,
    open: ConsumeOpen,
    heartbeatMs: number,
    secrets: ChannelCredentials | null,
  ) {
    this.address = address
    this.#host = host
    this.#call = new BeatingCall(address, secrets, GroupServiceService.consume, heartbeatMs, {
      received: frame => host.received(this, frame),
      broke: reason => host.broke(this, reason),
    })
    this.#frame = { ...ConsumeRequest.fromPartial({}), open }
  }

  add(stream: string, key: Buffer, resumeToken: Buffer): void {
    this.streams.add(stream)
    this.#frame.add.push({ key, resumeToken, onlyNew: false })
    this.touch()
  }

  grant(entries: number, bytes: number): void {
    this.granted += entries
    this.grantedBytes += bytes
    const before = this.#frame.credit
    this.#frame.credit = {
      entries: (before?.entries ?? 0n) + BigInt(entries),
      bytes: (before?.bytes ?? 0n) + BigInt(bytes),
    }
    this.#isDirty = true
  }

  tell(tag: bigint, key: Buffer, { deed, ids }: Batch): void {
    this.owed.add(tag)
    this.#isDirty = true
    if (deed === 'ack') this.#frame.acks.push({ tag, key, ids })
    else if (deed === 'touch') this.#frame.claims.push({ tag, key, ids, minIdle: undefined })
    else this.#frame.nacks.push({ tag, key, ids, mode: MODES[deed] })
  }

  /** The application is done with an entry, or never had it. */
  giveBack(bytes: number): void {
    this.granted -= 1
    this.grantedBytes -= bytes
    this.schedule()
  }

  /** There is something to say with the end of the turn. */
  touch(): void {
    this.#isDirty = true
    this.schedule()
  }

  schedule(): void {
    if (this.#isScheduled || this.#call.isOver) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (this.#call.isOver) return
      this.#host.gather(this)
      if (!this.#isDirty) return
      this.#call.write(this.#frame)
      this.#frame = ConsumeRequest.fromPartial({}) as ConsumeRequest
      this.#isDirty = false
    })
  }

  close(): void {
    this.#call.close()
  }
}

const MODES = {
  'nack-silent': NackMode.NACK_MODE_SILENT,
  'nack-fail': NackMode.NACK_MODE_FAIL,
  'nack-fatal': NackMode.NACK_MODE_FATAL,
} as const
