// The sections of INFO about the node: server, clients, memory, disk, traffic, CPU.
//
// What only Redis has (forks, replication backlogs, evictions) is left out rather
// than made up, except for fields that clients and tools look for and that are
// truly 0 here.

import type { Ms } from '../../base/types.ts'
import { clusterNodeId } from '../../topology/slot-map.ts'
import type { Desk } from '../desk.ts'
import { clientBytes, isBlocked } from './client-line.ts'
import { REDIS_VERSION } from './connection.ts'

export type Fields = readonly (readonly [string, string | number])[]

const KiB = 1024
const PERCENT = 100

/** Bytes for people, as Redis writes them. */
export function human(bytes: number): string {
  if (bytes < KiB) return `${bytes}B`
  let value = bytes
  for (const unit of ['K', 'M', 'G', 'T']) {
    value /= KiB
    if (value < KiB || unit === 'T') return `${value.toFixed(2)}${unit}`
  }
  return ''
}

function percent(part: number, whole: number): string {
  return `${(whole === 0 ? 0 : (part * PERCENT) / whole).toFixed(2)}%`
}

function seconds(ms: Ms): number {
  return Math.floor(ms / 1000)
}

export function server(desk: Desk): Fields {
  const { clock, directory, options, process, self } = desk.ports
  const node = directory.map().nodes.get(self)
  const uptime = seconds(clock.monotonic() - desk.startedAt)
  return [
    ['redis_version', REDIS_VERSION],
    ['redis_mode', options.clusterEnabled ? 'cluster' : 'standalone'],
    ['server_name', 'slotcast'],
    ['slotcast_version', options.version],
    ['os', process.os],
    ['arch_bits', 64],
    ['multiplexing_api', 'libuv'],
    ['engine_version', process.engine],
    ['process_id', process.pid],
    ['process_supervised', 'no'],
    ['run_id', node === undefined ? '' : clusterNodeId(node)],
    ['tcp_port', node?.resp.port ?? 0],
    ['server_time_usec', Math.floor(clock.now() * 1000)],
    ['uptime_in_seconds', uptime],
    ['uptime_in_days', Math.floor(uptime / 86_400)],
    ['executable', process.executable],
    ['config_file', ''],
  ]
}

export function clients(desk: Desk): Fields {
  const all = [...desk.sessions.values()]
  let input = 0
  let output = 0
  for (const { client } of all) {
    const buffers = client.buffers?.() ?? { input: 0, output: 0 }
    input = Math.max(input, buffers.input)
    output = Math.max(output, buffers.output)
  }
  let keys = 0
  let onNoKey = 0
  for (const { replica } of desk.shards()) {
    const blocking = replica.blockingKeys?.() ?? { all: 0, onNoKey: 0 }
    keys += blocking.all
    onNoKey += blocking.onNoKey
  }
  return [
    ['connected_clients', all.length],
    ['cluster_connections', 0],
    ['maxclients', desk.settings.clientsMax],
    ['client_recent_max_input_buffer', input],
    ['client_recent_max_output_buffer', output],
    ['blocked_clients', all.filter(session => isBlocked(desk, session)).length],
    ['tracking_clients', 0],
    ['pubsub_clients', desk.pubsub.registry.listeners],
    ['watching_clients', all.filter(({ watch }) => (watch?.count ?? 0) > 0).length],
    ['clients_in_timeout_table', 0],
    ['total_blocking_keys', keys],
    ['total_blocking_keys_on_nokey', onNoKey],
  ]
}

export function memory(desk: Desk): Fields {
  const { process } = desk.ports
  const { resident, heap, heapReserved, buffers } = process.memory()
  const used = heap + buffers
  desk.peak.bytes = Math.max(desk.peak.bytes, used)
  const bound = desk.settings.memoryBytesMax
  return [
    ['used_memory', used],
    ['used_memory_human', human(used)],
    ['used_memory_rss', resident],
    ['used_memory_rss_human', human(resident)],
    ['used_memory_peak', desk.peak.bytes],
    ['used_memory_peak_human', human(desk.peak.bytes)],
    ['used_memory_peak_perc', percent(used, desk.peak.bytes)],
    ['used_memory_overhead', heap],
    ['used_memory_dataset', buffers],
    ['used_memory_dataset_perc', percent(buffers, used)],
    ['allocator_allocated', used],
    ['allocator_active', heapReserved + buffers],
    ['allocator_resident', resident],
    ['total_system_memory', process.machineBytes],
    ['total_system_memory_human', human(process.machineBytes)],
    ['maxmemory', bound],
    ['maxmemory_human', human(bound)],
    ['maxmemory_policy', 'noeviction'],
    ['mem_fragmentation_ratio', (resident / Math.max(1, used)).toFixed(2)],
    ['mem_fragmentation_bytes', resident - used],
    ['mem_clients_normal', clientBytes(desk)],
    ['mem_allocator', 'libc'],
    ['lazyfree_pending_objects', 0],
  ]
}

