// Quorum arithmetic against the definition, spelled out naively.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { committedIndex, voteResult } from '../../../src/raft/quorum.ts'

const RUNS = { numRuns: 2000, seed: 20_26 }
const nodes = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 7 })

/** Whether a majority of each half satisfies `holds`. */
function quorum(halves: readonly number[][], holds: (node: number) => boolean): boolean {
  return halves.every(half => half.length === 0 || half.filter(holds).length > half.length / 2)
}

test('the committed index is the highest that a majority of both halves has', () => {
  const acks = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 10, maxLength: 10 })
  fc.assert(
    fc.property(nodes, nodes, acks, (incoming, outgoing, acked) => {
      const of = (node: number) => acked[node] ?? 0
      let naive = 0
      for (let index = 1; index <= 12; index += 1) {
        if (quorum([incoming, outgoing], node => of(node) >= index)) naive = index
      }
      const index = committedIndex(incoming, outgoing, of)
      if (incoming.length + outgoing.length === 0) assert.equal(index, Infinity)
      else assert.equal(index, naive)
    }),
    RUNS,
  )
})

test('a vote is won by majorities of both halves, and lost when one cannot be had any more', () => {
  const ballots = fc.array(fc.option(fc.boolean(), { nil: undefined }), {
    minLength: 10,
    maxLength: 10,
  })
  fc.assert(
    fc.property(nodes, nodes, ballots, (incoming, outgoing, votes) => {
      const halves = [incoming, outgoing]
      const isWon = quorum(halves, node => votes[node] === true)
      const canWin = quorum(halves, node => votes[node] !== false)
      const naive = isWon ? 'won' : canWin ? 'pending' : 'lost'
      assert.equal(
        voteResult(incoming, outgoing, node => votes[node]),
        naive,
      )
    }),
    RUNS,
  )
})

test('two quorums of a configuration and of the one that follows it always meet', () => {
  // One voter more or less: every majority of {1..n} meets every majority of {1..n+1}.
  for (let n = 1; n <= 6; n += 1) {
    const before = Array.from({ length: n }, (_, i) => i + 1)
    const after = [...before, n + 1]
    for (let a = 0; a < 2 ** (n + 1); a += 1) {
      const inA = (node: number) => ((a >> (node - 1)) & 1) === 1
      if (!quorum([before], inA)) continue
      assert.ok(
        !quorum([after], node => !inA(node)),
        `${before} and ${after} have disjoint quorums`,
      )
    }
  }
})
