// MULTI, EXEC, DISCARD, WATCH, UNWATCH: how they are called, and those that touch the session only.
//
// EXEC and WATCH go to a shard, so the road does them (road.ts, exec.ts).

import { keysFrom } from '../../machine/commands/facts.ts'
import { OK } from '../../machine/reply.ts'
import type { DeskCommand } from '../desk.ts'
import { discardWithoutMulti, needsOrder, nestedMulti } from '../refusals.ts'
import { Transaction } from '../transaction.ts'
import { keylessFacts } from './help.ts'

const SHARED = {
  categories: ['fast', 'transaction'],
  flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
  group: 'transactions',
} as const

export const TRANSACTION_COMMANDS: readonly DeskCommand[] = [
  {
    ...keylessFacts('multi', 1, '1.2.0', 'Starts a transaction.', SHARED),
    immediate: true,
    run(_desk, session) {
      if (!session.ordered) return needsOrder
      if (session.transaction !== null) return nestedMulti
      session.transaction = new Transaction()
      return OK
    },
  },
  {
    ...keylessFacts('exec', 1, '1.2.0', 'Executes all commands in a transaction.', {
      categories: ['slow', 'transaction'],
      flags: ['noscript', 'loading', 'stale', 'skip_slowlog'],
      group: 'transactions',
    }),
    complexity: 'Depends on commands in the transaction',
    immediate: true,
    errand: 'exec',
  },
  {
    ...keylessFacts('discard', 1, '2.0.0', 'Discards a transaction.', SHARED),
    complexity: 'O(N), when N is the number of queued commands',
    immediate: true,
    run(_desk, session) {
      if (session.transaction === null) return discardWithoutMulti
      session.dropTransaction()
      return OK
    },
  },
  {
    ...keylessFacts(
      'watch',
      -2,
      '2.2.0',
      'Monitors changes to keys to determine the execution of a transaction.',
      SHARED,
    ),
    complexity: 'O(1) for every key.',
    keys: keysFrom(1, 'RO'),
    immediate: true,
    errand: 'watch',
  },
  {
    ...keylessFacts('unwatch', 1, '2.2.0', 'Forgets about watched keys of a transaction.', SHARED),
    run(_desk, session) {
      session.watch = null
      return OK
    },
  },
]
