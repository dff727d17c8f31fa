// What must hold after every step, whatever the network and the disks do (RAFT.md section 9).

import assert from 'node:assert/strict'
import type { Index, NodeId, Term } from '../../../src/base/types.ts'
import type { Message } from '../../../src/raft/message.ts'
import type { Host } from './host.ts'

type Known = { readonly by: NodeId; readonly what: string }

export class Invariants {
  readonly #leaders = new Map<Term, NodeId>()
  readonly #terms = new Map<NodeId, Term>()
  readonly #votes = new Map<string, NodeId>()
  readonly #applied = new Map<Index, Known>()
  readonly #entries = new Map<string, Known>()
  readonly #checkedTo = new Map<NodeId, Index>()
  /** The highest commit index that any node ever had: what a client may have been told of. */
  commitMax: Index = 0

  check(host: Host): void {
    const { raft, id, log } = host
    if (raft.role === 'leader') {
      const known = this.#leaders.get(raft.term)
      assert.ok(known === undefined || known === id, `nodes ${known} and ${id} lead ${raft.term}`)
      this.#leaders.set(raft.term, id)
    }
    const durable = log.initialState().hardState
    assert.ok(durable.term >= (this.#terms.get(id) ?? 0), `node ${id}'s durable term went back`)
    this.#terms.set(id, durable.term)
    assert.ok(raft.applied <= raft.committed && raft.committed <= raft.lastIndex)
    this.commitMax = Math.max(this.commitMax, raft.committed)
    for (const [peer, progress] of raft.status().progress) {
      const { state, match, next, pendingSnapshot } = progress
      assert.ok(match < next, `node ${id} of ${peer}: ${JSON.stringify(progress)}`)
      assert.equal(state === 'snapshot', pendingSnapshot > 0)
    }
    this.#checkApplied(host)
    this.#checkLog(host)
  }

  /** What leaves a node is a promise: one vote a term, and durable what is acknowledged. */
  checkSent(host: Host, message: Message): void {
    if (message.type === 'vote-response' && !message.reject) {
      const key = `${message.from}/${message.term}`
      const known = this.#votes.get(key)
      assert.ok(known === undefined || known === message.to, `node ${key} voted twice`)
      this.#votes.set(key, message.to)
      assert.ok(host.log.initialState().hardState.term >= message.term, 'a vote before its term')
    }
    if (message.type === 'append-response' && !message.reject) {
      const lastIndex = host.log.lastIndex()
      assert.ok(
        message.index <= lastIndex,
        `node ${host.id} acknowledged ${message.index} with ${lastIndex} on disk`,
      )
    }
  }

  #checkApplied(host: Host): void {
    const from = this.#checkedTo.get(host.id) ?? 0
    const last = host.applied.at(-1)?.index ?? 0
    for (const { index, term, data } of host.applied) {
      if (index <= from && last >= from) continue
      const what = `${term} ${data}`
      const known = this.#applied.get(index)
      if (known) {
        assert.equal(what, known.what, `nodes ${known.by} and ${host.id} differ at ${index}`)
      } else {
        this.#applied.set(index, { by: host.id, what })
      }
    }
    this.#checkedTo.set(host.id, last)
  }

  /** Log matching: equal (index, term) means an equal entry with an equal one before it. */
  #checkLog(host: Host): void {
    for (const entry of host.log.all()) {
      const key = `${entry.index}/${entry.term}`
      const before = host.log.term(entry.index - 1)
      const what = `${before} ${entry.kind} ${Buffer.from(entry.data).toString('latin1')}`
      const known = this.#entries.get(key)
      if (known) assert.equal(what, known.what, `nodes ${known.by} and ${host.id} at ${key}`)
      else this.#entries.set(key, { by: host.id, what })
    }
  }

  /** No acknowledged entry may be lost: called at the end with all that was ever applied. */
  get appliedCount(): number {
    return this.#applied.size
  }
}
