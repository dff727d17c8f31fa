// CLIENT: who is connected, under which name, and how to end a wait or a connection.

import type { Argv } from '../../base/argv.ts'
import { badSubcommand } from '../../machine/commands/group-lookup.ts'
import { parseInteger, parseTimeoutMs } from '../../machine/integers.ts'
import {
  EMPTY_ARRAY,
  fail,
  integer,
  NULL,
  notInteger,
  OK,
  ONE,
  type Reply,
  syntaxError,
  text,
  ZERO,
} from '../../machine/reply.ts'
import type { Desk, DeskCommand, Run } from '../desk.ts'
import type { Session } from '../session.ts'
import { CLIENT_TYPES, kill, typeOf } from './client-kill.ts'
import { clientLine } from './client-line.ts'
import { isPlain, setName } from './connection.ts'
import { byWord, helpCommand, keylessFacts } from './help.ts'

const PLAIN = {
  categories: ['slow', 'connection'],
  flags: ['noscript', 'loading', 'stale'],
  group: 'connection',
} as const
const ADMIN = {
  categories: ['admin', 'slow', 'dangerous', 'connection'],
  flags: ['admin', 'noscript', 'loading', 'stale'],
  group: 'connection',
} as const

const invalidId = fail('ERR Invalid client ID')

function lines(desk: Desk, sessions: readonly Session[]): Reply {
  return {
    kind: 'verbatim',
    text: sessions.map(session => `${clientLine(desk, session)}\n`).join(''),
  }
}

function list(desk: Desk, _session: Session, argv: Argv): Reply {
  let chosen = [...desk.sessions.values()]
  if (argv.count === 2) return lines(desk, chosen)
  if (argv.is(2, 'TYPE') && argv.count === 4) {
    const type = argv.latin1(3).toLowerCase()
    if (!CLIENT_TYPES.includes(type)) return fail(`ERR Unknown client type '${argv.latin1(3)}'`)
    return lines(
      desk,
      chosen.filter(session => typeOf(session) === type),
    )
  }
  if (!argv.is(2, 'ID') || argv.count < 4) return syntaxError
  chosen = []
  for (let i = 3; i < argv.count; i += 1) {
    const id = parseInteger(argv, i)
    if (id === null) return invalidId
    const session = desk.sessions.get(Number(id))
    if (session !== undefined) chosen.push(session)
  }
  return lines(desk, chosen)
}

function setInfo(_desk: Desk, session: Session, argv: Argv): Reply {
  const isName = argv.is(2, 'LIB-NAME')
  if (!isName && !argv.is(2, 'LIB-VER')) return fail(`ERR Unrecognized option '${argv.latin1(2)}'`)
  if (!isPlain(argv, 3))
    return fail(`ERR ${argv.latin1(2)} cannot contain spaces, newlines or special characters.`)
  if (isName) session.libName = argv.latin1(3)
  else session.libVersion = argv.latin1(3)
  return OK
}

