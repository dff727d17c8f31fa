// TIME, ROLE, SHUTDOWN, and what is refused because a cluster does it by itself.

import type { Argv } from '../../base/argv.ts'
import { NO_NODE } from '../../base/types.ts'
import { parseInteger } from '../../machine/integers.ts'
import {
  array,
  fail,
  integer,
  notInteger,
  OK,
  type Reply,
  syntaxError,
  text,
} from '../../machine/reply.ts'
import { type Desk, type DeskCommand, LATER } from '../desk.ts'
import { FOLLOWER_ROLE_WORD, LEADER_WORD, REPLICAOF_OLD_WORD } from '../redis-words.ts'
import type { Session } from '../session.ts'
import { keylessFacts } from './help.ts'

const SHUTDOWN_WORDS = ['NOSAVE', 'SAVE', 'NOW', 'FORCE', 'ABORT']

function time(desk: Desk): Reply {
  const now = desk.ports.clock.now()
  const seconds = Math.floor(now / 1000)
  const micros = Math.floor((now - seconds * 1000) * 1000)
  return array([text(String(seconds)), text(String(micros))])
}

/** A node that leads any shard is a leader to Redis' clients; else it follows whoever leads its first. */
function role(desk: Desk): Reply {
  const { directory } = desk.ports
  const all = desk.shards()
  const first = all[0]
  const offset = all.reduce((sum, { replica }) => sum + replica.commit, 0)
  if (first === undefined || all.some(({ replica }) => replica.isLeader))
    return array([text(LEADER_WORD), integer(offset), array([])])
  const leader = directory.map().nodes.get(first.replica.leader)
  return array([
    text(FOLLOWER_ROLE_WORD),
    text(leader?.resp.host ?? ''),
    integer(leader?.resp.port ?? 0),
    text(first.replica.leader === NO_NODE ? 'connect' : 'connected'),
    integer(offset),
  ])
}

/** The words of SHUTDOWN; null: they do not go together. */
function shutdownWords(argv: Argv): ReadonlySet<string> | null {
  const words = new Set<string>()
  for (let i = 1; i < argv.count; i += 1) {
    const word = argv.upper(i)
    if (!SHUTDOWN_WORDS.includes(word)) return null
    words.add(word)
  }
  const contradict = words.has('SAVE') && words.has('NOSAVE')
  return contradict || (words.has('ABORT') && words.size > 1) ? null : words
}

/** Stops the node in order; who asked sees the connection close, as all others do. */
function shutdown(desk: Desk, _session: Session, argv: Argv): Reply | typeof LATER {
  const words = shutdownWords(argv)
  if (words === null) return syntaxError
  if (words.has('ABORT')) return fail('ERR No shutdown in progress.')
  const stop = desk.ports.shutdown
  if (stop === undefined) return fail('ERR Errors trying to SHUTDOWN. Check logs.')
  const saves = words.has('SAVE') && desk.ports.snapshots?.take(() => stop()) === true
  if (!saves) stop()
  return LATER
}

/** Leaders move by themselves, and by `slotcast ctl`; nobody is told whom to follow. */
function failover(desk: Desk, _session: Session, argv: Argv): Reply {
  if (desk.ports.options.clusterEnabled) return fail('ERR FAILOVER not allowed in cluster mode.')
  if (argv.count === 2 && argv.is(1, 'ABORT')) return fail('ERR No failover in progress.')
  for (let i = 1; i < argv.count; i += 1) {
    if (argv.is(i, 'TIMEOUT') && i + 1 < argv.count) {
      if (parseInteger(argv, i + 1) === null) return notInteger
      i += 1
    } else if (argv.is(i, 'TO') && i + 2 < argv.count) {
      if (parseInteger(argv, i + 2) === null) return notInteger
      i += 2
    } else if (!argv.is(i, 'FORCE')) return syntaxError
  }
  return fail('ERR FAILOVER requires connected replicas.')
}

function replicaOf(desk: Desk, _session: Session, argv: Argv): Reply {
  if (desk.ports.options.clusterEnabled) return fail('ERR REPLICAOF not allowed in cluster mode.')
  if (argv.is(1, 'NO') && argv.is(2, 'ONE')) return OK
  return fail('ERR REPLICAOF is not supported: the nodes of a cluster replicate by themselves')
}

const ADMIN = {
  categories: ['admin', 'slow', 'dangerous'],
  flags: ['admin', 'noscript', 'stale'],
  group: 'server',
} as const

export const SERVER_COMMANDS: readonly DeskCommand[] = [
  {
    ...keylessFacts('time', 1, '2.6.0', "Returns the node's wall clock.", {
      categories: ['fast'],
      flags: ['loading', 'stale', 'fast'],
      group: 'server',
    }),
    run: time,
  },
  {
    ...keylessFacts('role', 1, '2.8.12', 'Returns whether the node leads or follows.', {
      categories: ['admin', 'fast', 'dangerous'],
      flags: ['noscript', 'loading', 'stale', 'fast'],
      group: 'server',
    }),
    run: role,
  },
  {
    ...keylessFacts('shutdown', -1, '1.0.0', 'Stops the node in order.', {
      ...ADMIN,
      flags: ['admin', 'noscript', 'loading', 'stale', 'no_multi', 'allow_busy'],
    }),
    run: shutdown,
  },
  {
    ...keylessFacts('failover', -1, '6.2.0', 'Refused: leaders move by themselves.', ADMIN),
    run: failover,
  },
  {
    ...keylessFacts('replicaof', 3, '5.0.0', 'Refused: nodes replicate by themselves.', ADMIN),
    run: replicaOf,
  },
  {
    ...keylessFacts(
      REPLICAOF_OLD_WORD,
      3,
      '1.0.0',
      'Refused: nodes replicate by themselves.',
      ADMIN,
    ),
    run: replicaOf,
  },
]
