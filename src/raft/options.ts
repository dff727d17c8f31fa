// What a host decides when it makes a Raft core, and the checks on it.
//
// The product sets pre-vote and check-quorum always, forwards no proposals and
// uses read-index only (RAFT.md sections 3.9, 7, 11). The switches exist because
// the scenarios of etcd's library, which prove this core, use them both ways.

import { assert } from '../base/assert.ts'
import type { Index, NodeId } from '../base/types.ts'

export type RaftOptions = {
  readonly id: NodeId
  /** Ticks without a leader before a follower campaigns; drawn anew in [n, 2n) at each change of role. */
  readonly electionTicks: number
  /** Ticks between a leader's heartbeats. */
  readonly heartbeatTicks: number
  /** Bytes of entries in one append, at least one entry. 0: one entry each; Infinity: no limit. */
  readonly maxBytesPerMessage: number
  /** Appends with entries under way to one peer. */
  readonly maxInflightMessages: number
  /** Payload bytes under way to one peer; the append that crosses it still goes. Infinity: no limit. */
  readonly maxInflightBytes: number
  /** Payload bytes a leader takes beyond what is applied; one proposal always fits. Infinity: no limit. */
  readonly maxUncommittedBytes: number
  /** Bytes of entries handed out to apply and not yet applied, at least one entry. Infinity: no limit. */
  readonly maxCommittedBytesPerReady: number
  /** Storage work leaves as messages to APPEND_THREAD and APPLY_THREAD; there is no advance(). */
  readonly asyncStorageWrites: boolean
  readonly preVote: boolean
  readonly checkQuorum: boolean
  /**
   * `lease-based` trusts ticks to be time, and a restarted voter to wait out a
   * timeout before it votes. Neither is promised by this core; use `safe`.
   */
  readonly readOnly: 'safe' | 'lease-based'
  readonly disableConfChangeValidation: boolean
  readonly disableProposalForwarding: boolean
  /** A leader that a configuration change removed or demoted steps down at once. */
  readonly stepDownOnRemoval: boolean
  /** What the state machine has applied at the start: the index of its snapshot, or 0. */
  readonly applied: Index
}

export function checkOptions(options: RaftOptions): void {
  assert(options.id > 0, 'a node id is above 0')
  assert(options.heartbeatTicks > 0, 'heartbeatTicks is above 0')
  assert(
    options.electionTicks > options.heartbeatTicks,
    'an election timeout is longer than the pause between heartbeats',
  )
  assert(options.maxInflightMessages > 0, 'at least one append may be under way')
  assert(options.maxInflightBytes > 0, 'maxInflightBytes is above 0')
  assert(options.maxCommittedBytesPerReady > 0, 'maxCommittedBytesPerReady is above 0')
  assert(
    options.readOnly === 'safe' || options.checkQuorum,
    'a lease without check-quorum is no lease',
  )
}
