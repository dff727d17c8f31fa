// PING, HELLO and the other words about a connection itself.

import type { Argv } from '../../base/argv.ts'
import { parseInteger } from '../../machine/integers.ts'
import {
  array,
  bulk,
  EMPTY_ARRAY,
  type ErrorReply,
  fail,
  integer,
  notInteger,
  OK,
  type Reply,
  syntaxError,
  text,
} from '../../machine/reply.ts'
import type { Desk, DeskCommand, Run } from '../desk.ts'
import { LEADER_WORD } from '../redis-words.ts'
import { clusterDisabled } from '../refusals.ts'
import type { Session } from '../session.ts'
import { textsOf } from '../work-meter.ts'
import { DEFAULT_USER } from './acl.ts'
import { clientLine } from './client-line.ts'
import { keylessFacts } from './help.ts'

/** The Redis whose commands these are: what clients that look at versions should believe. */
export const REDIS_VERSION = '7.4.0'

const FAST = {
  categories: ['fast', 'connection'],
  flags: ['loading', 'stale', 'fast'],
  group: 'connection',
} as const
const BEFORE_AUTH = {
  categories: ['fast', 'connection'],
  flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
  group: 'connection',
} as const

const PONG: Reply = { kind: 'simple', text: 'PONG' }
const PONG_BULK = text('pong')
const NO_TEXT = text('')
const tooManyWords = fail("ERR wrong number of arguments for 'ping' command")
const RESET: Reply = { kind: 'simple', text: 'RESET' }
const badName = fail('ERR Client names cannot contain spaces, newlines or special characters.')
const wrongPassword = fail('WRONGPASS invalid username-password pair or user is disabled.')
const noPassword = fail(
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
)

/** Whether word `i` has only the bytes `!` to `~`, which names are made of. */
export function isPlain(argv: Argv, i: number): boolean {
  for (let k = argv.from(i); k < argv.to(i); k += 1) {
    const byte = argv.buffer[k] as number
    if (byte < 0x21 || byte > 0x7e) return false
  }
  return true
}

/** Names the session after word `i`. */
export function setName(session: Session, argv: Argv, i: number): ErrorReply | null {
  if (!isPlain(argv, i)) return badName
  session.name = argv.latin1(i)
  return null
}

/** AUTH and HELLO with AUTH as the slow log may keep them. */
function withoutSecrets(argv: Argv): readonly string[] {
  const words = textsOf(argv)
  const from = argv.is(0, 'AUTH') ? 0 : words.findIndex((_, i) => i > 0 && argv.is(i, 'AUTH'))
  if (from < 0) return words
  return words.map((word, i) => (i > from && i <= from + 2 ? '(redacted)' : word))
}

/** The default user has no password, so any will do. */
function isDefaultUser(argv: Argv, i: number): boolean {
  return argv.latin1(i) === DEFAULT_USER
}

/** HELLO's words as what to do, nothing done yet: an error must leave the session as it is. */
function hello(desk: Desk, session: Session, argv: Argv): Reply {
  let protocol: 2 | 3 = session.protocol
  if (argv.count > 1) {
    const asked = parseInteger(argv, 1)
    if (asked === null) return fail('ERR Protocol version is not an integer or out of range')
    if (asked !== 2 && asked !== 3) return fail('NOPROTO unsupported protocol version')
    protocol = asked
  }
  let nameAt = 0
  for (let i = 2; i < argv.count; i += 1) {
    const left = argv.count - 1 - i
    if (argv.is(i, 'AUTH') && left >= 2) {
      if (!isDefaultUser(argv, i + 1)) return refuseLogin(desk, session, argv, i + 1)
      i += 2
    } else if (argv.is(i, 'SETNAME') && left >= 1) {
      nameAt = i + 1
      if (!isPlain(argv, nameAt)) return badName
      i += 1
    } else {
      return fail(`ERR Syntax error in HELLO option '${argv.latin1(i)}'`)
    }
  }
  session.protocol = protocol
  if (nameAt > 0) setName(session, argv, nameAt)
  return {
    kind: 'map',
    items: [
      text('server'),
      text('redis'),
      text('version'),
      text(REDIS_VERSION),
      text('proto'),
      integer(protocol),
      text('id'),
      integer(session.id),
      text('mode'),
      text(desk.ports.options.clusterEnabled ? 'cluster' : 'standalone'),
      text('role'),
      text(LEADER_WORD),
      text('modules'),
      EMPTY_ARRAY,
    ],
  }
}

