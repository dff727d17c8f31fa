// AdminService as commands of the node.

import type * as message from '../../../gen/slotcast/v1/admin_service.ts'
import type { Reply } from '../../../machine/reply.ts'
import type { Mapping } from '../unary.ts'
import type { Words } from '../words.ts'
import * as read from './reading.ts'
import * as write from './writing.ts'

const MS_PER_SECOND = 1000n
/** What SLOWLOG GET takes for all. */
const ALL = -1n

function writeTexts(words: Words, ...texts: readonly string[]): null {
  for (const text of texts) words.text(text)
  return null
}

/** A call without fields whose command answers nothing but OK. */
function bare(...command: readonly string[]): Mapping<object, Record<string, never>> {
  return { words: (_request, words) => writeTexts(words, ...command), answer: () => ({}) }
}

function seconds(text: string) {
  return { seconds: BigInt(text), nanos: 0 }
}

const LINE_END = /\r?\n/

const info: Mapping<message.AdminServiceInfoRequest, message.AdminServiceInfoResponse> = {
  words: (request, words) => writeTexts(words, 'INFO', ...request.sections),
  answer(reply) {
    const sections = read.text(reply).split(/^# /m).filter(Boolean)
    return {
      sections: sections.map(section => {
        const [name = '', ...lines] = section.split(LINE_END)
        return { name, fields: read.fieldLines(lines) }
      }),
    }
  },
}

const clusterInfo: Mapping<
  message.AdminServiceClusterInfoRequest,
  message.AdminServiceClusterInfoResponse
> = {
  words: (_request, words) => writeTexts(words, 'CLUSTER', 'INFO'),
  answer(reply) {
    const fields = read.fieldLines(read.text(reply).split(LINE_END))
    const field = (name: string): string => fields[`cluster_${name}`] ?? ''
    return {
      ok: field('state') === 'ok',
      slotsAssigned: Number(field('slots_assigned')),
      slotsOk: Number(field('slots_ok')),
      knownNodes: Number(field('known_nodes')),
      leaders: Number(field('size')),
      configEpoch: BigInt(field('current_epoch')),
      fields,
    }
  },
}

const getConfig: Mapping<
  message.AdminServiceGetConfigRequest,
  message.AdminServiceGetConfigResponse
> = {
  words({ patterns }, words) {
    return writeTexts(words, 'CONFIG', 'GET', ...(patterns.length === 0 ? ['*'] : patterns))
  },
  answer(reply) {
    const settings: Record<string, string> = {}
    for (const [name, value] of read.named(reply)) settings[name] = read.text(value)
    return { settings }
  },
}

const setConfig: Mapping<
  message.AdminServiceSetConfigRequest,
  message.AdminServiceSetConfigResponse
> = {
  words({ settings }, words) {
    const pairs = Object.entries(settings)
    if (pairs.length === 0) return 'settings is empty'
    return writeTexts(words, 'CONFIG', 'SET', ...pairs.flat())
  },
  answer: () => ({}),
}

const slowLog: Mapping<message.AdminServiceSlowLogRequest, message.AdminServiceSlowLogResponse> = {
  words({ count }, words) {
    writeTexts(words, 'SLOWLOG', 'GET')
    if (count !== undefined) words.number(count === 0n ? ALL : count)
    return null
  },
  answer: reply => ({ commands: read.items(reply).map(slowCommand) }),
}

function slowCommand(row: Reply): message.SlowCommand {
  const [id, at, micros, argv, address, name] = read.items(row)
  return {
    id: read.count(id),
    time: { seconds: read.integer(at), nanos: 0 },
    duration: read.durationOfMicros(read.integer(micros)),
    argv: read.bytesOfAll(argv),
    clientAddress: read.text(address),
    clientName: read.text(name),
  }
}

const latency: Mapping<message.AdminServiceLatencyRequest, message.AdminServiceLatencyResponse> = {
  words: (_request, words) => writeTexts(words, 'LATENCY', 'LATEST'),
  answer: reply => ({
    events: read.items(reply).map(row => {
      const [event, at, last, worst] = read.items(row)
      return {
        event: read.text(event),
        lastTime: { seconds: read.integer(at), nanos: 0 },
        last: read.durationOf(read.integer(last)),
        worst: read.durationOf(read.integer(worst)),
      }
    }),
  }),
}

const commandLatency: Mapping<
  message.AdminServiceCommandLatencyRequest,
  message.AdminServiceCommandLatencyResponse
> = {
  words: ({ commands }, words) => writeTexts(words, 'LATENCY', 'HISTOGRAM', ...commands),
  answer: reply => ({ commands: [...read.named(reply)].map(latencyOf) }),
}

function latencyOf([command, row]: readonly [string, Reply]): message.CommandLatency {
  const found = read.named(row)
  const bounds = read.items(found.get('histogram_usec'))
  const buckets: message.LatencyBucket[] = []
  for (let i = 0; i + 1 < bounds.length; i += 2) {
    const atMost = read.durationOfMicros(read.integer(bounds[i]))
    buckets.push({ atMost, calls: read.count(bounds[i + 1]) })
  }
  return { command, calls: read.count(found.get('calls')), buckets }
}

const listClients: Mapping<
  message.AdminServiceListClientsRequest,
  message.AdminServiceListClientsResponse
> = {
  words({ ids }, words) {
    writeTexts(words, 'CLIENT', 'LIST')
    if (ids.length > 0) words.text('ID')
    for (const id of ids) words.number(id)
    return null
  },
  answer: reply => ({
    clients: read.text(reply).split(LINE_END).filter(Boolean).map(clientSession),
  }),
}

/** A line of CLIENT LIST: `id=7 addr=10.0.0.1:5 ...`. */
function clientSession(line: string): message.ClientSession {
  const fields: Record<string, string> = {}
  for (const pair of line.split(' ')) {
    const equals = pair.indexOf('=')
    if (equals > 0) fields[pair.slice(0, equals)] = pair.slice(equals + 1)
  }
  const field = (name: string): string => fields[name] ?? ''
  return {
    id: BigInt(field('id')),
    address: field('addr'),
    localAddress: field('laddr'),
    name: field('name'),
    age: seconds(field('age')),
    idle: seconds(field('idle')),
    blocked: field('flags').includes('b'),
    lastCommand: field('cmd'),
    fields,
  }
}

const killClients: Mapping<
  message.AdminServiceKillClientsRequest,
  message.AdminServiceKillClientsResponse
> = {
  words({ id, address, localAddress, minAge, all }, words) {
    writeTexts(words, 'CLIENT', 'KILL')
    const before = words.count
    if (id > 0n) writeTexts(words, 'ID', String(id))
    if (address !== '') writeTexts(words, 'ADDR', address)
    if (localAddress !== '') writeTexts(words, 'LADDR', localAddress)
    if (minAge !== undefined) {
      const ms = write.milliseconds(minAge)
      if (ms === null) return 'min_age is negative or malformed'
      words.text('MAXAGE')
      words.number((ms + MS_PER_SECOND - 1n) / MS_PER_SECOND)
    }
    if (words.count === before && !all) return 'a filter is required, or all'
    return writeTexts(words, 'SKIPME', 'YES')
  },
  answer: reply => ({ killed: read.count(reply) }),
}

const unblockClient: Mapping<
  message.AdminServiceUnblockClientRequest,
  message.AdminServiceUnblockClientResponse
> = {
  words({ id, withError }, words) {
    if (id === 0n) return 'id is required'
    return writeTexts(words, 'CLIENT', 'UNBLOCK', String(id), withError ? 'ERROR' : 'TIMEOUT')
  },
  answer: reply => ({ unblocked: read.flag(reply) }),
}

const pauseClients: Mapping<
  message.AdminServicePauseClientsRequest,
  message.AdminServicePauseClientsResponse
> = {
  words({ duration, writesOnly }, words) {
    if (duration === undefined) return 'duration is required'
    writeTexts(words, 'CLIENT', 'PAUSE')
    const fault = write.writeDuration(words, 'duration', duration)
    words.text(writesOnly ? 'WRITE' : 'ALL')
    return fault
  },
  answer: () => ({}),
}

const saveSnapshots: Mapping<
  message.AdminServiceSaveSnapshotsRequest,
  message.AdminServiceSaveSnapshotsResponse
> = {
  words: ({ inBackground }, words) => writeTexts(words, inBackground ? 'BGSAVE' : 'SAVE'),
  answer: () => ({}),
  alone: ({ inBackground }) => !inBackground,
}

const lastSnapshots: Mapping<
  message.AdminServiceLastSnapshotsRequest,
  message.AdminServiceLastSnapshotsResponse
> = {
  words: (_request, words) => writeTexts(words, 'LASTSAVE'),
  answer: reply => ({ time: { seconds: read.integer(reply), nanos: 0 } }),
}

export const adminMappings = {
  info,
  clusterInfo,
  getConfig,
  setConfig,
  resetStats: bare('CONFIG', 'RESETSTAT'),
  slowLog,
  resetSlowLog: bare('SLOWLOG', 'RESET'),
  latency,
  commandLatency,
  listClients,
  killClients,
  unblockClient,
  pauseClients,
  resumeClients: bare('CLIENT', 'UNPAUSE'),
  saveSnapshots,
  lastSnapshots,
}
