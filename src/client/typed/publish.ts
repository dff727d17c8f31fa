// Publishing. A message is never on disk and never told twice, so a connection that breaks leaves it in doubt.

import type { SlotcastError } from '../errors.ts'
import type { CallOptions, Executor } from '../executor.ts'
import type { Word } from '../session/call.ts'
import type { ChannelName } from '../subscribe/options.ts'

export type PublishOptions = CallOptions & {
  /** The channel is a sharded one: only its leader carries it. */
  readonly sharded?: boolean
}

export type Publication = {
  readonly channel: ChannelName
  readonly payload: Word
  readonly sharded?: boolean
}

/** What became of one publication; `error` null: it was published. */
export type PublishOutcome = { readonly receivers: number; readonly error: SlotcastError | null }

export async function publish(
  executor: Executor,
  channel: ChannelName,
  payload: Word,
  options: PublishOptions,
): Promise<number> {
  const { sharded = false, ...call } = options
  const words = [sharded ? 'SPUBLISH' : 'PUBLISH', channel, payload]
  return Number(await executor.execute(words, { ...call, marked: false }))
}

export function publishBatch(
  executor: Executor,
  items: readonly Publication[],
  options: CallOptions,
): Promise<PublishOutcome[]> {
  return Promise.all(
    items.map(({ channel, payload, sharded = false }) =>
      publish(executor, channel, payload, { ...options, sharded }).then(
        receivers => ({ receivers, error: null }),
        (error: SlotcastError) => ({ receivers: 0, error }),
      ),
    ),
  )
}
