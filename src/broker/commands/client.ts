// CLIENT: who is connected, under which name, and how to end a wait or a connection.

import type { Argv } from '../../base/argv.ts'
import { parseInteger } from '../../machine/integers.ts'
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
import { FOLLOWER_ROLE_WORD, LEADER_WORD } from '../redis-words.ts'
import type { Session } from '../session.ts'
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

const KILLED = 'killed by CLIENT KILL'
const invalidId = fail('ERR Invalid client ID')

function flagsOf(session: Session): string {
  let flags = ''
  if (session.transaction !== null) flags += 'x'
  if (session.blocked.size > 0) flags += 'b'
  if (session.readonly) flags += 'r'
  if (session.noEvict) flags += 'e'
  if (session.noTouch) flags += 'T'
  if (session.closing !== null) flags += 'c'
  return flags === '' ? 'N' : flags
}

/** One line of CLIENT LIST. Figures that only Redis' own buffers have are 0. */
export function clientLine(session: Session, now: number): string {
  const { options } = session
  const seconds = (since: number) => Math.max(0, Math.floor((now - since) / 1000))
  return [
    `id=${session.id}`,
    `addr=${options.address}`,
    `laddr=${options.localAddress}`,
    'fd=-1',
    `name=${session.name}`,
    `age=${seconds(session.connectedAt)}`,
    `idle=${seconds(session.lastAt)}`,
    `flags=${flagsOf(session)}`,
    'db=0 sub=0 psub=0 ssub=0',
    `multi=${session.transaction?.steps.length ?? -1}`,
    `watch=${session.watch?.count ?? 0}`,
    'qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0',
    'rbs=0 rbp=0 obl=0 oll=0 omem=0 omem-shared=0 omem-unshared=0 tot-mem=0 events=r',
    `cmd=${session.lastCommand}`,
    'user=default redir=-1',
    `resp=${session.protocol}`,
    `lib-name=${session.libName}`,
    `lib-ver=${session.libVersion}`,
    'io-thread=0',
    `tot-net-in=${session.bytesIn}`,
    `tot-net-out=${session.bytesOut}`,
    `tot-cmds=${session.commandCount}`,
    'read-events=0 avg-pipeline-len-sum=0 avg-pipeline-len-cnt=0',
  ].join(' ')
}

function lines(desk: Desk, sessions: readonly Session[]): Reply {
  const now = desk.ports.clock.monotonic()
  return {
    kind: 'verbatim',
    text: sessions.map(session => `${clientLine(session, now)}\n`).join(''),
  }
}

/** The kinds of client that Redis tells apart; ours are all normal. */
const TYPES = ['normal', LEADER_WORD, 'replica', FOLLOWER_ROLE_WORD, 'pubsub']

function list(desk: Desk, _session: Session, argv: Argv): Reply {
  let chosen = [...desk.sessions.values()]
  if (argv.count === 2) return lines(desk, chosen)
  if (argv.is(2, 'TYPE') && argv.count === 4) {
    const type = argv.latin1(3).toLowerCase()
    if (!TYPES.includes(type)) return fail(`ERR Unknown client type '${argv.latin1(3)}'`)
    return lines(desk, type === 'normal' ? chosen : [])
  }
  if (!argv.is(2, 'ID') || argv.count < 4) return syntaxError
  chosen = []
  for (let i = 3; i < argv.count; i += 1) {
    const id = parseInteger(argv, i)
    if (id === null || id < 1) return invalidId
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

type Filter = (session: Session) => boolean

/** One filter of CLIENT KILL: its word and its value. */
function killFilter(desk: Desk, argv: Argv, i: number): Filter | Reply {
  const value = argv.latin1(i + 1)
  const number = parseInteger(argv, i + 1)
  switch (argv.upper(i)) {
    case 'ID':
      if (number === null || number < 1) return fail('ERR client-id should be greater than 0')
      return session => session.id === Number(number)
    case 'TYPE':
      if (!TYPES.includes(value.toLowerCase())) return fail(`ERR Unknown client type '${value}'`)
      return () => value.toLowerCase() === 'normal'
    case 'USER':
      if (value !== 'default') return fail(`ERR No such user '${value}'`)
      return () => true
    case 'ADDR':
      return session => session.options.address === value
    case 'LADDR':
      return session => session.options.localAddress === value
    case 'MAXAGE': {
      if (number === null) return fail('ERR maxage is not an integer or out of range')
      if (number <= 0) return fail('ERR maxage should be greater than 0')
      const bornBefore = desk.ports.clock.monotonic() - Number(number) * 1000
      return session => session.connectedAt <= bornBefore
    }
    default:
      return syntaxError
  }
}

function kill(desk: Desk, session: Session, argv: Argv): Reply {
  if (argv.count === 3) {
    const address = argv.latin1(2)
    for (const other of desk.sessions.values()) {
      if (other.options.address !== address) continue
      killOne(desk, session, other)
      return OK
    }
    return fail('ERR No such client')
  }
  if (argv.count % 2 !== 0) return syntaxError
  const filters: Filter[] = []
  let skipMe = true
  for (let i = 2; i < argv.count; i += 2) {
    if (argv.is(i, 'SKIPME')) {
      if (!argv.is(i + 1, 'YES') && !argv.is(i + 1, 'NO')) return syntaxError
      skipMe = argv.is(i + 1, 'YES')
      continue
    }
    const filter = killFilter(desk, argv, i)
    if (typeof filter !== 'function') return filter
    filters.push(filter)
  }
  let killed = 0
  for (const other of [...desk.sessions.values()]) {
    if ((skipMe && other === session) || !filters.every(filter => filter(other))) continue
    killOne(desk, session, other)
    killed += 1
  }
  return integer(killed)
}

/** The session that asks is closed only behind its reply. */
function killOne(desk: Desk, asking: Session, other: Session): void {
  if (other === asking) asking.closing = KILLED
  else desk.kill(other, KILLED)
}

function unblock(desk: Desk, _session: Session, argv: Argv): Reply {
  if (argv.count > 4) return syntaxError
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

function tracking(_desk: Desk, _session: Session, argv: Argv): Reply {
  if (argv.is(2, 'OFF')) return OK
  if (!argv.is(2, 'ON')) return syntaxError
  return fail('ERR client tracking is not supported')
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
