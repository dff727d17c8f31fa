// TIME, ROLE, WAIT: small questions about the node.

import type { Argv } from '../../base/argv.ts'
import { NO_NODE } from '../../base/types.ts'
import { parseInteger } from '../../machine/integers.ts'
import { array, fail, integer, notInteger, type Reply, text } from '../../machine/reply.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import { FOLLOWER_ROLE_WORD, LEADER_WORD } from '../redis-words.ts'
import type { Session } from '../session.ts'
import { keylessFacts } from './help.ts'

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

/**
 * How many replicas besides the leader have every acknowledged write of the session.
 *
 * It is a barrier, so all writes before it are answered, and each answer meant a
 * majority: there is nothing left to wait for, and more is not known.
 */
function wait(desk: Desk, _session: Session, argv: Argv): Reply {
  if (parseInteger(argv, 1) === null) return notInteger
  const timeout = parseInteger(argv, 2)
  if (timeout === null) return fail('ERR timeout is not an integer or out of range')
  if (timeout < 0) return fail('ERR timeout is negative')
  let least = Number.POSITIVE_INFINITY
  for (const { voters } of desk.ports.directory.map().shards.values())
    least = Math.min(least, Math.floor(voters.length / 2))
  return integer(Number.isFinite(least) ? least : 0)
}

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
    ...keylessFacts('wait', 3, '3.0.0', 'Returns how many replicas have the writes before it.', {
      categories: ['slow', 'blocking', 'connection'],
      flags: ['blocking'],
      group: 'generic',
    }),
    barrier: true,
    run: wait,
  },
]
