// The settings that CONFIG knows, under Redis' names: what holds, and what can be changed.
//
// A row without `read` stands for something that is so by design or by the config
// file; SET accepts only what it is already, so that scripts which set it to be sure
// go on. The entries of a stream's block decide where replicated state is cut: to set
// them is a command of the log, so that all replicas cut alike from its place on.

import { limits } from '../../base/limits.ts'
import { blockEntriesWords } from '../../machine/commands/block-entries.ts'
import { BLOCK_BYTES_MAX, BLOCK_ENTRIES } from '../../machine/types/stream.ts'
import type { Desk } from '../desk.ts'
import { readKeyEvents, showKeyEvents } from '../keyspace-events.ts'
import { readOutputLimits, showOutputLimits } from '../output-limits.ts'
import { LOG_LEVELS, type Settings } from '../settings.ts'

/** Puts a value that was read in its place. */
export type Change = (settings: Settings) => void

export type ConfigRow = {
  readonly name: string
  /** What CONFIG GET says. */
  readonly show: (desk: Desk) => string
  /** Reads a new value: what to do, or why not in Redis' words. */
  readonly read?: (value: string) => Change | string
  /** Instead of `read`, for what is state of the shards: the words of the command that each of them applies. */
  readonly order?: (value: string) => readonly string[] | string
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 2 ** 10,
  m: 1e6,
  mb: 2 ** 20,
  g: 1e9,
  gb: 2 ** 30,
}
const PERCENTILES_MAX = 64
const INT_MAX = 2 ** 31 - 1

/** Redis' sizes: `100mb`, `1k`, plain bytes. */
function readBytes(value: string): number | null {
  const parts = /^(\d{1,15})([a-z]*)$/i.exec(value)
  const unit = UNITS[(parts?.[2] ?? '').toLowerCase()]
  if (parts === null || unit === undefined) return null
  const bytes = Number(parts[1]) * unit
  return Number.isSafeInteger(bytes) ? bytes : null
}

function whole(
  name: string,
  least: number,
  most: number,
  of: (settings: Settings) => number,
  change: (settings: Settings, value: number) => void,
): ConfigRow {
  return {
    name,
    show: ({ settings }) => String(of(settings)),
    read: value => {
      if (!/^-?\d{1,19}$/.test(value)) return "argument couldn't be parsed into an integer"
      const number = Number(value)
      if (number < least || number > most)
        return `argument must be between ${least} and ${most} inclusive`
      return settings => change(settings, number)
    },
  }
}

/** What Redis takes for a number of its own limits, or why not. */
function wholeIn(value: string, least: number, most: number): string | null {
  if (!/^-?\d{1,19}$/.test(value)) return "argument couldn't be parsed into an integer"
  const number = Number(value)
  return number < least || number > most
    ? `argument must be between ${least} and ${most} inclusive`
    : null
}

/** Shows what was set, and does nothing else. */
function idle(name: string, first: string, wrong: (value: string) => string | null): ConfigRow {
  return {
    name,
    show: ({ settings }) => settings.idle.get(name) ?? first,
    read: value =>
      wrong(value) ??
      (settings => {
        settings.idle.set(name, value)
      }),
  }
}

function idleNumber(name: string, first: number, least = 0, most = INT_MAX): ConfigRow {
  return idle(name, String(first), value => wholeIn(value, least, most))
}

function idleFlag(name: string): ConfigRow {
  return idle(name, 'no', value => wrongFlag(value))
}

function wrongFlag(value: string): string | null {
  const word = value.toLowerCase()
  return word === 'yes' || word === 'no' ? null : "argument must be 'yes' or 'no'"
}

function fixed(name: string, value: string | ((desk: Desk) => string)): ConfigRow {
  return { name, show: typeof value === 'string' ? () => value : value }
}

function ownNode(desk: Desk): { readonly host: string; readonly port: number } {
  return desk.ports.directory.map().nodes.get(desk.ports.self)?.resp ?? { host: '', port: 0 }
}

function readPercentiles(value: string): Change | string {
  const words = value.split(' ').filter(word => word !== '')
  const numbers = words.map(Number)
  if (numbers.some(Number.isNaN) || words.length > PERCENTILES_MAX)
    return 'Invalid latency-tracking-info-percentiles parameters'
  if (numbers.some(number => number < 0 || number > 100))
    return 'latency-tracking-info-percentiles parameters should sit between [0.0,100.0]'
  return settings => {
    settings.percentiles = numbers
  }
}

