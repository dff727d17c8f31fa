// How to consume, and what is reported meanwhile. Times are milliseconds.

import type { ConsumeOpen } from '../../gen/slotcast/v1/consume.ts'
import { UsageError } from '../errors.ts'

export type ConsumeEvent =
  /** A stream is served by a node from now on; `resumed`: it was served before, by this or another. */
  | {
      readonly type: 'served'
      readonly stream: string
      readonly node: string
      readonly resumed: boolean
    }
  /** A stream went to another node. */
  | { readonly type: 'moved'; readonly stream: string; readonly from: string }
  /** A call to a node is gone; its streams are taken up again elsewhere. */
  | { readonly type: 'broken'; readonly node: string; readonly reason: string }
  /** An entry may have been delivered before. */
  | { readonly type: 'redelivered'; readonly stream: string; readonly id: string }

export type ConsumeOptions = {
  readonly group: string
  /** The same name takes up what it had pending; two at once share it. */
  readonly consumer: string
  readonly streams: readonly string[]
  /** Entries in the hands of the application and on their way, at most. Default: 256. */
  readonly credit?: number
  /** Bytes of the same, about; one entry may cross the line. Default: not counted. */
  readonly creditBytes?: number
  /** Take over what anybody of the group has had pending for so long. Default: never. */
  readonly claimMinIdleMs?: number
  /** Entries are done with as they are delivered: at most once. */
  readonly noAck?: boolean
  /** Where a group that is missing begins: `0` all, `$` what comes. null: it must be there. Default: `0`. */
  readonly createFrom?: string | null
  /** The node says something at least so often. 100 to 60,000. Default: 1,000. */
  readonly heartbeatMs?: number
  /** How long `stop` waits for what is not settled. Default: 5,000. */
  readonly stopMs?: number
  /** Stops the consumer. */
  readonly signal?: AbortSignal
  readonly onEvent?: (event: ConsumeEvent) => void
}

export type ConsumePlan = {
  readonly open: ConsumeOpen
  readonly credit: number
  /** 0: not counted. */
  readonly creditBytes: number
  readonly heartbeatMs: number
  readonly stopMs: number
}

export function planOf(options: ConsumeOptions): ConsumePlan {
  const { group, consumer, streams, credit = 256, heartbeatMs = 1_000, claimMinIdleMs } = options
  if (group === '' || consumer === '') throw new UsageError('group and consumer must have names')
  if (streams.length === 0 || new Set(streams).size < streams.length)
    throw new UsageError('streams must be at least one, each once')
  if (!(credit >= 1)) throw new UsageError('credit must be at least 1')
  const { createFrom = '0', creditBytes } = options
  if (creditBytes !== undefined && !(creditBytes >= 1))
    throw new UsageError('creditBytes must be at least 1')
  return {
    open: {
      group: Buffer.from(group),
      consumer: Buffer.from(consumer),
      claimMinIdle: claimMinIdleMs === undefined ? undefined : durationOf(claimMinIdleMs),
      noAck: options.noAck ?? false,
      createFrom: createFrom ?? undefined,
      heartbeat: durationOf(heartbeatMs),
    },
    credit,
    creditBytes: Math.floor(creditBytes ?? 0),
    heartbeatMs,
    stopMs: options.stopMs ?? 5_000,
  }
}

function durationOf(ms: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(ms / 1_000)), nanos: Math.round((ms % 1_000) * 1e6) }
}