function unblock(desk: Desk, _session: Session, argv: Argv): Reply {
  if (argv.count > 4) return badSubcommand('CLIENT', argv.latin1(1))
  const withError = argv.count === 4 && argv.is(3, 'ERROR')
  if (argv.count === 4 && !withError && !argv.is(3, 'TIMEOUT'))
    return fail('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
  const id = parseInteger(argv, 2)
  if (id === null) return notInteger
  const session = desk.sessions.get(Number(id))
  return session !== undefined && desk.unblock(session, withError) ? ONE : ZERO
}

function reply(_desk: Desk, session: Session, argv: Argv): Reply | null {
  if (argv.is(2, 'ON')) {
    session.silence = 'none'
    return OK
  }
  if (argv.is(2, 'OFF')) session.silence = 'all'
  else if (argv.is(2, 'SKIP')) session.silence = session.silence === 'all' ? 'all' : 'next'
  else return syntaxError
  return null
}

/** A switch that is remembered and shown, and changes nothing: nothing is ever evicted here. */
function toggle(set: (session: Session, on: boolean) => void): Run {
  return (_desk, session, argv) => {
    if (!argv.is(2, 'ON') && !argv.is(2, 'OFF')) return syntaxError
    set(session, argv.is(2, 'ON'))
    return OK
  }
}

const noTracking = fail(
  'ERR CLIENT TRACKING ON is not supported: nothing here tells clients that a key changed',
)
const notTracking = fail(
  'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
)
const TRACKING_WORDS = ['BCAST', 'OPTIN', 'OPTOUT', 'NOLOOP']

/** Invalidations are not sent, and nobody is told that they were. */
function tracking(_desk: Desk, _session: Session, argv: Argv): Reply {
  const on = argv.is(2, 'ON')
  if (!on && !argv.is(2, 'OFF')) return syntaxError
  for (let i = 3; i < argv.count; i += 1) {
    const hasValue = argv.is(i, 'REDIRECT') || argv.is(i, 'PREFIX')
    if (hasValue && i + 1 < argv.count) i += 1
    else if (!TRACKING_WORDS.includes(argv.upper(i))) return syntaxError
  }
  return on ? noTracking : OK
}

function pause(desk: Desk, _session: Session, argv: Argv): Reply {
  const all = argv.count === 3 || argv.is(3, 'ALL')
  if (argv.count > 4) return badSubcommand('CLIENT', argv.latin1(1))
  if (!all && !argv.is(3, 'WRITE')) return fail('ERR CLIENT PAUSE mode must be WRITE or ALL')
  const timeout = parseTimeoutMs(argv, 2)
  if (typeof timeout !== 'number') return timeout
  desk.pause.begin(timeout, all)
  return OK
}

function facts(
  word: string,
  arity: number,
  since: string,
  summary: string,
  shared: typeof PLAIN | typeof ADMIN,
) {
  return keylessFacts(`client|${word}`, arity, since, summary, shared)
}

const SUBCOMMANDS: readonly DeskCommand[] = [
  {
    ...facts('id', 2, '5.0.0', 'Returns the unique ID of the connection.', PLAIN),
    run: (_desk, session) => integer(session.id),
  },
  {
    ...facts('setname', 3, '2.6.9', 'Sets the name of the connection.', PLAIN),
    run: (_desk, session, argv) => setName(session, argv, 2) ?? OK,
  },
  {
    ...facts('getname', 2, '2.6.9', 'Returns the name of the connection.', PLAIN),
    run: (_desk, session) => (session.name === '' ? NULL : text(session.name)),
  },
  {
    ...facts('setinfo', 4, '7.2.0', 'Sets facts about the client library.', PLAIN),
    run: setInfo,
  },
  {
    ...facts('info', 2, '6.2.0', 'Returns what is known of the connection.', PLAIN),
    run: (desk, session) => lines(desk, [session]),
  },
  { ...facts('list', -2, '2.4.0', 'Lists open connections.', ADMIN), run: list },
  { ...facts('kill', -3, '2.4.0', 'Closes open connections.', ADMIN), run: kill },
  {
    ...facts('unblock', -3, '5.0.0', 'Ends the wait of a blocked client.', ADMIN),
    run: unblock,
  },
  {
    ...facts('reply', 3, '3.2.0', 'Tells the server whether to reply.', PLAIN),
    barrier: true,
    heardInSilence: true,
    run: reply,
  },
  {
    ...facts('no-evict', 3, '7.0.0', 'Exempts the connection from eviction.', ADMIN),
    run: toggle((session, on) => {
      session.noEvict = on
    }),
  },
  {
    ...facts('no-touch', 3, '7.2.0', 'Reads leave access times alone.', PLAIN),
    run: toggle((session, on) => {
      session.noTouch = on
    }),
  },
  { ...facts('tracking', -3, '6.0.0', 'Server-assisted caching: OFF only.', PLAIN), run: tracking },
  {
    ...facts('caching', 3, '6.0.0', 'Server-assisted caching of the next command.', PLAIN),
    run: () => notTracking,
  },
  {
    ...facts('pause', -3, '3.0.0', 'Holds commands of all clients for a while.', ADMIN),
    run: pause,
  },
  {
    ...facts('unpause', 2, '6.2.0', 'Lets commands that were held go on.', ADMIN),
    run: desk => {
      desk.pause.end()
      return OK
    },
  },
  {
    ...facts('trackinginfo', 2, '6.2.0', 'Returns the state of client tracking.', PLAIN),
    run: () => ({
      kind: 'map',
      items: [
        text('flags'),
        { kind: 'set', items: [text('off')] },
        text('redirect'),
        integer(-1),
        text('prefixes'),
        EMPTY_ARRAY,
      ],
    }),
  },
  {
    ...facts('getredir', 2, '6.0.0', 'Returns the client that gets invalidations.', PLAIN),
    run: () => integer(-1),
  },
]

export const CLIENT_COMMAND: DeskCommand = {
  ...keylessFacts('client', -2, '2.4.0', 'A container for client connection commands.', {
    ...PLAIN,
    flags: [],
  }),
  subcommands: byWord('client', [
    ...SUBCOMMANDS,
    helpCommand('client', '5.0.0', PLAIN, SUBCOMMANDS),
  ]),
}
