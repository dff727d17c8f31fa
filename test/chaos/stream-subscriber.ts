// A client of PubSubService.Subscribe that writes down what it is told, and looks for gaps.

import { type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js'
import {
  type DeepPartial,
  type PublishedMessage,
  type SubscribeEvent,
  SubscribeRequest,
  type SubscribeResponse,
  type SubscriptionChange,
} from '../../src/gen/slotcast/v1/pubsub.ts'
import { PubSubServiceClient } from '../../src/gen/slotcast/v1/pubsub_service.ts'

export const CHANNEL = 1
export const PATTERN = 2
export const SHARDED = 3
type Kind = typeof CHANNEL | typeof PATTERN | typeof SHARDED

const WINDOW_BYTES = 1024 * 1024
const ANSWERS = new Set(['started', 'ended', 'refused'])

export class StreamSubscriber {
  readonly messages: PublishedMessage[] = []
  /** All that was told but messages. */
  readonly events: NonNullable<SubscribeEvent['event']>[] = []
  frames = 0
  /** Messages that were missed, as their sequences tell it. */
  missed = 0
  goAway = ''
  failure: ServiceError | null = null
  readonly ended: Promise<void>
  readonly #client: PubSubServiceClient
  readonly #call: ClientDuplexStream<SubscribeRequest, SubscribeResponse>
  readonly #last = new Map<string, bigint>()
  readonly #onMessage: ((message: PublishedMessage) => void) | null
  isOver = false

  /** @param onMessage gets messages instead of `messages` */
  constructor(
    address: string,
    heartbeatMs = 1_000,
    onMessage: ((message: PublishedMessage) => void) | null = null,
  ) {
    this.#onMessage = onMessage
    // A connection of its own: streams of one share its window, and who reads nothing holds up the others.
    // And room for more on its way than HTTP/2's 64 KiB.
    const options = {
      'grpc.use_local_subchannel_pool': 1,
      'grpc-node.flow_control_window': WINDOW_BYTES,
    }
    this.#client = new PubSubServiceClient(address, credentials.createInsecure(), options)
    this.#call = this.#client.subscribe()
    this.#call.on('data', frame => this.#take(frame))
    this.ended = new Promise(resolve => {
      const over = (): void => {
        this.isOver = true
        resolve()
      }
      this.#call.on('error', error => {
        this.failure = error as ServiceError
        over()
      })
      this.#call.on('end', over)
    })
    const nanos = (heartbeatMs % 1_000) * 1_000_000
    this.send({ open: { heartbeat: { seconds: BigInt(Math.floor(heartbeatMs / 1_000)), nanos } } })
  }

  send(frame: DeepPartial<SubscribeRequest>): void {
    this.#call.write(SubscribeRequest.fromPartial(frame))
  }

  change(change: DeepPartial<SubscriptionChange>): void {
    this.send({ changes: [change] })
  }

  /** Subscribes, and waits for the answers. */
  async subscribe(kind: Kind, ...names: readonly string[]): Promise<void> {
    const answered = this.#answers + names.length
    this.change({ kind, subscribe: names.map(name => Buffer.from(name)) })
    while (this.#answers < answered && !this.isOver)
      await new Promise(resolve => setTimeout(resolve, 5))
  }

  get #answers(): number {
    return this.events.filter(({ $case }) => ANSWERS.has($case)).length
  }

  get payloads(): string[] {
    return this.messages.map(({ payload }) => payload.toString())
  }

  /** Reads nothing any more. */
  pause(): void {
    this.#call.pause()
  }

  resume(): void {
    this.#call.resume()
  }

  /** Ends its side. */
  end(): void {
    this.#call.end()
  }

  close(): void {
    this.#call.cancel()
    this.#client.close()
  }

  #take({ events, goAway }: SubscribeResponse): void {
    this.frames += 1
    if (goAway !== undefined) this.goAway = goAway.reason
    for (const { event } of events) {
      if (event?.$case === 'message') this.#message(event.value)
      else if (event !== undefined) this.events.push(event)
    }
  }

  #message(message: PublishedMessage): void {
    const { channel, pattern, sharded, origin, sequence } = message
    const by = [channel.toString('latin1'), pattern.toString('latin1'), sharded, origin].join('\0')
    const last = this.#last.get(by)
    this.#last.set(by, sequence)
    if (last !== undefined && sequence > last) this.missed += Number(sequence - last) - 1
    if (this.#onMessage === null) this.messages.push(message)
    else this.#onMessage(message)
  }
}
