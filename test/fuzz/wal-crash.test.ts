// Power failure at every operation of a workload, and again inside the recovery from it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Rig, seeded } from '../unit/storage/rig.ts'
import { Model, randomStep } from './wal-model.ts'

const STEPS = 25

/** Thrown where the world stops. */
class Stop extends Error {}

/** Runs until operation number `stopAt` of the disk. @returns how many there were, and whether it stopped */
function runUntil(
  rig: Rig,
  stopAt: number,
  action: () => void,
): { count: number; stopped: boolean } {
  let count = 0
  rig.disk.faults.before = () => {
    count += 1
    if (count === stopAt) throw new Stop()
  }
  try {
    action()
    return { count, stopped: false }
  } catch (error) {
    if (error instanceof Stop) return { count, stopped: true }
    throw error
  } finally {
    rig.disk.faults.before = null
  }
}

function workload(rig: Rig, model: Model, seed: number): void {
  const random = seeded(seed)
  for (let i = 0; i < STEPS; i += 1) randomStep(rig, model, random)
}

function fail(rig: Rig, isPowerFailure: boolean): void {
  rig.loop.clear()
  if (isPowerFailure) rig.disk.crash()
  else rig.disk.kill()
}

test('whatever operation a crash hits, each shard is as acknowledged or as it was about to be', () => {
  let crashes = 0
  let inRecovery = 0
  for (let seed = 1; seed <= 6; seed += 1) {
    const dry = new Rig({}, seed)
    const operations = runUntil(dry, -1, () => {
      dry.open()
      workload(dry, new Model(), seed)
    }).count
    for (let stopAt = 1; stopAt <= operations; stopAt += 1) {
      const rig = new Rig({}, seed * 1000 + stopAt)
      const model = new Model()
      const first = runUntil(rig, stopAt, () => {
        rig.open()
        workload(rig, model, seed)
      })
      assert.ok(first.stopped)
      crashes += 1
      const { random } = rig.loop
      fail(rig, random.below(4) > 0)
      // Recovery, crashed up to three times, then to its end.
      for (let again = 0; again < 3; again += 1) {
        if (!runUntil(rig, 1 + random.below(12), () => rig.open()).stopped) break
        inRecovery += 1
        fail(rig, random.below(4) > 0)
      }
      rig.open()
      const where = `seed ${seed}, operation ${stopAt} of ${operations}`
      try {
        model.check(rig)
        model.adopt(rig)
        workload(rig, model, seed + 77)
        fail(rig, true)
        rig.open()
        model.check(rig)
      } catch (error) {
        throw new Error(where, { cause: error })
      }
    }
  }
  assert.ok(crashes > 500 && inRecovery > 300, `only ${crashes} and ${inRecovery} crashes`)
})
