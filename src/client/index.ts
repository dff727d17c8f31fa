// What `slotcast/client` gives to applications.

// biome-ignore-start lint/performance/noBarrelFile: the door of the package
export { Client, connect } from './client.ts'
export { type ConsumeEvent, type ConsumeOptions, Consumer } from './consume/consumer.ts'
export { Delivery, type NackMode } from './consume/delivery.ts'
export { Entry, type Fields } from './entry.ts'
export {
  AbortedError,
  ClosedError,
  DeadlineError,
  FencedError,
  InDoubtError,
  ProtocolError,
  QueueFullError,
  ReplyError,
  SlotcastError,
  SlowSubscriberError,
  UsageError,
} from './errors.ts'
export type { CallOptions, ExecuteOptions } from './executor.ts'
export type { ClientOptions } from './options.ts'
export type { Carrier, Propagator } from './propagator.ts'
export type { Word } from './session/call.ts'
export { ErrorValue, Pairs, type Value } from './session/value.ts'
export { type ChannelKind, type Gap, type GapReason, Message } from './subscribe/message.ts'
export type {
  ChannelName,
  Channels,
  SubscribeNotice,
  SubscribeOptions,
} from './subscribe/options.ts'
export { Subscription } from './subscribe/subscription.ts'
export type { TailEntry, TailOptions } from './tail.ts'
export type { Publication, PublishOptions, PublishOutcome } from './typed/publish.ts'
export type { AppendOptions } from './typed/streams.ts'
// biome-ignore-end lint/performance/noBarrelFile: the door of the package
