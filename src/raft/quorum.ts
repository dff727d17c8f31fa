// Quorum arithmetic: what a majority has, and whether a vote is won.
//
// A joint configuration needs a majority of both halves. An empty half agrees to
// everything, so a plain configuration is a joint one with an empty half.

import type { Index, NodeId } from '../base/types.ts'

export type VoteResult = 'won' | 'lost' | 'pending'

/** Reused by every call: there is one thread, and no call nests in another. */
const scratch: Index[] = []

/**
 * The highest index that majorities of both halves have acknowledged.
 *
 * @param acked what a voter has; 0 if nothing was heard
 * @returns Infinity if both halves are empty
 */
export function committedIndex(
  voters: readonly NodeId[],
  votersOutgoing: readonly NodeId[],
  acked: (voter: NodeId) => Index,
): Index {
  const incoming = majorityIndex(voters, acked)
  return votersOutgoing.length === 0
    ? incoming
    : Math.min(incoming, majorityIndex(votersOutgoing, acked))
}

export function voteResult(
  voters: readonly NodeId[],
  votersOutgoing: readonly NodeId[],
  voteOf: (voter: NodeId) => boolean | undefined,
): VoteResult {
  const incoming = majorityVote(voters, voteOf)
  const outgoing = majorityVote(votersOutgoing, voteOf)
  if (incoming === 'lost' || outgoing === 'lost') return 'lost'
  return incoming === 'won' && outgoing === 'won' ? 'won' : 'pending'
}

function majorityIndex(voters: readonly NodeId[], acked: (voter: NodeId) => Index): Index {
  const count = voters.length
  if (count === 0) return Infinity
  // Insertion sort: voters are few, and this runs on every acknowledgement.
  for (let i = 0; i < count; i += 1) {
    const index = acked(voters[i] ?? 0)
    let at = i
    while (at > 0) {
      const below = scratch[at - 1] ?? 0
      if (below <= index) break
      scratch[at] = below
      at -= 1
    }
    scratch[at] = index
  }
  const majority = (count >> 1) + 1
  return scratch[count - majority] ?? 0
}

function majorityVote(
  voters: readonly NodeId[],
  voteOf: (voter: NodeId) => boolean | undefined,
): VoteResult {
  let granted = 0
  let missing = 0
  for (const voter of voters) {
    const vote = voteOf(voter)
    if (vote === undefined) missing += 1
    else if (vote) granted += 1
  }
  const majority = voters.length === 0 ? 0 : (voters.length >> 1) + 1
  if (granted >= majority) return 'won'
  return granted + missing >= majority ? 'pending' : 'lost'
}
