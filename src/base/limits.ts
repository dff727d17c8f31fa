// Every hard limit, with its unit and its reason. Relations are asserted at load.
//
// Hard means: changing it changes a format or a proof. What an operator may tune
// stands in config.ts.

import { assert } from './assert.ts'

const KiB = 1024
const MiB = 1024 * KiB

export const limits = {
  /** One bulk string of a command. Larger values belong in an object store. */
  valueBytesMax: 16 * MiB,
  /** A key. Redis allows 512 MiB; nobody means it. */
  keyBytesMax: 64 * KiB,
  /** One command with all its words, as it stands on the wire. Fits one Raft entry. */
  commandBytesMax: 32 * MiB,
  /** Words of one command. */
  wordsMax: 1 << 20,
  /** The line that holds a count, and an inline command (Redis: PROTO_INLINE_MAX_SIZE). */
  inlineBytesMax: 64 * KiB,
  /** Commands of one Raft entry: what one turn gathers for one shard. */
  entryCommandsMax: 65_536,
  /** Bytes at which a turn seals an entry and begins the next. A single command may be larger. */
  entryBytesSoftMax: 1 * MiB,
  /** One Raft entry, hard: bounds every allocation on decode. */
  entryBytesMax: 34 * MiB,
  /** Commands between MULTI and EXEC: what one entry may carry. */
  transactionCommandsMax: 65_536,
  /** Their bytes on the wire: a session keeps them until EXEC, and one entry carries them. */
  transactionBytesMax: 30 * MiB,
  /** Keys that one session watches: each is looked up where its EXEC is applied, on every replica. */
  watchedKeysMax: 4096,
  /** Their bytes, with what is known of them: they go with the transaction. */
  watchedBytesMax: 1 * MiB,
  /** The name of a channel: every key has room in its `__keyspace@0__:` channel. */
  channelBytesMax: 64 * KiB + 64,
  /** A pattern of PSUBSCRIBE: matching takes at most its length times that of a channel's name. */
  patternBytesMax: 1 * KiB,
  /** Subscriptions of one client, of all kinds. */
  subscriptionsPerClientMax: 1 << 18,
  /** Different channels and patterns on a node: all its peers know of each. */
  subscribedNamesMax: 1 << 20,
  /** Chunk of a snapshot on disk and on the wire. */
  snapshotChunkBytes: 256 * KiB,
  /** Voters of a shard. */
  votersMax: 7,
  /** Shards of a cluster. */
  shardsMax: 1024,
} as const

assert(limits.valueBytesMax < limits.commandBytesMax, 'a value must fit a command')
assert(limits.transactionCommandsMax <= limits.entryCommandsMax, 'a transaction must fit an entry')
assert(limits.keyBytesMax + 64 <= limits.channelBytesMax, 'every key has a channel of its own')
assert(
  limits.transactionBytesMax + limits.watchedBytesMax < limits.commandBytesMax,
  'a transaction must fit where a command does',
)
assert(
  limits.commandBytesMax + limits.entryBytesSoftMax < limits.entryBytesMax,
  'a command must fit an entry that was begun',
)
