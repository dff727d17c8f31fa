// CONFIG: what holds here under Redis' names, and changes that last until the node ends.

import type { Argv } from '../../base/argv.ts'
import { globMatch } from '../../machine/glob.ts'
import { fail, OK, type Reply, syntaxError, text } from '../../machine/reply.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import type { Session } from '../session.ts'
import { type Change, CONFIG_ROWS } from './config-rows.ts'
import { byWord, helpCommand, keylessFacts } from './help.ts'

const SHARED = {
  categories: ['admin', 'slow', 'dangerous'],
  flags: ['admin', 'noscript', 'loading', 'stale'],
  group: 'server',
} as const

const WILDCARDS = /[*?[]/

function get(desk: Desk, _session: Session, argv: Argv): Reply {
  const items: Reply[] = []
  for (const { name, show } of CONFIG_ROWS.values()) {
    for (let i = 2; i < argv.count; i += 1) {
      const asked = argv.latin1(i)
      if (!globMatch(asked, name, true)) continue
      // A name without wildcards comes back as it was typed.
      items.push(text(WILDCARDS.test(asked) ? name : asked), text(show(desk)))
      break
    }
  }
  return { kind: 'map', items }
}

/** All are read before the first is changed: all or nothing. */
function set(desk: Desk, _session: Session, argv: Argv): Reply {
  if (argv.count % 2 !== 0) return syntaxError
  const changes: Change[] = []
  const seen = new Set<string>()
  for (let i = 2; i < argv.count; i += 2) {
    const asked = argv.latin1(i)
    const row = CONFIG_ROWS.get(asked.toLowerCase())
    if (row === undefined)
      return fail(`ERR Unknown option or number of arguments for CONFIG SET - '${asked}'`)
    const failed = (why: string) =>
      fail(`ERR CONFIG SET failed (possibly related to argument '${asked}') - ${why}`)
    if (seen.has(row.name)) return failed('duplicate parameter')
    seen.add(row.name)
    const value = argv.latin1(i + 1)
    if (row.read === undefined) {
      if (value !== row.show(desk)) return failed("can't set immutable config")
      continue
    }
    const change = row.read(value)
    if (typeof change === 'string') return failed(change)
    changes.push(change)
  }
  const { settings } = desk
  for (const change of changes) change(settings)
  if (changes.length > 0) settings.changed()
  return OK
}

function resetStat(desk: Desk): Reply {
  const { tally, meter, errorCounts } = desk
  tally.connections = 0
  tally.commands = 0
  tally.errors = 0
  tally.refused = 0
  tally.bytesIn = 0
  tally.bytesOut = 0
  // What connections that live have moved belongs to the time before.
  for (const { bytesIn, bytesOut } of desk.sessions.values()) {
    tally.bytesIn -= bytesIn
    tally.bytesOut -= bytesOut
  }
  meter.stats.reset()
  errorCounts.reset()
  desk.peak.bytes = 0
  return OK
}

const SUBCOMMANDS: readonly DeskCommand[] = [
  {
    ...keylessFacts('config|get', -3, '2.0.0', 'Returns the values of settings.', SHARED),
    run: get,
  },
  {
    ...keylessFacts('config|set', -4, '2.0.0', 'Changes settings until the node ends.', SHARED),
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
