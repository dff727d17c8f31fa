// SAVE and its kin: shards are written as snapshots.
//
// Nothing depends on them: every write is on disk before its answer. A snapshot
// makes the log behind it shorter, and so the next start.

import type { Argv } from '../../base/argv.ts'
import { fail, integer, OK, type Reply, syntaxError } from '../../machine/reply.ts'
import { type Desk, type DeskCommand, LATER } from '../desk.ts'
import type { Session } from '../session.ts'
import { keylessFacts } from './help.ts'

const SHARED = {
  categories: ['admin', 'slow', 'dangerous'],
  flags: ['admin', 'noscript', 'no_async_loading', 'no_multi'],
  group: 'server',
} as const

const busy = fail('ERR Background save already in progress')
const rewrites = fail('ERR Background append only file rewriting already in progress')
const failed = fail('ERR a snapshot could not be written')
const begun: Reply = { kind: 'simple', text: 'Background saving started' }
const rewriting: Reply = {
  kind: 'simple',
  text: 'Background append only file rewriting started',
}

function save(desk: Desk, session: Session, _argv: Argv, place: number): Reply | typeof LATER {
  const { snapshots } = desk.ports
  if (snapshots === undefined) return OK
  if (snapshots.running) return busy
  let ended: boolean | null = null
  let answered = false
  snapshots.take(ok => {
    ended = ok
    if (answered && !session.closed) session.answer(place, ok ? OK : failed)
  })
  if (ended !== null) return ended ? OK : failed
  answered = true
  session.markWait(place, null)
  return LATER
}

function saveInBackground(desk: Desk, _session: Session, argv: Argv): Reply {
  if (argv.count > 2 || (argv.count === 2 && !argv.is(1, 'SCHEDULE'))) return syntaxError
  return desk.ports.snapshots?.take(() => {}) === false && argv.count === 1 ? busy : begun
}

/** The log has no form but its own; what a rewrite is for, a snapshot does. */
function rewriteLog(desk: Desk): Reply {
  return desk.ports.snapshots?.take(() => {}) === false ? rewrites : rewriting
}

export const PERSISTENCE_COMMANDS: readonly DeskCommand[] = [
  {
    ...keylessFacts('save', 1, '1.0.0', 'Writes all shards of the node as snapshots.', SHARED),
    run: save,
  },
  {
    ...keylessFacts('bgsave', -1, '1.0.0', 'Begins to write all shards as snapshots.', {
      ...SHARED,
      flags: ['admin', 'noscript', 'no_async_loading'],
    }),
    run: saveInBackground,
  },
  {
    ...keylessFacts('bgrewriteaof', 1, '1.0.0', 'Begins to write all shards as snapshots.', {
      ...SHARED,
      flags: ['admin', 'noscript', 'no_async_loading'],
    }),
    run: rewriteLog,
  },
  {
    ...keylessFacts('lastsave', 1, '1.0.0', 'Returns when all shards were last written.', {
      categories: ['admin', 'fast', 'dangerous'],
      flags: ['loading', 'stale', 'fast'],
      group: 'server',
    }),
    tips: ['nondeterministic_output'],
    run: desk => integer(Math.floor((desk.ports.snapshots?.lastAt ?? 0) / 1000)),
  },
]
