// What calls of the client end with when they do not end well: one class a kind, each with a `code`.
//
// `retryable` says that the same call may succeed later although nobody changes anything; the client
// has retried it already, as far as deadline and budget allowed.

/** Every error that the client makes. */
export class SlotcastError extends Error {
  override readonly name: string = 'SlotcastError'
  readonly code: string
  readonly retryable: boolean

  constructor(code: string, message: string, retryable: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryable = retryable
  }
}

/** The cluster refused the command. `code` is the error's word, such as `WRONGTYPE`; the message is the whole text. */
export class ReplyError extends SlotcastError {
  override readonly name = 'ReplyError'

  constructor(text: string, retryable = false) {
    super(text.split(' ', 1)[0] ?? 'ERR', text, retryable)
  }
}

/** Done or not done: the command was sent and no answer proves either. */
export class InDoubtError extends SlotcastError {
  override readonly name = 'InDoubtError'

  constructor(message: string, cause?: unknown) {
    super('INDOUBT', message, false, cause)
  }
}

/** The deadline passed, and the command was surely not done (or only reads). */
export class DeadlineError extends SlotcastError {
  override readonly name = 'DeadlineError'

  /** @param cause what the last attempt met */
  constructor(message: string, cause?: unknown) {
    super('DEADLINE', message, true, cause)
  }
}

/** The signal was aborted before the command was sent, or it only reads. A write that was sent is in doubt. */
export class AbortedError extends SlotcastError {
  override readonly name = 'AbortedError'

  constructor(cause?: unknown) {
    super('ABORTED', 'the call was aborted', false, cause)
  }
}

/** As many calls wait as the client may hold. Nothing was sent. */
export class QueueFullError extends SlotcastError {
  override readonly name = 'QueueFullError'

  constructor(limit: number) {
    super('QUEUEFULL', `${limit} calls are unanswered already`, true)
  }
}

/** Another life of this producer has begun, with a higher epoch. Nothing more can be written under this one. */
export class FencedError extends SlotcastError {
  override readonly name = 'FencedError'

  constructor(text: string) {
    super('FENCED', text, false)
  }
}

/** Messages of a subscription came faster than they were taken, and it was not to wait. */
export class SlowSubscriberError extends SlotcastError {
  override readonly name = 'SlowSubscriberError'

  constructor(limit: number) {
    super('SLOWSUBSCRIBER', `${limit} bytes of messages wait already`, true)
  }
}

/** The client, or this part of it, was closed. */
export class ClosedError extends SlotcastError {
  override readonly name = 'ClosedError'

  constructor(what = 'the client') {
    super('CLOSED', `${what} is closed`, false)
  }
}

/** An argument or an option that cannot mean anything. Nothing was sent. */
export class UsageError extends SlotcastError {
  override readonly name = 'UsageError'

  constructor(message: string) {
    super('USAGE', message, false)
  }
}

/** The node did what the protocol does not allow. */
export class ProtocolError extends SlotcastError {
  override readonly name = 'ProtocolError'

  constructor(message: string) {
    super('PROTOCOL', message, false)
  }
}