const LIVE: readonly ConfigRow[] = [
  {
    name: 'maxmemory',
    show: ({ settings }) => String(settings.memoryBytesMax),
    read: value => {
      const bytes = readBytes(value)
      if (bytes === null) return 'argument must be a memory value'
      return settings => {
        settings.memoryBytesMax = bytes
      }
    },
  },
  {
    name: 'loglevel',
    show: ({ settings }) => settings.logLevel,
    read: value => {
      const level = LOG_LEVELS.find(other => other === value.toLowerCase())
      if (level === undefined)
        return `argument(s) must be one of the following: ${LOG_LEVELS.join(', ')}`
      return settings => {
        settings.logLevel = level
      }
    },
  },
  {
    name: 'latency-tracking',
    show: ({ settings }) => (settings.latencyTracking ? 'yes' : 'no'),
    read: value => {
      const word = value.toLowerCase()
      if (word !== 'yes' && word !== 'no') return "argument must be 'yes' or 'no'"
      return settings => {
        settings.latencyTracking = word === 'yes'
      }
    },
  },
  {
    name: 'latency-tracking-info-percentiles',
    show: ({ settings }) => settings.percentiles.join(' '),
    read: readPercentiles,
  },
  {
    name: 'client-output-buffer-limit',
    show: ({ settings }) => showOutputLimits(settings.outputLimits),
    read: value => {
      const changes = readOutputLimits(value, readBytes)
      if (typeof changes === 'string') return changes
      return settings => {
        settings.outputLimits = { ...settings.outputLimits, ...changes }
      }
    },
  },
  {
    name: 'notify-keyspace-events',
    show: ({ settings }) => showKeyEvents(settings.keyEvents),
    read: value => {
      const flags = readKeyEvents(value)
      if (typeof flags === 'string') return flags
      return settings => {
        settings.keyEvents = flags
      }
    },
  },
  whole(
    'maxclients',
    1,
    1_000_000,
    settings => settings.clientsMax,
    (settings, value) => {
      settings.clientsMax = value
    },
  ),
  whole(
    'timeout',
    0,
    2_147_483_647,
    settings => settings.idleSecondsMax,
    (settings, value) => {
      settings.idleSecondsMax = value
    },
  ),
  whole(
    'slowlog-log-slower-than',
    -1,
    Number.MAX_SAFE_INTEGER,
    settings => settings.slowerThanMicros,
    (settings, value) => {
      settings.slowerThanMicros = value
    },
  ),
  whole(
    'slowlog-max-len',
    0,
    100_000,
    settings => settings.slowLogLengthMax,
    (settings, value) => {
      settings.slowLogLengthMax = value
    },
  ),
  whole(
    'latency-monitor-threshold',
    0,
    Number.MAX_SAFE_INTEGER,
    settings => settings.latencyThreshold,
    (settings, value) => {
      settings.latencyThreshold = value
    },
  ),
]

/** Of the shards that are led here; each keeps it with its data. */
const OF_SHARDS: readonly ConfigRow[] = [
  {
    name: 'stream-node-max-entries',
    show: desk => {
      const shards = desk.shards()
      const shard = shards.find(({ replica }) => replica.isLeader) ?? shards[0]
      return String(shard?.machine.keyspace.blockEntries ?? BLOCK_ENTRIES)
    },
    order: value => {
      const wrong = wholeIn(value, 0, Number.MAX_SAFE_INTEGER)
      return wrong ?? blockEntriesWords(Number(value))
    },
  },
]

const FIXED: readonly ConfigRow[] = [
  // Each write is on a majority's disks before its reply: in Redis' words, an AOF synced always.
  fixed('appendfsync', 'always'),
  fixed('appendonly', 'yes'),
  fixed('bind', desk => ownNode(desk).host),
  fixed('client-query-buffer-limit', String(limits.commandBytesMax)),
  fixed('cluster-enabled', desk => (desk.ports.options.clusterEnabled ? 'yes' : 'no')),
  fixed('cluster-require-full-coverage', 'no'),
  fixed('databases', '1'),
  fixed('enable-debug-command', desk => desk.ports.options.debugCommands ?? 'no'),
  fixed('maxmemory-policy', 'noeviction'),
  fixed('min-replicas-to-write', '0'),
  fixed('port', desk => String(ownNode(desk).port)),
  fixed('proto-max-bulk-len', String(limits.valueBytesMax)),
  fixed('requirepass', ''),
  fixed('save', ''),
  fixed('stream-node-max-bytes', String(BLOCK_BYTES_MAX)),
]

/**
 * How Redis encodes values and frees them: nothing that a client could tell from
 * replies. There is one encoding of each type here, and nothing is freed later.
 */
const IDLE: readonly ConfigRow[] = [
  idle('aof-use-rdb-preamble', 'yes', wrongFlag),
  idleFlag('lazyfree-lazy-expire'),
  idleFlag('lazyfree-lazy-server-del'),
  idleFlag('lazyfree-lazy-user-del'),
  idleFlag('lazyfree-lazy-user-flush'),
  idleNumber('list-compress-depth', 0),
  idleNumber('list-max-listpack-size', -2, -INT_MAX - 1),
  idleNumber('list-max-ziplist-size', -2, -INT_MAX - 1),
  idleNumber('set-max-intset-entries', 512),
  idleNumber('set-max-listpack-entries', 128),
  idleNumber('set-max-listpack-value', 64),
]

/** By name. */
export const CONFIG_ROWS: ReadonlyMap<string, ConfigRow> = new Map(
  [...LIVE, ...OF_SHARDS, ...FIXED, ...IDLE]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(row => [row.name, row]),
)
