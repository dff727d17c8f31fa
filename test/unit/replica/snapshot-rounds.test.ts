// Snapshots because somebody asked: every shard that has something new, and one answer.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SnapshotRounds } from '../../../src/replica/snapshot-rounds.ts'
import type { SnapshotTaker } from '../../../src/replica/snapshot-taker.ts'
import { RigClock } from '../broker/rig.ts'

function made(...bytes: number[]) {
  const wanted: number[] = []
  let ended: (shard: number, ok: boolean) => void = () => {}
  const taker = {
    onEnd: (listener: typeof ended) => {
      ended = listener
    },
    want: (shard: number) => wanted.push(shard),
  } as unknown as SnapshotTaker
  const replicas = new Map(
    bytes.map((bytesSinceSnapshot, shard) => [
      shard,
      { shard, amnesiac: false, bytesSinceSnapshot },
    ]),
  )
  const clock = new RigClock()
  const rounds = new SnapshotRounds(clock, taker, replicas)
  return { rounds, wanted, clock, end: (shard: number, ok = true) => ended(shard, ok) }
}

test('a round ends with the last shard that had something new', () => {
  const { rounds, wanted, clock, end } = made(10, 0, 20)
  const answers: boolean[] = []
  clock.advance(5_000)
  assert.equal(rounds.bytesSince, 30)
  assert.equal(
    rounds.take(ok => answers.push(ok)),
    true,
  )
  assert.deepEqual(wanted, [0, 2])
  assert.equal(
    rounds.take(() => {}),
    false,
    'one at a time',
  )
  end(0)
  end(1)
  assert.deepEqual(answers, [])
  end(2)
  assert.deepEqual(answers, [true])
  assert.deepEqual([rounds.running, rounds.taken, rounds.lastAt], [false, 3, clock.now()])
})

test('with nothing new it ends at once', () => {
  const { rounds, wanted } = made(0)
  const answers: boolean[] = []
  rounds.take(ok => answers.push(ok))
  assert.deepEqual([wanted, answers, rounds.running], [[], [true], false])
})

test('it fails with the first shard that could not be written', () => {
  const { rounds, clock, end } = made(1, 1)
  const answers: boolean[] = []
  const before = rounds.lastAt
  clock.advance(1_000)
  rounds.take(ok => answers.push(ok))
  end(1, false)
  end(0)
  assert.deepEqual(answers, [false])
  assert.deepEqual([rounds.lastOk, rounds.lastAt], [false, before])
})
