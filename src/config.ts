// From files and environment to the configuration of one node, or to one line that says what is wrong.
//
// Precedence: environment > later --config file > earlier one > default. The
// cluster's file comes first and holds what all nodes share, the node's own
// second. An unknown key is an error that names the nearest known one: a
// misspelt limit that is silently ignored is found in the worst hour.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { OperationalError } from './base/errors.ts'
import type { Ms, NodeId } from './base/types.ts'
import { type ConfigSource, readEnvironment, readYaml } from './config-sources.ts'
import { OPTION_KEYS, OPTIONS, type OptionKey } from './config-table.ts'
import { parseOption, type Seed, type ValueOf } from './config-values.ts'
import type { Address } from './topology/slot-map.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export type Door = { readonly listen: Address; readonly advertise: Address }

export type RaftConfig = {
  readonly tickMs: Ms
  readonly heartbeatTicks: number
  readonly electionTicks: number
  readonly inflightMessagesMax: number
  readonly inflightBytesMax: number
  readonly appendBytesMax: number
  readonly uncommittedBytesMax: number
  readonly applyBytesMax: number
}

export type LimitsConfig = {
  readonly connectionsMax: number
  readonly sessionOutputBytesMax: number
  /** 0: no bound. */
  readonly memoryBytesMax: number
}

export type GrpcConfig = {
  /** 0: never. */
  readonly keepaliveMs: number
  readonly keepaliveTimeoutMs: number
  readonly streamsMax: number
  readonly messageBytesMax: number
}

export type StorageConfig = {
  readonly segmentBytes: number
  readonly snapshotLogBytes: number
  readonly logTailBytes: number
  readonly cacheBytes: number
  readonly diskReserveBytes: number
}

/** What one node runs by. Resolved: nothing in here means "choose for me". */
export type NodeConfig = {
  readonly node: {
    readonly id: NodeId
    /** `n1`. */
    readonly name: string
    readonly hostLabel: string
    /** Absolute. */
    readonly dataDir: string
    readonly resp: Door
    readonly grpc: Door
    readonly peer: Door
    readonly admin: Door & { readonly allowOrigins: readonly string[] }
    /** Who founds the cluster, by rising id, this node among them. */
    readonly seeds: readonly Seed[]
    readonly log: { readonly level: LogLevel }
    readonly slowLog: { readonly slowerThanMicros: number; readonly lengthMax: number }
    /** Who may use DEBUG. */
    readonly debugCommands: 'no' | 'yes' | 'local'
  }
  readonly cluster: {
    readonly name: string
    /** False: standalone, one shard, no redirects. */
    readonly enabled: boolean
    readonly shards: number
    readonly replicasPerShard: number
    readonly raft: RaftConfig
    readonly limits: LimitsConfig
    readonly storage: StorageConfig
    readonly grpc: GrpcConfig
    readonly peers: { readonly bufferBytesMax: number }
  }
  /** 32 hex digits over what all nodes must agree on and data depends on. */
  readonly fingerprint: string
}

export type { Seed } from './config-values.ts'

/** Each option's value as its source gave it, defaults filled in. */
export type Settings = { readonly [K in OptionKey]: ValueOf<K> }

/** The fewest heartbeats that must fit an election timeout, so that one lost message starts no election. */
const HEARTBEATS_PER_ELECTION = 10
const SHARDS_AUTO_MIN = 3
const SHARDS_AUTO_MAX = 16

/**
 * Reads the configuration of a node.
 *
 * @throws OperationalError CONFIG whose message is one line and names every fault found
 */
export function loadConfig(
  files: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): { config: NodeConfig; settings: Settings } {
  const faults: string[] = []
  const sources: ConfigSource[] = files.map(file => readYaml(file, readText(file), faults))
  sources.push(readEnvironment(environment, faults))
  const settings = settingsFrom(sources, faults)
  const config = faults.length === 0 ? nodeConfigFrom(settings, faults) : null
  if (config === null || faults.length > 0) {
    throw new OperationalError('CONFIG', `configuration: ${faults.join('; ')}`)
  }
  return { config, settings }
}

