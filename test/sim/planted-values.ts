// Planted bugs in what waits, expires, is drawn by chance or belongs together: for the actors on lists, sets and strings.

import type { Planted } from './planted.ts'

/** An answer was given; what becomes of the proposal is told to nobody. */
const DEAF = 'Object.assign(waiter, { answer() {}, lose() {}, stillWaits() {} })'

export const valueBugs: readonly Planted[] = [
  {
    name: 'blocked-pop-loses-its-number',
    what: 'a pop of a producer that waited is proposed again without its number, and serves twice (DECISIONS 8)',
    edits: [
      {
        file: 'src/replica/blocked-write.ts',
        from: "producer: { id: Buffer.from(id, 'latin1').toString('utf8'), epoch, sequence },",
        to: 'producer: sequence < 0 ? { id, epoch, sequence } : null,',
      },
    ],
    caughtBy: { seeds: '1..80' },
  },
  {
    name: 'blocked-pop-is-not-done',
    what: 'a pop that is in the log when leadership goes is called surely not done, and asked for again',
    edits: [
      {
        file: 'src/replica/waiters.ts',
        from: 'for (const waiter of [...waiters]) if (!waiter.proposed) waiter.lose(waiter.ticket, why)',
        to: `for (const waiter of [...waiters]) { waiter.lose(waiter.ticket, why); ${DEAF} }`,
      },
    ],
    caughtBy: { seeds: '1..250' },
  },
  {
    name: 'timeout-forgets-its-pop',
    what: 'a wait that ends in time is answered null although its pop is in the log',
    edits: [
      {
        file: 'src/replica/waiters.ts',
        from: "waiter.expired = true\n    if (!waiter.proposed) waiter.lose(waiter.ticket, 'timeout')",
        to: `waiter.expired = true\n    waiter.lose(waiter.ticket, 'timeout'); ${DEAF}`,
      },
    ],
    caughtBy: { seeds: '1..200' },
  },
  {
    name: 'wake-forgotten',
    what: 'most changes wake nobody who waits for it',
    edits: [
      {
        file: 'src/machine/keyspace.ts',
        from: 'this.#touched.add(key, this.moment)',
        to: 'if (this.moment % 3 === 0) this.#touched.add(key, this.moment)',
      },
    ],
    caughtBy: { seeds: '1..500' },
  },
  {
    name: 'chance-of-its-own',
    what: 'SPOP draws otherwise where somebody asked than on the other replicas (DECISIONS 5)',
    edits: [
      {
        file: 'src/machine/commands/members-picked.ts',
        from: 'for (let left = wanted; left > 0; left -= 1) set.pop(at.chance, visit)',
        to: 'if (at.asked) at.chance.next()\n      for (let left = wanted; left > 0; left -= 1) set.pop(at.chance, visit)',
      },
    ],
    caughtBy: { seeds: '1..40' },
  },
  {
    name: 'expiry-by-own-clock',
    what: 'keys die somewhat earlier where somebody asked than on the other replicas (DECISIONS 5)',
    edits: [
      {
        file: 'src/machine/machine.ts',
        from: 'this.#keyspace.begin(at.now, index)',
        to: 'this.#keyspace.begin(at.asked ? at.now + 20 : at.now, index)',
      },
    ],
    caughtBy: { seeds: '1..40' },
  },
  {
    name: 'buries-alive',
    what: 'the entry that removes dead keys removes those that were given more time meanwhile, too',
    edits: [
      {
        file: 'src/machine/commands/bury.ts',
        from: 'state.bury(argv.latin1(i))',
        to: 'state.delete(argv.latin1(i))',
      },
    ],
    caughtBy: { seeds: '1..200' },
  },
  {
    name: 'expiry-not-in-snapshot',
    what: 'a replica that takes a snapshot lets all keys live for ever',
    edits: [
      {
        file: 'src/machine/keyspace.ts',
        from: 'if (expiry !== 0) this.#expiries.put(holder)\n    this.#last = holder',
        to: 'holder.expiry = 0\n    this.#last = holder',
      },
    ],
    caughtBy: { seeds: '1..40' },
  },
  {
    name: 'torn-cut',
    what: 'a snapshot shows what a key became while it was read: half of a transaction, or an entry twice',
    edits: [
      {
        file: 'src/machine/snapshot.ts',
        from: 'if (!this.#early.has(holder)) this.#early.set(holder, cutOf(holder))',
        to: 'if (this.#early.size < 0) this.#early.set(holder, cutOf(holder))',
      },
    ],
    caughtBy: { seeds: '1..200' },
  },
  {
    name: 'set-is-no-change',
    what: 'who watches a key is not told that another client has overwritten it',
    edits: [
      {
        file: 'src/machine/commands/set.ts',
        from: '  state.noteChange(key)\n',
        to: '',
      },
    ],
    caughtBy: { seeds: '1..40' },
  },
  {
    name: 'half-a-transaction',
    what: 'the last command of a transaction is left out where nobody asked for its reply',
    edits: [
      {
        file: 'src/machine/machine.ts',
        from: 'const reply = this.#executeInTransaction(at)',
        to: 'const reply = at.asked || left > 1 ? this.#executeInTransaction(at) : NULL_ARRAY',
      },
    ],
    caughtBy: { seeds: '1..40' },
  },
]