/** A standalone node is loading until it leads its shard; a cluster node says so by CLUSTERDOWN. */
export function persistence(desk: Desk): Fields {
  const { options, snapshots } = desk.ports
  const ready = options.clusterEnabled || desk.shards().some(({ replica }) => replica.isLeader)
  return [
    ['loading', ready ? 0 : 1],
    ['async_loading', 0],
    ['rdb_bgsave_in_progress', snapshots?.running === true ? 1 : 0],
    ['rdb_last_save_time', seconds(snapshots?.lastAt ?? 0)],
    ['rdb_last_bgsave_status', snapshots?.lastOk === false ? 'err' : 'ok'],
    ['rdb_saves', snapshots?.taken ?? 0],
    ['slotcast_log_bytes_since_snapshots', snapshots?.bytesSince ?? 0],
    ['aof_enabled', 1],
    // What a rewrite is for, a round of snapshots does.
    ['aof_rewrite_in_progress', snapshots?.running === true ? 1 : 0],
    ['aof_rewrite_scheduled', 0],
    ['aof_last_bgrewrite_status', 'ok'],
    // A write that fails ends the process.
    ['aof_last_write_status', 'ok'],
  ]
}

/** A counter that a door or a replica keeps. */
function counted(desk: Desk, name: string): number {
  return desk.ports.metrics.counters.get(name)?.value ?? 0
}

/** Keys that expired in the shards led here, as far as this node saw them go. */
function expired(desk: Desk): number {
  let keys = 0
  for (const { replica, machine } of desk.shards())
    if (replica.isLeader) keys += machine.keyspace.expired
  return keys
}

export function stats(desk: Desk): Fields {
  const { tally } = desk
  let input = tally.bytesIn
  let output = tally.bytesOut
  for (const { bytesIn, bytesOut } of desk.sessions.values()) {
    input += bytesIn
    output += bytesOut
  }
  return [
    ['total_connections_received', tally.connections],
    ['total_commands_processed', tally.commands],
    ['instantaneous_ops_per_sec', Math.round(desk.commandRate.perSecond)],
    ['total_net_input_bytes', input],
    ['total_net_output_bytes', output],
    ['rejected_connections', counted(desk, 'resp_rejected_total')],
    ['expired_keys', expired(desk)],
    ['evicted_keys', 0],
    ['evicted_clients', 0],
    ['pubsub_channels', desk.pubsub.registry.channels.size],
    ['pubsub_patterns', desk.pubsub.registry.patterns.size],
    ['pubsubshard_channels', desk.pubsub.registry.shardChannels.size],
    ['latest_fork_usec', 0],
    ['total_forks', 0],
    ['unexpected_error_replies', 0],
    ['total_error_replies', tally.errors],
    [
      'client_output_buffer_limit_disconnections',
      counted(desk, 'resp_output_limit_total') + counted(desk, 'grpc_output_limit_total'),
    ],
    ['slotcast_refused_commands', tally.refused],
    ['slotcast_redirects', counted(desk, 'broker_redirects_total')],
    ['slotcast_in_doubt', counted(desk, 'broker_in_doubt_total')],
  ]
}

export function cpu(desk: Desk): Fields {
  const { user, system } = desk.ports.process.cpu()
  return [
    ['used_cpu_sys', system.toFixed(6)],
    ['used_cpu_user', user.toFixed(6)],
    ['used_cpu_sys_children', '0.000000'],
    ['used_cpu_user_children', '0.000000'],
  ]
}

export function commandStats(desk: Desk): Fields {
  return desk.meter.stats.all().map(stats => {
    const { name, calls, rejected, failed } = stats
    const micros = Math.round(stats.micros)
    const mean = (calls === 0 ? 0 : stats.micros / calls).toFixed(2)
    return [
      `cmdstat_${name}`,
      `calls=${calls},usec=${micros},usec_per_call=${mean},rejected_calls=${rejected},failed_calls=${failed}`,
    ]
  })
}

export function errorStats(desk: Desk): Fields {
  return desk.errorCounts.all().map(([word, count]) => [`errorstat_${word}`, `count=${count}`])
}

export function latencyStats(desk: Desk): Fields {
  const { percentiles } = desk.settings
  return desk.meter.stats.all().flatMap(({ name, latency }) => {
    if (latency === null) return []
    const values = percentiles.map(
      percent => `p${percent}=${(latency.percentile(percent) / 1000).toFixed(3)}`,
    )
    return [[`latency_percentiles_usec_${name}`, values.join(',')] as const]
  })
}
