// Configuration changes as bytes in an entry, and back.
//
//   u8 version (1) | u8 flags: bit 0 v1, bits 1-2 transition | u16 count | count x (u8 kind, u32 node)
//
// Little-endian. No bytes at all mean "leave the joint configuration": that is the
// entry a leader proposes by itself, and no size limit can refuse it.

import { assert } from '../base/assert.ts'
import type { ConfChange, ConfChangeStep, Entry } from './message.ts'

const VERSION = 1
const HEADER_BYTES = 4
const STEP_BYTES = 5
const STEPS_MAX = 0xffff
const NODE_MAX = 0xffffffff

const TRANSITIONS = ['auto', 'implicit', 'explicit'] as const
const KINDS = ['add-voter', 'add-learner', 'remove', 'update'] as const

const LEAVE_JOINT: ConfChange = { v1: false, transition: 'auto', steps: [] }

export function encodeConfChange(change: ConfChange): Uint8Array {
  const count = change.steps.length
  assert(count <= STEPS_MAX, 'too many steps in a configuration change')
  assert(!change.v1 || count === 1, 'the old kind of change has exactly one step')
  const bytes = new Uint8Array(HEADER_BYTES + count * STEP_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, VERSION)
  view.setUint8(1, (change.v1 ? 1 : 0) | (TRANSITIONS.indexOf(change.transition) << 1))
  view.setUint16(2, count, true)
  let at = HEADER_BYTES
  for (const step of change.steps) {
    assert(step.node >= 0 && step.node <= NODE_MAX, () => `node ${step.node} does not fit`)
    view.setUint8(at, KINDS.indexOf(step.kind))
    view.setUint32(at + 1, step.node, true)
    at += STEP_BYTES
  }
  return bytes
}

/** The bytes come from a log that was checked when read: what does not parse is a broken invariant. */
export function decodeConfChange(bytes: Uint8Array): ConfChange {
  if (bytes.length === 0) return LEAVE_JOINT
  assert(bytes.length >= HEADER_BYTES, 'a configuration change is cut short')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = view.getUint8(0)
  assert(version === VERSION, () => `configuration change of unknown version ${version}`)
  const flags = view.getUint8(1)
  const transition = TRANSITIONS[flags >> 1]
  assert(transition !== undefined, () => `configuration change with unknown flags ${flags}`)
  const count = view.getUint16(2, true)
  assert(
    bytes.length === HEADER_BYTES + count * STEP_BYTES,
    'a configuration change of wrong length',
  )
  const steps: ConfChangeStep[] = []
  for (let at = HEADER_BYTES; at < bytes.length; at += STEP_BYTES) {
    const kind = KINDS[view.getUint8(at)]
    assert(kind !== undefined, 'a configuration change with a step of unknown kind')
    steps.push({ kind, node: view.getUint32(at + 1, true) })
  }
  return { v1: (flags & 1) === 1, transition, steps }
}

/** The change that an entry holds, or null for a normal one. */
export function confChangeOf(entry: Pick<Entry, 'kind' | 'data'>): ConfChange | null {
  return entry.kind === 'normal' ? null : decodeConfChange(entry.data)
}