/** The settings as they stand in YAML and in the log: one flat line for each key. */
export function printableSettings(settings: Settings): Record<string, unknown> {
  const printable: Record<string, unknown> = {}
  for (const key of OPTION_KEYS) {
    const value: unknown = settings[key]
    if (isAddress(value)) printable[key] = formatAddress(value)
    else if (Array.isArray(value)) printable[key] = (value as Seed[]).map(formatSeed)
    else printable[key] = value
  }
  return printable
}

/** `host:port`, with brackets around a v6 address. */
export function formatAddress(address: Address): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${host}:${address.port}`
}

function formatSeed(seed: Seed): string {
  return `${seed.name}=${formatAddress(seed)}`
}

function isAddress(value: unknown): value is Address {
  return typeof value === 'object' && value !== null && 'port' in value
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new OperationalError('CONFIG', `configuration: ${(error as Error).message}`, error)
  }
}

function settingsFrom(sources: readonly ConfigSource[], faults: string[]): Settings {
  const settings: Record<string, unknown> = {}
  for (const key of OPTION_KEYS) {
    const option = OPTIONS[key]
    let value: unknown = parseOption(option, option.default)
    let given = false
    for (const source of sources) {
      const raw = source.values.get(key)
      if (raw === undefined) continue
      const parsed = parseOption(option, raw)
      if (parsed instanceof Error) faults.push(`${source.nameOf(key)} ${parsed.message}`)
      else value = parsed
      given = true
    }
    if ('required' in option && !given) faults.push(`${key} is missing`)
    settings[key] = value
  }
  return settings as Settings
}

function nodeConfigFrom(settings: Settings, faults: string[]): NodeConfig {
  const name = settings['node.id']
  const id = Number(name.slice(1))
  const peerListen = settings['node.peer.listen']
  const own = settings['node.seeds'].find(seed => seed.id === id)
  const peerAdvertise = settings['node.peer.advertise'] ?? own ?? peerListen
  const seeds: readonly Seed[] =
    settings['node.seeds'].length > 0
      ? [...settings['node.seeds']].sort((a, b) => a.id - b.id)
      : [{ id, name, host: peerAdvertise.host, port: peerAdvertise.port }]
  const door = (listen: Address, advertise: Address | null): Door => ({
    listen,
    advertise: addressOf(advertise ?? listen),
  })
  const resp = door(settings['node.resp.listen'], settings['node.resp.advertise'])
  const admin = door(settings['node.admin.listen'], settings['node.admin.advertise'])
  // Nobody can dial a wildcard, and 0.0.0.0 is common there.
  const adminHost = isWildcard(admin.advertise) ? resp.advertise.host : admin.advertise.host
  const config: NodeConfig = {
    node: {
      id,
      name,
      hostLabel: settings['node.host_label'] || name,
      dataDir: resolve(settings['node.data_dir']),
      resp,
      grpc: door(settings['node.grpc.listen'], settings['node.grpc.advertise']),
      peer: door(peerListen, peerAdvertise),
      admin: {
        listen: admin.listen,
        advertise: { host: adminHost, port: admin.advertise.port },
        allowOrigins: settings['node.admin.allow_origins'].split(/,\s*/).filter(Boolean),
      },
      seeds,
      log: { level: settings['node.log.level'] },
      slowLog: {
        slowerThanMicros: settings['node.slow_log.slower_than_us'],
        lengthMax: settings['node.slow_log.length_max'],
      },
      debugCommands: settings['node.enable_debug_command'],
    },
    cluster: clusterConfigFrom(settings, seeds.length),
    fingerprint: fingerprintOf(settings, seeds),
  }
  checkRelations(config, faults)
  return config
}

function addressOf(address: Address): Address {
  return { host: address.host, port: address.port }
}

function clusterConfigFrom(settings: Settings, nodes: number): NodeConfig['cluster'] {
  const enabled = settings['cluster.enabled']
  const shardsAuto = enabled ? Math.min(Math.max(nodes, SHARDS_AUTO_MIN), SHARDS_AUTO_MAX) : 1
  const replicasAuto = enabled && nodes >= 3 ? 3 : 1
  return {
    name: settings['cluster.name'],
    enabled,
    shards: settings['cluster.shards'] || shardsAuto,
    replicasPerShard: settings['cluster.replicas_per_shard'] || replicasAuto,
    raft: {
      tickMs: settings['cluster.raft.tick_ms'],
      heartbeatTicks: settings['cluster.raft.heartbeat_ticks'],
      electionTicks: settings['cluster.raft.election_ticks'],
      inflightMessagesMax: settings['cluster.raft.inflight_messages_max'],
      inflightBytesMax: settings['cluster.raft.inflight_bytes_max'],
      appendBytesMax: settings['cluster.raft.append_bytes_max'],
      uncommittedBytesMax: settings['cluster.raft.uncommitted_bytes_max'],
      applyBytesMax: settings['cluster.raft.apply_bytes_max'],
    },
    limits: {
      connectionsMax: settings['cluster.limits.connections_max'],
      sessionOutputBytesMax: settings['cluster.limits.session_output_bytes_max'],
      memoryBytesMax: settings['cluster.limits.memory_bytes_max'],
    },
    storage: {
      segmentBytes: settings['cluster.storage.segment_bytes'],
      snapshotLogBytes: settings['cluster.storage.snapshot_log_bytes'],
      logTailBytes: settings['cluster.storage.log_tail_bytes'],
      cacheBytes: settings['cluster.storage.cache_bytes'],
      diskReserveBytes: settings['cluster.storage.disk_reserve_bytes'],
    },
    grpc: {
      keepaliveMs: settings['cluster.grpc.keepalive_ms'],
      keepaliveTimeoutMs: settings['cluster.grpc.keepalive_timeout_ms'],
      streamsMax: settings['cluster.grpc.streams_max'],
      messageBytesMax: settings['cluster.grpc.message_bytes_max'],
    },
    peers: { bufferBytesMax: settings['cluster.peers.buffer_bytes_max'] },
  }
}

function checkRelations({ node, cluster }: NodeConfig, faults: string[]): void {
  const { raft, replicasPerShard } = cluster
  if (raft.electionTicks < raft.heartbeatTicks * HEARTBEATS_PER_ELECTION) {
    faults.push(
      `cluster.raft.election_ticks ${raft.electionTicks} is less than ${HEARTBEATS_PER_ELECTION} heartbeats of ${raft.heartbeatTicks} ticks`,
    )
  }
  if (replicasPerShard % 2 === 0) {
    faults.push(`cluster.replicas_per_shard ${replicasPerShard} is even`)
  }
  if (replicasPerShard > node.seeds.length) {
    faults.push(
      `cluster.replicas_per_shard ${replicasPerShard} needs as many node.seeds, there are ${node.seeds.length}`,
    )
  }
  if (!cluster.enabled && (node.seeds.length > 1 || cluster.shards > 1)) {
    faults.push('cluster.enabled false allows one seed and one shard')
  }
  if (!node.seeds.some(seed => seed.id === node.id)) {
    faults.push(`node.seeds does not name this node, ${node.name}`)
  }
  checkAddresses(node, faults)
}

function isWildcard({ host }: Address): boolean {
  return /^(0\.0\.0\.0|::|)$/.test(host)
}

function checkAddresses(node: NodeConfig['node'], faults: string[]): void {
  const taken = new Map<string, string>()
  for (const name of ['resp', 'grpc', 'peer', 'admin'] as const) {
    const door = node[name]
    const listen = formatAddress(door.listen)
    const other = taken.get(listen)
    if (other !== undefined) faults.push(`node.${name}.listen ${listen} is also ${other}`)
    taken.set(listen, `node.${name}.listen`)
    if (isWildcard(door.advertise)) {
      faults.push(`node.${name}.advertise is missing: nobody can dial ${listen}`)
    }
  }
}

/** Who founds the cluster counts by name only: addresses may change, the founders may not. */
function fingerprintOf(settings: Settings, seeds: readonly Seed[]): string {
  const hash = createHash('sha256')
  hash.update(`seeds=${seeds.map(seed => seed.name).join()}\n`)
  for (const key of OPTION_KEYS) {
    if ('agreed' in OPTIONS[key]) hash.update(`${key}=${String(settings[key])}\n`)
  }
  return hash.digest('hex').slice(0, 32)
}
