// MEMORY: what the node's memory goes into, as far as the engine tells.

import { memoryUsage } from '../../machine/commands/memory.ts'
import { integer, OK, type Reply, text } from '../../machine/reply.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import { usedBytes } from '../memory-limit.ts'
import { CLIENTS_OF_FOLLOWERS_STAT } from '../redis-words.ts'
import { clientBytes } from './client-line.ts'
import { byWord, helpCommand, keylessFacts } from './help.ts'

const SHARED = {
  categories: ['slow'],
  flags: [],
  group: 'server',
} as const
const TIPS = ['request_policy:all_shards', 'nondeterministic_output']

/** Below this Redis' doctor, and ours, has nothing to say. */
const SMALL_BYTES = 5 * 1024 * 1024
/** More resident than this many times what is used deserves a word. */
const LOOSE = 3

function keyCount(desk: Desk): number {
  let keys = 0
  for (const { replica, machine } of desk.shards())
    if (replica.isLeader) keys += machine.keyspace.size
  return keys
}

/** A ratio as Redis sends one: a bulk in RESP2. */
function ratio(value: number): Reply {
  return text(Number.isFinite(value) ? String(value) : '0')
}

function stats(desk: Desk): Reply {
  const { process } = desk.ports
  const { resident, heap, heapReserved, buffers } = process.memory()
  const used = heap + buffers
  desk.peak.bytes = Math.max(desk.peak.bytes, used)
  const keys = keyCount(desk)
  const clients = clientBytes(desk)
  return {
    kind: 'map',
    items: [
      text('peak.allocated'),
      integer(desk.peak.bytes),
      text('total.allocated'),
      integer(used),
      text('replication.backlog'),
      integer(0),
      text(CLIENTS_OF_FOLLOWERS_STAT),
      integer(0),
      text('clients.normal'),
      integer(clients),
      text('keys.count'),
      integer(keys),
      text('keys.bytes-per-key'),
      integer(keys === 0 ? 0 : Math.floor(buffers / keys)),
      text('dataset.bytes'),
      integer(buffers),
      text('dataset.percentage'),
      ratio((buffers * 100) / used),
      text('peak.percentage'),
      ratio((used * 100) / desk.peak.bytes),
      text('heap.used'),
      integer(heap),
      text('heap.reserved'),
      integer(heapReserved),
      text('allocator.resident'),
      integer(resident),
      text('fragmentation'),
      ratio(resident / used),
      text('fragmentation.bytes'),
      integer(resident - used),
    ],
  }
}

function doctor(desk: Desk): Reply {
  const { resident } = desk.ports.process.memory()
  const used = usedBytes(desk.ports.process)
  if (used < SMALL_BYTES)
    return {
      kind: 'verbatim',
      text: "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be back to our programming as soon as I finished rebooting.\n",
    }
  const found: string[] = []
  const bound = desk.settings.memoryBytesMax
  if (bound > 0 && used > bound * 0.9)
    found.push(
      ` * Close to the bound: ${used} of ${bound} bytes are used. Beyond it commands that add data are refused; trim streams, or raise maxmemory.`,
    )
  if (resident > used * LOOSE)
    found.push(
      ` * Much held, little used: the process has ${resident} bytes, of which ${used} are in use. It keeps what it once needed; a restart gives it back.`,
    )
  return {
    kind: 'verbatim',
    text:
      found.length === 0
        ? "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n"
        : `Sam, I detected a few issues in this Slotcast node's memory:\n\n${found.join('\n\n')}\n\nI'm here to keep you safe, Sam. I want to help you.\n`,
  }
}

const SUBCOMMANDS: readonly DeskCommand[] = [
  {
    ...keylessFacts('memory|doctor', 2, '4.0.0', 'Returns a report on memory for people.', SHARED),
    tips: TIPS,
    run: doctor,
  },
  {
    ...keylessFacts('memory|malloc-stats', 2, '4.0.0', 'The allocator keeps no figures.', SHARED),
    tips: TIPS,
    run: () => ({ kind: 'verbatim', text: 'Stats not supported for the current allocator' }),
  },
  {
    ...keylessFacts('memory|purge', 2, '4.0.0', 'Collects garbage now.', SHARED),
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    run: desk => {
      desk.ports.process.collect()
      return OK
    },
  },
  {
    ...keylessFacts(
      'memory|stats',
      2,
      '4.0.0',
      "Returns what the node's memory goes into.",
      SHARED,
    ),
    tips: TIPS,
    run: stats,
  },
]

export const MEMORY_COMMAND: DeskCommand = {
  ...keylessFacts('memory', -2, '4.0.0', 'A container for memory commands.', SHARED),
  subcommands: byWord('memory', [
    ...SUBCOMMANDS,
    memoryUsage as DeskCommand,
    helpCommand('memory', '4.0.0', { ...SHARED, flags: ['loading', 'stale'] }, [
      ...SUBCOMMANDS,
      memoryUsage as DeskCommand,
    ]),
  ]),
}
