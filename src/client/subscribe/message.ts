// What a subscription gives to the application: messages, and gaps where messages are missing.

export type ChannelKind = 'channel' | 'pattern' | 'sharded'

/** A message as it was published; nobody keeps it. */
export class Message {
  readonly type = 'message'
  /** What it came by. */
  readonly kind: ChannelKind
  readonly channelBytes: Buffer
  /** The pattern that it came by; null: it came by its channel. */
  readonly pattern: string | null
  readonly payload: Buffer
  /** Name of the node that it was published on. Only messages of one origin on one channel come in order. */
  readonly origin: string

  constructor(
    kind: ChannelKind,
    channelBytes: Buffer,
    pattern: string | null,
    payload: Buffer,
    origin: string,
  ) {
    this.kind = kind
    this.channelBytes = channelBytes
    this.pattern = pattern
    this.payload = payload
    this.origin = origin
  }

  get channel(): string {
    return this.channelBytes.toString()
  }

  /** The payload as text. */
  get text(): string {
    return this.payload.toString()
  }
}

/**
 * Why messages are or may be missing. `skipped`: the node left some out. `restarted`: the node that they are published on
 * counts anew. `broken`: the connection broke or the node went. `moved`: the sharded channel went to another leader. `slow`: the
 * node cut this subscriber off, since it did not read.
 */
export type GapReason = 'skipped' | 'restarted' | 'broken' | 'moved' | 'slow'

/**
 * Messages are missing, or may be. It comes when the subscription stands again: read anew now whatever the messages are
 * about, and what is published from here on comes.
 */
export type Gap = {
  readonly type: 'gap'
  readonly kind: ChannelKind
  /** The channel or pattern that was subscribed to. */
  readonly name: string
  readonly reason: GapReason
  /** How many are missing; null: any number, perhaps none. */
  readonly missed: number | null
}
