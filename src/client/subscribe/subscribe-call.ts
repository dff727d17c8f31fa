// One PubSubService.Subscribe to one node: names to listen to out, gathered for a turn; messages in.

import type { ChannelCredentials, ServiceError } from '@grpc/grpc-js'
import {
  type SubscribeRequest,
  type SubscribeResponse,
  type SubscriptionChange,
  SubscriptionKind,
} from '../../gen/slotcast/v1/pubsub.ts'
import { PubSubServiceService } from '../../gen/slotcast/v1/pubsub_service.ts'
import { BeatingCall } from '../session/beating-call.ts'
import type { Topic } from './topic.ts'

/** Bytes of names in one frame, about: nodes take messages of some MiB. */
const FRAME_BYTES_MAX = 512 * 1024

const KINDS = {
  channel: SubscriptionKind.SUBSCRIPTION_KIND_CHANNEL,
  pattern: SubscriptionKind.SUBSCRIPTION_KIND_PATTERN,
  sharded: SubscriptionKind.SUBSCRIPTION_KIND_SHARDED,
} as const

export interface SubscribeCallHost {
  received(call: SubscribeCall, frame: SubscribeResponse): void
  /** Told once. */
  broke(call: SubscribeCall, reason: Error): void
}

export class SubscribeCall {
  readonly address: string
  /** What it carries, or was asked to. */
  readonly topics = new Set<Topic>()
  /** The node's first frame came. */
  isOpen = false
  readonly #call: BeatingCall<SubscribeRequest, SubscribeResponse>
  /** By name: answers that are owed. Only the last one counts. */
  readonly #owed = new Map<string, number>()
  #changes: SubscriptionChange[] = []
  #bytes = 0
  #isScheduled = false

  constructor(
    address: string,
    host: SubscribeCallHost,
    heartbeatMs: number,
    secrets: ChannelCredentials | null,
  ) {
    this.address = address
    this.#call = new BeatingCall(address, secrets, PubSubServiceService.subscribe, heartbeatMs, {
      received: frame => {
        this.isOpen = true
        host.received(this, frame)
      },
      broke: reason => host.broke(this, reason),
    })
    const nanos = Math.round((heartbeatMs % 1_000) * 1e6)
    const heartbeat = { seconds: BigInt(Math.floor(heartbeatMs / 1_000)), nanos }
    this.#call.write({ open: { heartbeat }, changes: [] })
  }

  get isOver(): boolean {
    return this.#call.isOver
  }

  subscribe(topic: Topic): void {
    this.topics.add(topic)
    this.#changeOf(topic, true).subscribe.push(topic.bytes)
  }

  unsubscribe(topic: Topic): void {
    if (!this.topics.delete(topic) || this.isOver) return
    this.#changeOf(topic, false).unsubscribe.push(topic.bytes)
  }

  /** An answer about a name came. @returns whether it is the last that is owed */
  answered(key: string): boolean {
    const owed = (this.#owed.get(key) ?? 1) - 1
    if (owed > 0) this.#owed.set(key, owed)
    else this.#owed.delete(key)
    return owed <= 0
  }

  /** Reads nothing: HTTP/2 holds the node back. */
  pause(): void {
    this.#call.pause()
  }

  resume(): void {
    this.#call.resume()
  }

  close(): void {
    this.#call.close()
  }

  #changeOf(topic: Topic, begins: boolean): SubscriptionChange {
    this.#owed.set(topic.key, (this.#owed.get(topic.key) ?? 0) + 1)
    this.#bytes += topic.bytes.length
    if (this.#bytes > FRAME_BYTES_MAX) this.#flush()
    if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(() => {
        this.#isScheduled = false
        this.#flush()
      })
    }
    const kind = KINDS[topic.kind]
    const last = this.#changes.at(-1)
    // Within a change all subscriptions come before all ends.
    const fits = last?.kind === kind && (begins ? last.unsubscribe : last.subscribe).length === 0
    if (last !== undefined && fits) return last
    const change = { kind, subscribe: [], unsubscribe: [] }
    this.#changes.push(change)
    return change
  }

  #flush(): void {
    if (this.isOver || this.#changes.length === 0) return
    this.#call.write({ open: undefined, changes: this.#changes })
    this.#changes = []
    this.#bytes = 0
  }
}

/** The gRPC status of why a call broke, or null. */
export function statusOf(reason: Error): number | null {
  return (reason as Partial<ServiceError>).code ?? null
}
