// A committed configuration change takes effect: when it is applied, not when it is appended.

import { assert } from '../base/assert.ts'
import { NO_NODE } from '../base/types.ts'
import type { Core } from './core.ts'
import { answerConfirmedReads } from './leader.ts'
import { changeConf, isVoter } from './membership.ts'
import type { ConfChange, ConfState } from './message.ts'
import { broadcastAppend, maybeCommit, maybeSendAppend } from './replication.ts'

export function applyConfChange(core: Core, change: ConfChange): ConfState {
  const { tracker, log } = core
  const changed = changeConf(core.confBeforeSnapshot ?? tracker.conf, change)
  assert(typeof changed !== 'string', () => `a committed change cannot be applied: ${changed}`)
  if (core.confBeforeSnapshot) {
    // The snapshot that is on its way includes this change, and has the last word on the members.
    core.confBeforeSnapshot = changed.conf
    return changed.conf
  }
  tracker.adopt(changed, log.lastIndex)
  if (core.role === 'leader') settle(core)
  return tracker.conf
}

/** What the new configuration means for the leader. */
function settle(core: Core): void {
  const { tracker } = core
  const self = tracker.get(core.id)
  if (!self || self.learner) {
    // It led up to here, without counting itself, so that its own removal could commit.
    if (core.options.stepDownOnRemoval) core.becomeFollower(core.term, NO_NODE)
    return
  }
  if (tracker.conf.voters.length === 0) return
  // A smaller quorum may have committed more.
  if (maybeCommit(core)) {
    broadcastAppend(core)
  } else {
    // New members are probed at once instead of at the next heartbeat.
    for (const peer of tracker.all) if (peer.id !== core.id) maybeSendAppend(core, peer, false)
  }
  answerConfirmedReads(core)
  if (!isVoter(tracker.conf, core.transferee)) core.transferee = NO_NODE
}
