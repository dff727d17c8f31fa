// DEBUG, for tests: only where the operator allowed it.

import type { Argv } from '../../base/argv.ts'
import { slotOf } from '../../base/slot.ts'
import type { Ms } from '../../base/types.ts'
import { memoryUsage } from '../../machine/commands/memory.ts'
import { fail, noSuchKey, OK, type Reply } from '../../machine/reply.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import type { Shard } from '../ports.ts'
import type { Session } from '../session.ts'
import { helpReply, keylessFacts } from './help.ts'

const notAllowed = fail(
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.',
)
const reloadOptions = fail('ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.')
const reloadFailed = fail('ERR Error trying to load the RDB dump, check server logs.')

/** A longer stall is a mistake. */
const STALL_MS_MAX: Ms = 60_000
const DIGEST_DIGITS = 40
/** Redis has 24 bits for the second of the last use. */
const LRU_MASK = 0xffffff
const LOCAL = /^(?:ipv[46]:)?\[?(?:127\.|::1\b|::ffff:127\.)/

const HELP = [
  'DIGEST',
  '    Output a hex signature of the state that this node leads.',
  'ERROR <string>',
  '    Return a Redis protocol error with <string> as message.',
  'LOADAOF',
  '    The same as RELOAD.',
  'LOG <message>',
  '    Write <message> to the log of the node.',
  'OBJECT <key>',
  '    Show low level info about a key and its value.',
  'QUICKLIST-PACKED-THRESHOLD <size>',
  '    Accepted; values are all kept alike here.',
  'RELOAD [option ...]',
  '    Write each shard led here as a snapshot and read it back in place.',
  'SET-ACTIVE-EXPIRE <0|1>',
  '    0: keys expire only when somebody asks for them.',
  'SLEEP <seconds>',
  '    Stop the node for <seconds>. Decimals allowed.',
]

function isAllowed(desk: Desk, session: Session): boolean {
  const { debugCommands = 'no' } = desk.ports.options
  if (debugCommands === 'local') return LOCAL.test(session.options.address)
  return debugCommands === 'yes'
}

function led(desk: Desk): readonly Shard[] {
  return desk.shards().filter(({ replica }) => replica.isLeader)
}

/** The options are about files that we have not: a snapshot is made and read here and now. */
function reload(desk: Desk, argv: Argv): Reply {
  for (let i = 2; i < argv.count; i += 1)
    if (!argv.is(i, 'MERGE') && !argv.is(i, 'NOFLUSH') && !argv.is(i, 'NOSAVE'))
      return reloadOptions
  for (const { replica, machine } of led(desk)) {
    if (machine.reload()) continue
    desk.ports.logger.error({ shard: replica.shard }, 'a snapshot is not what it was made of')
    return reloadFailed
  }
  return OK
}

/** The same before and after a reload; all are 0 without data. */
function digest(desk: Desk): Reply {
  let sum = 0
  let keys = 0
  for (const { machine } of led(desk)) {
    sum = (Math.imul(sum, 31) + machine.checksum()) >>> 0
    keys += machine.keyspace.size
  }
  const digits = keys === 0 ? '' : sum.toString(16)
  return { kind: 'simple', text: digits.padStart(DIGEST_DIGITS, '0') }
}

function sleep(desk: Desk, argv: Argv): Reply {
  const seconds = Number.parseFloat(argv.latin1(2))
  if (seconds > 0) desk.ports.process.stall(Math.min(seconds * 1000, STALL_MS_MAX))
  return OK
}

function object(desk: Desk, argv: Argv): Reply {
  const key = argv.latin1(2)
  const { ports } = desk
  const shard = ports.options.clusterEnabled
    ? ports.shard(ports.directory.map().ownerOf(slotOf(argv.bytes(2))))
    : desk.shards()[0]
  if (shard === undefined) return noSuchKey
  const args = { key, samples: Number.POSITIVE_INFINITY }
  const usage = shard.machine.query(memoryUsage, args, ports.clock.now())
  if (!('value' in usage)) return noSuchKey
  const { keyspace } = shard.machine
  const idleMs = keyspace.idle(key) ?? 0
  const idle = Math.floor(idleMs / 1000)
  const used = Math.floor((ports.clock.now() - idleMs) / 1000) & LRU_MASK
  return {
    kind: 'simple',
    text: `Value at:0x0 refcount:1 encoding:${keyspace.encodingOf(key)} serializedlength:${usage.value} lru:${used} lru_seconds_idle:${idle}`,
  }
}

function debug(desk: Desk, session: Session, argv: Argv): Reply {
  if (!isAllowed(desk, session)) return notAllowed
  const word = argv.upper(1)
  switch (`${word} ${argv.count}`) {
    case 'HELP 2':
      return helpReply('DEBUG', HELP)
    case 'DIGEST 2':
      return digest(desk)
    case 'LOADAOF 2':
      return reload(desk, argv)
    case 'SLEEP 3':
      return sleep(desk, argv)
    case 'OBJECT 3':
      return object(desk, argv)
    case 'ERROR 3':
      return fail(argv.latin1(2))
    case 'LOG 3':
      desk.ports.logger.warn({}, `DEBUG LOG: ${argv.latin1(2)}`)
      return OK
    case 'SET-ACTIVE-EXPIRE 3':
      for (const { machine } of desk.shards())
        machine.activeExpire = Number.parseInt(argv.latin1(2), 10) !== 0
      return OK
    case 'QUICKLIST-PACKED-THRESHOLD 3':
      return OK
    default:
      if (word === 'RELOAD') return reload(desk, argv)
      return fail(
        `ERR unknown subcommand or wrong number of arguments for '${argv.latin1(1)}'. Try DEBUG HELP.`,
      )
  }
}

export const DEBUG_COMMAND: DeskCommand = {
  ...keylessFacts('debug', -2, '1.0.0', 'Helps tests and those who look for faults.', {
    categories: ['admin', 'slow', 'dangerous'],
    flags: ['admin', 'noscript', 'loading', 'stale'],
    group: 'server',
  }),
  barrier: true,
  run: debug,
}
