// CONFIG: what holds here under Redis' names, and changes that last until the node ends.

import { Argv } from '../../base/argv.ts'
import { globMatch } from '../../machine/glob.ts'
import { fail, OK, type Reply, syntaxError, text } from '../../machine/reply.ts'
import type { Asker } from '../../replica/ports.ts'
import { type Desk, type DeskCommand, LATER, NO_PLACE } from '../desk.ts'
import { Gatherer } from '../gathering.ts'
import { overloaded } from '../refusals.ts'
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
function set(desk: Desk, session: Session, argv: Argv, place: number): Reply | typeof LATER {
  if (argv.count % 2 !== 0) return syntaxError
  const changes: Change[] = []
  const orders: (readonly string[])[] = []
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
    if (row.order !== undefined) {
      const words = row.order(value)
      if (typeof words === 'string') return failed(words)
      orders.push(words)
      continue
    }
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
  return orders.length === 0 ? OK : order(desk, session, place, orders)
}

/** Has every shard that is led here apply the commands of `orders`. */
function order(
  desk: Desk,
  session: Session,
  place: number,
  orders: readonly (readonly string[])[],
): Reply | typeof LATER {
  const led = desk.shards().filter(({ replica }) => replica.isLeader)
  if (led.length === 0) return OK
  const inTransaction = place === NO_PLACE
  const asker = inTransaction
    ? NOBODY
    : new Gatherer(session, place, 'ok', led.length * orders.length)
  if (!inTransaction) session.markWait(place, null)
  for (const words of orders)
    for (const { replica } of led)
      if (replica.propose(asker, 0, Argv.of(...words), null, false) !== null)
        asker.answer(0, overloaded)
  return inTransaction ? OK : LATER
}

/** In a transaction the answer is given before the shards have theirs. */
const NOBODY: Asker<Reply> = { closed: false, answer: () => {}, lose: () => {} }

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
    barrier: true,
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
