// Bugs that are put into the product on purpose, one at a time: each must be caught.
//
// Most are the mistakes that RAFT section 3 warns of and that the field has made.
// Each is a replacement of text in one or two source files (plant.ts); the
// simulator catches most within the seeds given, the rest is what other tests
// are for. `npm run sim -- --planted` shows them all.

import { valueBugs } from './planted-values.ts'

export type Planted = {
  readonly name: string
  /** What is wrong, and where it is written that it must not be. */
  readonly what: string
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[]
  /** Seeds of which at least one fails, or tests of which at least one fails. */
  readonly caughtBy: { readonly seeds: string } | { readonly tests: string }
}

const WITHIN = { seeds: '1..40' }

const raft: readonly Planted[] = [
  {
    name: 'ack-before-durable',
    what: 'append and vote responses leave before the disk has what they vouch for (RAFT 3.8)',
    edits: [
      {
        file: 'src/replica/replica.ts',
        from: 'if (message.to === APPEND_THREAD) held.push(...message.responses)',
        to: 'if (message.to === APPEND_THREAD) for (const m of message.responses) m.to === this.#options.self ? held.push(m) : this.#send(m)',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'vote-not-durable',
    what: 'the vote is left out of the hard state that is written (RAFT 3.8)',
    edits: [
      {
        file: 'src/replica/persistence.ts',
        from: 'hardState: changed ? hard : null,',
        to: 'hardState: changed ? { ...hard, vote: 0 } : null,',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'candidate-forgets-its-term',
    what: 'requests for votes leave before the new term is durable (RAFT 3.8)',
    edits: [
      {
        file: 'src/replica/persistence.ts',
        from: 'return term !== this.#durable.term || vote !== this.#durable.vote',
        to: 'return term < 0 || vote < 0',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'vote-twice',
    what: 'a vote is given although another was given in this term (RAFT 3.2)',
    edits: [
      {
        file: 'src/raft/election.ts',
        from: '(core.vote === NO_NODE && core.leader === NO_NODE) ||',
        to: 'core.leader === NO_NODE ||',
      },
    ],
    caughtBy: { seeds: '1..80' },
  },
  {
    name: 'vote-without-log-check',
    what: 'a vote is given to a candidate whose log lacks entries (RAFT 3.2)',
    edits: [
      {
        file: 'src/raft/election.ts',
        from: 'if (!free || !core.log.isUpToDate(message.index, message.logTerm)) {',
        to: 'if (!free) {',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'commit-by-old-term',
    what: 'entries of earlier terms commit by counting, figure 8 (RAFT 3.6)',
    edits: [
      {
        file: 'src/raft/log.ts',
        from: 'if (index <= this.#committed || !this.matches(index, term)) return false',
        to: 'if (index <= this.#committed || term < 0) return false',
      },
    ],
    caughtBy: { seeds: '1..80' },
  },
  {
    name: 'commit-without-majority',
    what: 'half of the voters is taken for a majority (RAFT 3.6)',
    edits: [
      {
        file: 'src/raft/quorum.ts',
        from: 'const majority = (count >> 1) + 1\n  return scratch',
        to: 'const majority = (count + 1) >> 1 || 1\n  return scratch',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'no-commit-cap',
    what: 'a follower commits beyond what the append vouched for (RAFT 3.4, rule 6)',
    edits: [
      {
        file: 'src/raft/log.ts',
        from: 'this.commitTo(Math.min(leaderCommit, prevIndex + entries.length))',
        to: 'this.commitTo(Math.min(leaderCommit, this.lastIndex))',
      },
    ],
    caughtBy: { tests: 'test/unit/raft/*.test.ts' },
  },
  {
    name: 'heartbeat-commit-uncapped',
    what: "a heartbeat's commit index is not capped at the peer's match (RAFT 3.4)",
    edits: [
      {
        file: 'src/raft/replication.ts',
        from: 'const commit = Math.min(peer.match, core.log.committed)',
        to: 'const commit = core.log.committed',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'truncate-without-conflict',
    what: 'an old, short append cuts off what later ones brought (RAFT 3.4, rule 3)',
    edits: [
      {
        file: 'src/raft/log.ts',
        from: 'if (!entry || this.matches(entry.index, entry.term)) continue',
        to: 'if (!entry || entry.index <= this.#committed) continue',
      },
    ],
    caughtBy: { seeds: '1..80' },
  },
  {
    name: 'apply-before-durable',
    what: 'committed entries are applied before the own disk has them (RAFT 3.6, etcd#14370)',
    edits: [
      {
        file: 'src/raft/core.ts',
        from: 'this.log = new RaftLog(storage, options.maxCommittedBytesPerReady, !options.asyncStorageWrites)',
        to: 'this.log = new RaftLog(storage, options.maxCommittedBytesPerReady, true)',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'leader-counts-unwritten',
    what: 'a leader counts its own entry before its own disk has it (RAFT 3.6)',
    edits: [
      {
        file: 'src/raft/leader.ts',
        from: "core.sendAfterAppend('append-response', core.id, { index })\n  return true",
        to: "core.tracker.get(core.id)?.acknowledge(index)\n  core.sendAfterAppend('append-response', core.id, { index })\n  return true",
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'restart-forgets-term',
    what: 'a node starts in term 0 whatever its disk says (RAFT 9, 7)',
    edits: [
      {
        file: 'src/raft/core.ts',
        from: 'this.term = hardState.term\n    this.vote = hardState.vote',
        to: 'this.term = 0\n    this.vote = 0',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'stale-rejection-lowers-match',
    what: 'a late rejection takes back what a peer has acknowledged (RAFT 3.5)',
    edits: [
      {
        file: 'src/raft/progress.ts',
        from: 'if (rejected <= this.match) return false\n      this.next = this.match + 1',
        to: 'this.match = Math.min(this.match, hint)\n      this.next = this.match + 1',
      },
    ],
    caughtBy: { seeds: '1..120' },
  },
  {
    name: 'read-without-round',
    what: 'a leader serves reads without asking whether it still leads (RAFT 7)',
    edits: [
      {
        file: 'src/raft/leader.ts',
        from: 'if (core.tracker.isSingleton || leased) {',
        to: 'if (core.tracker.isSingleton || leased || read.index >= 0) {',
      },
    ],
    caughtBy: { tests: 'test/sim/regressions.test.ts' },
  },
  {
    name: 'read-before-own-commit',
    what: 'a new leader serves reads before it has committed an entry of its term (RAFT 7, redisraft#18)',
    edits: [
      {
        file: 'src/raft/leader.ts',
        from: 'if (!core.committedInTerm) core.reads.wait({ from, context, index: 0 })\n  else serveRead',
        to: 'serveRead',
      },
    ],
    caughtBy: { seeds: '1..120' },
  },
  {
    name: 'any-echo-confirms',
    what: "a late heartbeat's answer confirms reads that came after it (RAFT 7, etcd#20418)",
    edits: [
      {
        file: 'src/raft/reads.ts',
        from: 'const count = Math.min(Number(view.getBigUint64(0)), this.#takenCount)',
        to: 'const count = Number(view.getBigUint64(0)) >= 0 ? this.#takenCount : 0',
      },
    ],
    caughtBy: { tests: 'test/sim/regressions.test.ts' },
  },
  {
    name: 'no-stickiness',
    what: 'voters help a candidate depose a leader that they hear (RAFT 3.2)',
    edits: [
      {
        file: 'src/raft/election.ts',
        from: 'core.options.checkQuorum &&\n    core.leader',
        to: 'core.term < 0 &&\n    core.leader',
      },
    ],
    caughtBy: { tests: 'test/unit/raft/*.test.ts' },
  },
]

const storage: readonly Planted[] = [
  {
    name: 'no-fsync',
    what: 'the log is written but not synced (RAFT 4.1)',
    edits: [
      {
        file: 'src/storage/wal.ts',
        from: 'file.writeDurably(parts, offset, error => {',
        to: 'file.writeLater(Buffer.concat(parts), offset, error => {',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'no-directory-sync',
    what: "a new segment's name is not made durable (RAFT 4.1)",
    edits: [
      {
        file: 'src/storage/spare-segment.ts',
        from: 'this.#disk.syncDirectoryLater(this.#directory, error => {\n      if (error === null) this',
        to: 'this.#file?.syncLater(error => {\n      if (error === null) this',
      },
    ],
    caughtBy: { seeds: '1..80' },
  },
  {
    name: 'recycles-before-sync',
    what: 'a retired segment is filled with zeros while a crash may bring its name back (RAFT 4.1)',
    edits: [
      {
        file: 'src/storage/recycled-segments.ts',
        from: '    this.#leaving += leaving.length\n',
        to: '    this.#kept.push(...leaving.splice(0))\n',
      },
    ],
    caughtBy: { tests: 'test/unit/storage/recycled-segments.test.ts' },
  },
  {
    name: 'sync-error-ignored',
    what: 'a failed fsync is taken for a success (RAFT 4.3)',
    edits: [
      {
        file: 'src/storage/wal.ts',
        from: '      if (error !== null) {\n        this.#isFailed = true\n        return batch.done(error)\n      }\n      this.#bytesTotal',
        to: '      this.#bytesTotal',
      },
    ],
    caughtBy: { seeds: '1..120' },
  },
  {
    name: 'truncate-on-corruption',
    what: 'a bad record in the middle of the log is cut off like a torn tail (RAFT 4.2, nats#7549)',
    edits: [
      {
        file: 'src/storage/wal-recovery.ts',
        from: 'const witness = findSynced(bytes, offset, header.base)\n      if (witness !== null) {',
        to: 'const witness = findSynced(bytes, offset, header.base) ?? 0\n      if (witness < 0) {',
      },
    ],
    caughtBy: { seeds: '1..200' },
  },
  {
    name: 'vote-after-amnesia',
    what: 'a replica with a damaged log goes on voting and acknowledging (RAFT 4.2)',
    edits: [{ file: 'src/node.ts', from: 'log.damaged !== null,', to: 'false,' }],
    caughtBy: { seeds: '1..80' },
  },
]

const broker: readonly Planted[] = [
  {
    name: 'no-dedupe',
    what: 'a repeated sequence of a producer session is done again (DECISIONS 8)',
    edits: [
      {
        file: 'src/machine/machine.ts',
        from: 'this.#skip(payload, end)\n      return known\n',
        to: 'return this.#applyOne(payload, end, this.#at)\n',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'dedupe-not-in-snapshot',
    what: 'producer sessions are left out of snapshots (DECISIONS 8)',
    edits: [
      {
        file: 'src/machine/snapshot.ts',
        from: 'this.#producers = state.sessions.producers()',
        to: 'this.#producers = state.sessions.producers().slice(0, 0)',
      },
    ],
    caughtBy: { seeds: '1..120' },
  },
  {
    name: 'pending-not-in-snapshot',
    what: 'the newest pending entry of a group is left out of snapshots (TESTING 10)',
    edits: [
      {
        file: 'src/machine/types/group-cut.ts',
        from: 'writer.varint(halfAt(words, at + PENDING_COUNT))',
        to: 'writer.varint(0)',
      },
    ],
    caughtBy: { seeds: '1..80' },
  },
  {
    name: 'clock-in-apply',
    what: 'a replica reads a clock while it applies (DECISIONS 5)',
    edits: [
      {
        file: 'src/machine/machine.ts',
        from: 'at.now = Math.max(0, Math.floor(payloadNow(payload)))',
        to: 'at.now = Math.floor(payloadNow(payload)) + (Math.floor(performance.now() * 1000) % 1000)',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'id-follows-clock',
    what: 'an ID needs a clock that is ahead of the last one (TESTING 7A, 4)',
    edits: [
      {
        file: 'src/machine/commands/xadd.ts',
        from: 'return now > last.ms ? { ms: now, seq: 0 } : nextId(last)',
        to: 'return now > last.ms ? { ms: now, seq: 0 } : null',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'watch-not-compared',
    what: 'a transaction is applied although a key that it watches was changed',
    edits: [
      {
        file: 'src/machine/machine.ts',
        from: 'if (this.isChanged(watches, at.now)) return NULL_ARRAY',
        to: 'if (watches.length > this.#index) return NULL_ARRAY',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'changes-not-in-snapshot',
    what: 'a replica that takes a snapshot forgets which entry changed a key last',
    edits: [
      {
        file: 'src/machine/snapshot.ts',
        from: 'VERSION_WITHOUT_CHANGES ? reader.count() : 0',
        to: 'VERSION_WITHOUT_CHANGES ? reader.count() * 0 : 0',
      },
    ],
    caughtBy: { seeds: '1..120' },
  },
  {
    name: 'exec-overtakes-watch',
    what: 'a transaction does not wait for the WATCH before it',
    edits: [
      {
        file: 'src/broker/transaction-road.ts',
        from: 'return (transaction.writes || watch !== null) && session.reads > 0',
        to: 'return transaction.writes && watch === null && session.reads > 0',
      },
    ],
    caughtBy: { tests: 'test/unit/broker/*.test.ts' },
  },
  {
    name: 'interest-not-asked',
    what: 'a node that missed a change of what another wants to hear does not ask for it',
    edits: [
      {
        file: 'src/broker/pubsub/peers.ts',
        from: '    } else if (base !== peer.known) {',
        to: '    } else if (base !== peer.known && peer.id < 0) {',
      },
    ],
    caughtBy: { tests: 'test/sim/pubsub.test.ts' },
  },
  {
    name: 'publish-overtakes-write',
    what: 'a PUBLISH does not wait for the write before it in the pipeline',
    edits: [
      {
        file: 'src/broker/commands/pubsub.ts',
        from: '    barrier: true,\n    run: publish,',
        to: '    run: publish,',
      },
    ],
    caughtBy: { tests: 'test/unit/broker/pubsub/*.test.ts' },
  },
  {
    name: 'claim-ignores-idle',
    what: 'XCLAIM takes an entry that was delivered just now (TESTING 7B, 5)',
    edits: [
      {
        file: 'src/machine/commands/claims.ts',
        from: 'if (!isIdleHere(group, minIdle, at)) continue',
        to: 'if (!isIdleHere(group, -1, at)) continue',
      },
    ],
    caughtBy: WITHIN,
  },
  {
    name: 'answer-by-index',
    what: 'a waiting client is answered by the entry at its index, whatever its term (RAFT 3.9)',
    edits: [
      {
        file: 'src/replica/proposals.ts',
        from: 'if (found.term !== term) {',
        to: 'if (found.term < 0) {',
      },
    ],
    caughtBy: { seeds: '1..300' },
  },
  {
    name: 'in-doubt-is-not-done',
    what: 'a proposal whose leader was deposed is called surely not done (RAFT 3.9)',
    edits: [
      {
        file: 'src/replica/proposals.ts',
        from: "if (proposal.term < term) this.#end(index, proposal, 'in-doubt')",
        to: "if (proposal.term < term) this.#end(index, proposal, 'moved')",
      },
    ],
    caughtBy: { seeds: '1..200' },
  },
]

export const PLANTED: readonly Planted[] = [...raft, ...storage, ...broker, ...valueBugs]
