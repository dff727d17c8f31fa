// SLOWLOG: the commands whose own work took too long (work-meter.ts).

import type { Argv } from '../../base/argv.ts'
import { parseInteger } from '../../machine/integers.ts'
import { array, fail, integer, OK, type Reply, text } from '../../machine/reply.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import type { Session } from '../session.ts'
import type { SlowEntry } from '../slow-log.ts'
import { byWord, helpCommand, keylessFacts, latin1 } from './help.ts'

const SHARED = {
  categories: ['admin', 'slow', 'dangerous'],
  flags: ['admin', 'loading', 'stale'],
  group: 'server',
} as const

const COUNT_DEFAULT = 10
const badCount = fail('ERR count should be greater than or equal to -1')

function entryReply({ id, at, micros, words, client, clientName }: SlowEntry): Reply {
  return array([
    integer(id),
    integer(at),
    integer(micros),
    array(words.map(latin1)),
    text(client),
    latin1(clientName),
  ])
}

function badForm(argv: Argv): Reply {
  return fail(
    `ERR unknown subcommand or wrong number of arguments for '${argv.latin1(1)}'. Try SLOWLOG HELP.`,
  )
}

function get(desk: Desk, _session: Session, argv: Argv): Reply {
  const { slowLog } = desk.meter
  let count = COUNT_DEFAULT
  if (argv.count > 3) return badForm(argv)
  if (argv.count === 3) {
    const asked = parseInteger(argv, 2)
    if (asked === null || asked < -1) return badCount
    count = asked === -1 ? slowLog.length : Math.min(Number(asked), slowLog.length)
  }
  return array(slowLog.newest(count).map(entryReply))
}

const SUBCOMMANDS: readonly DeskCommand[] = [
  {
    ...keylessFacts('slowlog|get', -2, '2.2.12', "Returns the slow log's newest entries.", SHARED),
    tips: ['request_policy:all_nodes', 'nondeterministic_output'],
    run: get,
  },
  {
    ...keylessFacts('slowlog|len', 2, '2.2.12', 'Returns the length of the slow log.', SHARED),
    tips: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
    run: desk => integer(desk.meter.slowLog.length),
  },
  {
    ...keylessFacts('slowlog|reset', 2, '2.2.12', 'Empties the slow log.', SHARED),
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: desk => {
      desk.meter.slowLog.reset()
      return OK
    },
  },
]

export const SLOWLOG_COMMAND: DeskCommand = {
  ...keylessFacts('slowlog', -2, '2.2.12', 'A container for slow log commands.', {
    ...SHARED,
    categories: ['slow'],
    flags: [],
  }),
  subcommands: byWord('slowlog', [
    ...SUBCOMMANDS,
    helpCommand(
      'slowlog',
      '6.2.0',
      { ...SHARED, categories: ['slow'], flags: ['loading', 'stale'] },
      SUBCOMMANDS,
    ),
  ]),
}
