// CLIENT KILL: closes connections, one by its address or all that pass every filter.

import type { Argv } from '../../base/argv.ts'
import { parseInteger } from '../../machine/integers.ts'
import { fail, integer, OK, type Reply, syntaxError } from '../../machine/reply.ts'
import type { Desk } from '../desk.ts'
import { FOLLOWER_ROLE_WORD, LEADER_WORD } from '../redis-words.ts'
import type { Session } from '../session.ts'
import { DEFAULT_USER } from './acl.ts'

const KILLED = 'killed by CLIENT KILL'
const noSuchClient = fail('ERR No such client')

/** The kinds of client that Redis tells apart; ours are normal, or subscribers. */
export const CLIENT_TYPES = ['normal', LEADER_WORD, 'replica', FOLLOWER_ROLE_WORD, 'pubsub']

/** The kind of a client. */
export function typeOf(session: Session): string {
  return session.subscribed ? 'pubsub' : 'normal'
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
      if (!CLIENT_TYPES.includes(value.toLowerCase()))
        return fail(`ERR Unknown client type '${value}'`)
      return session => typeOf(session) === value.toLowerCase()
    case 'USER':
      if (value !== DEFAULT_USER) return fail(`ERR No such user '${value}'`)
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

export function kill(desk: Desk, session: Session, argv: Argv): Reply {
  if (argv.count === 3) {
    const address = argv.latin1(2)
    for (const other of desk.sessions.values()) {
      if (other.options.address !== address) continue
      killOne(desk, session, other)
      return OK
    }
    return noSuchClient
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
