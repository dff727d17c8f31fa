// CONFIG, as far as clients of Redis ask: what holds here, under Redis' names.
//
// A setting is changed in the config file, not by a client: SET refuses, except
// to what holds already, so that scripts which set it to be sure go on.

import type { Argv } from '../../base/argv.ts'
import { limits } from '../../base/limits.ts'
import { globMatch } from '../../machine/glob.ts'
import { fail, OK, type Reply, text } from '../../machine/reply.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import type { Session } from '../session.ts'
import { byWord, helpCommand, keylessFacts } from './help.ts'

const SHARED = {
  categories: ['admin', 'slow', 'dangerous'],
  flags: ['admin', 'noscript', 'loading', 'stale'],
  group: 'server',
} as const

function settings(desk: Desk): ReadonlyMap<string, string> {
  const { clusterEnabled, memoryBytesMax = 0 } = desk.ports.options
  return new Map([
    // Each write is on a majority's disks before its reply: in Redis' words, an AOF synced always.
    ['appendfsync', 'always'],
    ['appendonly', 'yes'],
    ['client-query-buffer-limit', String(limits.commandBytesMax)],
    ['cluster-enabled', clusterEnabled ? 'yes' : 'no'],
    ['cluster-require-full-coverage', 'no'],
    ['databases', '1'],
    ['maxmemory', String(memoryBytesMax)],
    ['maxmemory-policy', 'noeviction'],
    ['min-replicas-to-write', '0'],
    ['notify-keyspace-events', ''],
    ['proto-max-bulk-len', String(limits.valueBytesMax)],
    ['requirepass', ''],
    ['save', ''],
    ['stream-node-max-bytes', '4096'],
    ['stream-node-max-entries', '100'],
    ['timeout', '0'],
  ])
}

function get(desk: Desk, _session: Session, argv: Argv): Reply {
  const items: Reply[] = []
  for (const [name, value] of settings(desk)) {
    for (let i = 2; i < argv.count; i += 1) {
      if (!globMatch(argv.latin1(i), name, true)) continue
      items.push(text(name), text(value))
      break
    }
  }
  return { kind: 'map', items }
}

function set(desk: Desk, _session: Session, argv: Argv): Reply {
  const known = settings(desk)
  const seen = new Set<string>()
  for (let i = 2; i < argv.count; i += 2) {
    const name = argv.latin1(i).toLowerCase()
    const value = known.get(name)
    if (value === undefined || i + 1 >= argv.count)
      return fail(`ERR Unknown option or number of arguments for CONFIG SET - '${argv.latin1(i)}'`)
    const failed = `ERR CONFIG SET failed (possibly related to argument '${argv.latin1(i)}')`
    if (seen.has(name)) return fail(`${failed} - duplicate parameter`)
    seen.add(name)
    if (argv.latin1(i + 1) !== value) return fail(`${failed} - can't set immutable config`)
  }
  return OK
}

function resetStat(desk: Desk): Reply {
  desk.tally.connections = 0
  desk.tally.commands = 0
  desk.tally.errors = 0
  desk.tally.refused = 0
  return OK
}

const SUBCOMMANDS: readonly DeskCommand[] = [
  {
    ...keylessFacts('config|get', -3, '2.0.0', 'Returns the values of settings.', SHARED),
    run: get,
  },
  {
    ...keylessFacts('config|set', -4, '2.0.0', 'Refuses to change settings.', SHARED),
    run: set,
  },
  {
    ...keylessFacts('config|resetstat', 2, '2.0.0', 'Resets the counts of INFO.', SHARED),
    run: resetStat,
  },
  {
    ...keylessFacts('config|rewrite', 2, '2.8.0', 'Refuses: files are the operator’s.', SHARED),
    run: () => fail('ERR The server is running without a config file'),
  },
]

export const CONFIG_COMMAND: DeskCommand = {
  ...keylessFacts('config', -2, '2.0.0', 'A container for server configuration commands.', {
    ...SHARED,
    flags: [],
  }),
  subcommands: byWord('config', [
    ...SUBCOMMANDS,
    helpCommand('config', '5.0.0', SHARED, SUBCOMMANDS),
  ]),
}
