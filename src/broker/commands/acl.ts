// ACL, for the one user there is: `default`, without a password, who may do everything.

import type { Argv } from '../../base/argv.ts'
import type { CommandFacts } from '../../machine/command.ts'
import { parseInteger } from '../../machine/integers.ts'
import {
  array,
  EMPTY_ARRAY,
  fail,
  integer,
  NULL,
  notInteger,
  OK,
  type Reply,
  text,
} from '../../machine/reply.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import type { Session } from '../session.ts'
import { byWord, helpCommand, keylessFacts, latin1 } from './help.ts'

const OPEN = {
  categories: ['slow'],
  flags: ['noscript', 'loading', 'stale'],
  group: 'server',
} as const
const ADMIN = {
  categories: ['admin', 'slow', 'dangerous'],
  flags: ['admin', 'noscript', 'loading', 'stale'],
  group: 'server',
} as const

export const DEFAULT_USER = 'default'

/** In Redis' order. Types that we lack have a category and no commands. */
const CATEGORIES = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
]

const LOG_COUNT = 10
const PASSWORD_BITS = 256
const PASSWORD_BITS_MAX = 4096

const noFile = fail(
  'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.',
)
const oneUser = fail('ERR ACL SETUSER is not supported: there is one user, who may do everything')
const badBits = fail(
  `ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to ${PASSWORD_BITS_MAX}`,
)

function* allCommands(desk: Desk): Generator<CommandFacts> {
  for (const facts of desk.commands.all.values()) {
    yield facts
    yield* facts.subcommands?.values() ?? []
  }
}

function cat(desk: Desk, _session: Session, argv: Argv): Reply {
  if (argv.count === 2) return array(CATEGORIES.map(text))
  if (argv.count > 3) return unknownForm(argv)
  const category = argv.latin1(2).toLowerCase()
  if (!CATEGORIES.includes(category)) return fail(`ERR Unknown category '${argv.latin1(2)}'`)
  const names: Reply[] = []
  for (const { name, categories } of allCommands(desk))
    if (categories.includes(category)) names.push(text(name))
  return array(names)
}

function unknownForm(argv: Argv): Reply {
  return fail(
    `ERR unknown subcommand or wrong number of arguments for '${argv.latin1(1)}'. Try ACL HELP.`,
  )
}

function getUser(_desk: Desk, _session: Session, argv: Argv): Reply {
  if (argv.latin1(2) !== DEFAULT_USER) return NULL
  return {
    kind: 'map',
    items: [
      text('flags'),
      { kind: 'set', items: [text('on'), text('nopass')] },
      text('passwords'),
      EMPTY_ARRAY,
      text('commands'),
      text('+@all'),
      text('keys'),
      text('~*'),
      text('channels'),
      text('&*'),
      text('selectors'),
      EMPTY_ARRAY,
    ],
  }
}

function deleteUsers(_desk: Desk, _session: Session, argv: Argv): Reply {
  for (let i = 2; i < argv.count; i += 1)
    if (argv.latin1(i) === DEFAULT_USER) return fail("ERR The 'default' user cannot be removed")
  return { kind: 'integer', value: 0 }
}

function generatePassword(desk: Desk, _session: Session, argv: Argv): Reply {
  let bits = PASSWORD_BITS
  if (argv.count > 3) return unknownForm(argv)
  if (argv.count === 3) {
    const asked = parseInteger(argv, 2)
    if (asked === null) return notInteger
    if (asked <= 0 || asked > PASSWORD_BITS_MAX) return badBits
    bits = Number(asked)
  }
  // Four bits a digit, the last one begun counts.
  const digits = Math.ceil(bits / 4)
  const bytes = desk.ports.random.bytes(Math.ceil(digits / 2))
  return text(Buffer.from(bytes).toString('hex').slice(0, digits))
}

/** Only logins are ever refused: the one user may do everything. */
function log(desk: Desk, _session: Session, argv: Argv): Reply {
  if (argv.count > 3) return unknownForm(argv)
  let count = LOG_COUNT
  if (argv.count === 3 && argv.is(2, 'RESET')) {
    desk.authLog.reset()
    return OK
  }
  if (argv.count === 3) {
    const asked = parseInteger(argv, 2)
    if (asked === null) return notInteger
    count = asked < 0 ? 0 : Number(asked)
  }
  const now = desk.ports.clock.monotonic()
  return array(
    desk.authLog.newest(count).map(({ object, username, count, at, client }) => ({
      kind: 'map',
      items: [
        text('count'),
        integer(count),
        text('reason'),
        text('auth'),
        text('context'),
        text('toplevel'),
        text('object'),
        text(object),
        text('username'),
        latin1(username),
        text('age-seconds'),
        text(((now - at) / 1000).toFixed(3)),
        text('client-info'),
        latin1(client),
      ],
    })),
  )
}

function dryRun(desk: Desk, _session: Session, argv: Argv): Reply {
  const user = argv.latin1(2)
  if (user !== DEFAULT_USER) return fail(`ERR User '${user}' not found`)
  const name = argv.latin1(3)
  const container = desk.commands.facts(name)
  const facts =
    container?.subcommands !== undefined && argv.count > 4
      ? desk.commands.facts(`${name}|${argv.latin1(4)}`)
      : container
  if (facts === null) return fail(`ERR Command '${name}' not found`)
  const words = argv.count - 3
  if (facts.arity > 0 ? words !== facts.arity : words < -facts.arity)
    return fail(`ERR wrong number of arguments for '${facts.name}' command`)
  return OK
}

function open(word: string, arity: number, summary: string) {
  return keylessFacts(`acl|${word}`, arity, word === 'dryrun' ? '7.0.0' : '6.0.0', summary, OPEN)
}

function admin(word: string, arity: number, summary: string) {
  return keylessFacts(`acl|${word}`, arity, word === 'dryrun' ? '7.0.0' : '6.0.0', summary, ADMIN)
}

const SUBCOMMANDS: readonly DeskCommand[] = [
  { ...open('cat', -2, 'Lists the categories, or the commands of one.'), run: cat },
  { ...admin('deluser', -3, 'Deletes users: there is only the one that stays.'), run: deleteUsers },
  { ...admin('dryrun', -4, 'Says whether a user may run a command.'), run: dryRun },
  { ...open('genpass', -2, 'Makes a password by chance.'), run: generatePassword },
  { ...admin('getuser', 3, 'Returns what a user may do.'), run: getUser },
  {
    ...admin('list', 2, 'Lists the users as rules.'),
    run: () => array([text('user default on nopass ~* &* +@all')]),
  },
  { ...admin('load', 2, 'Refused: there is no file of users.'), run: () => noFile },
  { ...admin('log', -2, 'Lists logins that were refused.'), run: log },
  { ...admin('save', 2, 'Refused: there is no file of users.'), run: () => noFile },
  { ...admin('setuser', -3, 'Refused: there is one user.'), run: () => oneUser },
  { ...admin('users', 2, 'Lists the names of users.'), run: () => array([text(DEFAULT_USER)]) },
  { ...open('whoami', 2, 'Returns the user of the connection.'), run: () => text(DEFAULT_USER) },
]

export const ACL_COMMAND: DeskCommand = {
  ...keylessFacts('acl', -2, '6.0.0', 'A container for commands about users.', {
    ...OPEN,
    flags: [],
  }),
  subcommands: byWord('acl', [
    ...SUBCOMMANDS,
    helpCommand('acl', '6.0.0', { ...OPEN, flags: ['loading', 'stale'] }, SUBCOMMANDS),
  ]),
}
