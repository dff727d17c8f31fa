// The numbers every room counts with, under the names HOUSE gives them.
//
// They are plain numbers: indexes and terms stay below 2^53, which at a million
// entries a second lasts 285 years. On disk and on the wire they are 64-bit, and
// whoever decodes one asserts Number.isSafeInteger.

/** A node's number: `n1` is 1. Raft's peer id. 0 means nobody. */
export type NodeId = number
/** A Raft group's number. 0 is the meta shard. */
export type ShardId = number
/** 0..16383. */
export type Slot = number
/** Raft's term. */
export type Term = number
/** A position in a shard's Raft log; the first entry is 1. */
export type Index = number
/** Version of the slot map. */
export type Epoch = number
/** Milliseconds: a Unix time, a monotonic reading or a duration, as the name says. */
export type Ms = number

/** The shard that holds nodes, shards and the slot map. */
export const META_SHARD: ShardId = 0
/** No node: the vote of who has not voted, the leader of who knows none. */
export const NO_NODE: NodeId = 0