/** Wrong user: noted for ACL LOG. */
function refuseLogin(desk: Desk, session: Session, argv: Argv, userAt: number): Reply {
  const object = argv.is(0, 'AUTH') ? 'AUTH' : 'HELLO'
  const now = desk.ports.clock.monotonic()
  desk.authLog.add(object, argv.latin1(userAt), now, clientLine(desk, session))
  return wrongPassword
}

function auth(desk: Desk, session: Session, argv: Argv): Reply {
  if (argv.count > 3) return syntaxError
  if (argv.count === 2) return noPassword
  return isDefaultUser(argv, 1) ? OK : refuseLogin(desk, session, argv, 1)
}

function select(desk: Desk, _session: Session, argv: Argv): Reply {
  const index = parseInteger(argv, 1)
  if (index === null) return notInteger
  if (index === 0) return OK
  return desk.ports.options.clusterEnabled
    ? fail('ERR SELECT is not allowed in cluster mode')
    : fail('ERR DB index is out of range')
}

function reset(desk: Desk, session: Session): Reply {
  if (session.listener !== null) desk.pubsub.leave(session.listener)
  session.protocol = 2
  session.name = ''
  session.readonly = false
  session.noEvict = false
  session.noTouch = false
  session.silence = 'none'
  session.dropTransaction()
  return RESET
}

/** A command that only a cluster knows. */
function inCluster(change: (session: Session) => void): Run {
  return (desk, session) => {
    if (!desk.ports.options.clusterEnabled) return clusterDisabled
    change(session)
    return OK
  }
}

export const CONNECTION_COMMANDS: readonly DeskCommand[] = [
  {
    ...keylessFacts('ping', -1, '1.0.0', "Returns the server's liveliness response.", {
      ...FAST,
      flags: ['fast'],
    }),
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    whileSubscribed: true,
    run(_desk, session, argv) {
      if (argv.count > 2) return tooManyWords
      // In RESP2 a subscriber could not tell a reply of another shape from a message.
      if (session.protocol === 2 && session.subscribed)
        return array([PONG_BULK, argv.count === 2 ? bulk(Buffer.from(argv.bytes(1))) : NO_TEXT])
      if (argv.count === 1) return PONG
      return bulk(Buffer.from(argv.bytes(1)))
    },
  },
  {
    ...keylessFacts('echo', 2, '1.0.0', 'Returns the given string.', FAST),
    run: (_desk, _session, argv) => bulk(Buffer.from(argv.bytes(1))),
  },
  {
    ...keylessFacts('hello', -1, '6.0.0', 'Handshakes with the Redis server.', BEFORE_AUTH),
    barrier: true,
    redacted: withoutSecrets,
    run: hello,
  },
  {
    ...keylessFacts('auth', -2, '1.0.0', 'Authenticates the connection.', BEFORE_AUTH),
    redacted: withoutSecrets,
    run: auth,
  },
  {
    ...keylessFacts('select', 2, '1.0.0', 'Changes the selected database.', FAST),
    run: select,
  },
  {
    ...keylessFacts('quit', -1, '1.0.0', 'Closes the connection.', BEFORE_AUTH),
    barrier: true,
    immediate: true,
    whileSubscribed: true,
    run(_desk, session) {
      session.closing = 'the client quit'
      return OK
    },
  },
  {
    ...keylessFacts('reset', 1, '6.2.0', 'Resets the connection.', BEFORE_AUTH),
    barrier: true,
    immediate: true,
    whileSubscribed: true,
    run: reset,
  },
  {
    ...keylessFacts('readonly', 1, '3.0.0', 'Lets followers serve reads of this connection.', FAST),
    run: inCluster(session => {
      session.readonly = true
    }),
  },
  {
    ...keylessFacts('readwrite', 1, '3.0.0', 'Sends reads of this connection to leaders.', FAST),
    run: inCluster(session => {
      session.readonly = false
    }),
  },
  {
    // Slots move at once here, so no node ever serves one by halves and nothing is left to allow.
    ...keylessFacts('asking', 1, '3.0.0', 'Announces a command that follows an ASK.', {
      ...FAST,
      flags: ['fast'],
    }),
    run: inCluster(() => {}),
  },
]
