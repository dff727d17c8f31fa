// Configuration changes: from one set of members to the next, or why not.
//
// A plain change alters at most one voter. Everything else goes through a joint
// configuration, in which majorities of the old and the new voters must agree
// (Raft §6, Thesis §4.3). A voter that is to become a learner stays a voter of the
// old half until the joint configuration is left: `learnersNext`.

import { assert } from '../base/assert.ts'
import type { NodeId } from '../base/types.ts'
import type { ConfChange, ConfChangeStep, ConfState } from './message.ts'

/** The next configuration, and who is new in it: nothing is known of what those have. */
export type Changed = { readonly conf: ConfState; readonly fresh: ReadonlySet<NodeId> }

type Draft = {
  readonly voters: Set<NodeId>
  readonly votersOutgoing: Set<NodeId>
  readonly learners: Set<NodeId>
  readonly learnersNext: Set<NodeId>
  /** Everybody in any of the above. */
  readonly tracked: Set<NodeId>
  readonly fresh: Set<NodeId>
  autoLeave: boolean
}

export const EMPTY_CONF: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
}

export function isJoint(conf: ConfState): boolean {
  return conf.votersOutgoing.length > 0
}

export function isVoter(conf: ConfState, node: NodeId): boolean {
  return conf.voters.includes(node) || conf.votersOutgoing.includes(node)
}

export function isMember(conf: ConfState, node: NodeId): boolean {
  return isVoter(conf, node) || conf.learners.includes(node)
}

/** Everybody in `conf`, in order of id. */
export function membersOf(conf: ConfState): NodeId[] {
  return sorted(new Set([...conf.voters, ...conf.votersOutgoing, ...conf.learners]))
}

/** @returns the configuration after `change`, or the reason why it cannot follow `conf` */
export function changeConf(conf: ConfState, change: ConfChange): Changed | string {
  if (change.steps.length === 0) return leaveJoint(conf)
  if (change.transition === 'auto' && change.steps.length === 1) {
    return changeSimply(conf, change.steps)
  }
  return enterJoint(conf, change.transition !== 'explicit', change.steps)
}

export function changeSimply(conf: ConfState, steps: readonly ConfChangeStep[]): Changed | string {
  if (isJoint(conf)) return 'a simple change in a joint configuration'
  const draft = draftOf(conf)
  applySteps(draft, steps)
  if (draft.voters.size === 0) return 'no voter would be left'
  let altered = 0
  for (const voter of draft.voters) if (!conf.voters.includes(voter)) altered += 1
  for (const voter of conf.voters) if (!draft.voters.has(voter)) altered += 1
  if (altered > 1) return 'more than one voter changes without a joint configuration'
  return finish(draft)
}

export function enterJoint(
  conf: ConfState,
  autoLeave: boolean,
  steps: readonly ConfChangeStep[],
): Changed | string {
  if (isJoint(conf)) return 'the configuration is joint already'
  if (conf.voters.length === 0) return 'a configuration without voters cannot become joint'
  const draft = draftOf(conf)
  for (const voter of conf.voters) draft.votersOutgoing.add(voter)
  applySteps(draft, steps)
  if (draft.voters.size === 0) return 'no voter would be left'
  draft.autoLeave = autoLeave
  return finish(draft)
}

export function leaveJoint(conf: ConfState): Changed | string {
  if (!isJoint(conf)) return 'the configuration is not joint'
  const draft = draftOf(conf)
  for (const node of draft.learnersNext) draft.learners.add(node)
  draft.learnersNext.clear()
  draft.votersOutgoing.clear()
  draft.autoLeave = false
  return finish(draft)
}

/** States what every configuration must satisfy, wherever it came from. */
export function checkConf(conf: ConfState): void {
  for (const node of conf.learners) {
    assert(!isVoter(conf, node), () => `node ${node} is voter and learner`)
  }
  for (const node of conf.learnersNext) {
    assert(
      conf.votersOutgoing.includes(node),
      () => `node ${node} is to become a learner but leaves no half`,
    )
  }
  assert(
    isJoint(conf) || (conf.learnersNext.length === 0 && !conf.autoLeave),
    'a plain configuration has nothing to leave',
  )
}

function applySteps(draft: Draft, steps: readonly ConfChangeStep[]): void {
  for (const { kind, node } of steps) {
    // Node 0: a host took the change back after it was committed.
    if (node === 0) continue
    if (kind === 'add-voter') makeVoter(draft, node)
    else if (kind === 'add-learner') makeLearner(draft, node)
    else if (kind === 'remove') remove(draft, node)
  }
}

function makeVoter(draft: Draft, node: NodeId): void {
  track(draft, node)
  draft.learners.delete(node)
  draft.learnersNext.delete(node)
  draft.voters.add(node)
}

function makeLearner(draft: Draft, node: NodeId): void {
  track(draft, node)
  if (draft.learners.has(node)) return
  draft.voters.delete(node)
  // Nobody is voter and learner at once: who still votes in the old half waits.
  if (draft.votersOutgoing.has(node)) draft.learnersNext.add(node)
  else draft.learners.add(node)
}

function remove(draft: Draft, node: NodeId): void {
  draft.voters.delete(node)
  draft.learners.delete(node)
  draft.learnersNext.delete(node)
  if (!draft.votersOutgoing.has(node)) draft.tracked.delete(node)
}

/** Who was removed and comes back in the same change is new again, like any other. */
function track(draft: Draft, node: NodeId): void {
  if (draft.tracked.has(node)) return
  draft.tracked.add(node)
  draft.fresh.add(node)
}

function draftOf(conf: ConfState): Draft {
  checkConf(conf)
  return {
    voters: new Set(conf.voters),
    votersOutgoing: new Set(conf.votersOutgoing),
    learners: new Set(conf.learners),
    learnersNext: new Set(conf.learnersNext),
    tracked: new Set(membersOf(conf)),
    fresh: new Set(),
    autoLeave: conf.autoLeave,
  }
}

function finish(draft: Draft): Changed {
  const conf: ConfState = {
    voters: sorted(draft.voters),
    votersOutgoing: sorted(draft.votersOutgoing),
    learners: sorted(draft.learners),
    learnersNext: sorted(draft.learnersNext),
    autoLeave: draft.autoLeave,
  }
  checkConf(conf)
  return { conf, fresh: draft.fresh }
}

function sorted(nodes: ReadonlySet<NodeId>): NodeId[] {
  return [...nodes].sort((a, b) => a - b)
}
