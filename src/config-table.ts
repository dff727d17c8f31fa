// The one table of options: key, kind, default, range, unit and a paragraph for each.
//
// Types, checks, environment names, `--help` and docs/configuration.md come from
// it, so a new option is one row here and one line in config.ts that hands it to
// the rooms. Keys read as in the YAML files; units stand in the names.
//
// `agreed` marks what is fixed once data exists and equal on every node: these
// make the fingerprint that is written into the data directory and compared when
// two nodes meet. Timings and sizes are not among them, so that a running cluster
// may change them node by node.

import { limits } from './base/limits.ts'

type Common = {
  /** For the page and for --help; whole sentences. */
  readonly doc: string
  /** Fixed once data exists and equal on every node. */
  readonly agreed?: true
}

export type Option = Common &
  (
    | {
        readonly kind: 'integer'
        readonly default: number
        readonly range: readonly [number, number]
      }
    | { readonly kind: 'flag'; readonly default: boolean }
    /** `required`: there is no default that could be right. */
    | {
        readonly kind: 'text'
        readonly default: string
        readonly shape?: RegExp
        readonly required?: true
      }
    | { readonly kind: 'choice'; readonly default: string; readonly choices: readonly string[] }
    /** `host:port` or `[v6]:port`; null: taken from the listen address. */
    | { readonly kind: 'address'; readonly default: string | null }
    /** `n1=host:port, n2=host:port`, in YAML also a list; empty: this node alone. */
    | { readonly kind: 'seeds'; readonly default: null }
  )

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

export const OPTIONS = {
  'cluster.name': {
    kind: 'text',
    default: 'slotcast',
    shape: /^[a-z0-9][a-z0-9._-]{0,62}$/,
    agreed: true,
    doc: 'Name of the cluster. Nodes refuse peers of another name, so that two clusters never mix by a wrong address.',
  },
  'cluster.enabled': {
    kind: 'flag',
    default: true,
    agreed: true,
    doc: 'Whether slots and redirects are shown to clients. False makes a standalone node: one shard, one replica, `cluster_enabled:0`, no CROSSSLOT.',
  },
  'cluster.shards': {
    kind: 'integer',
    default: 0,
    range: [0, limits.shardsMax],
    agreed: true,
    doc: 'Number of Raft groups that share the 16,384 slots. 0: as many as there are seeds, at least 3 and at most 16; 1 for a standalone node.',
  },
  'cluster.replicas_per_shard': {
    kind: 'integer',
    default: 0,
    range: [0, limits.votersMax],
    agreed: true,
    doc: 'Copies of each shard, an odd number: 3 survive the loss of one node, 5 of two. 0: 3 where there are three seeds or more, else 1.',
  },
  'cluster.raft.tick_ms': {
    kind: 'integer',
    default: 50,
    range: [10, 1000],
    doc: 'Unit of time of the Raft groups, in milliseconds.',
  },
  'cluster.raft.heartbeat_ticks': {
    kind: 'integer',
    default: 2,
    range: [1, 100],
    doc: 'A leader speaks at least this often, in ticks.',
  },
  'cluster.raft.election_ticks': {
    kind: 'integer',
    default: 20,
    range: [10, 10_000],
    doc: 'A follower that heard no leader for this many ticks, randomised to once or twice as many, asks for votes. At least 10 heartbeats. A leader whose process died is replaced much sooner: its connections close.',
  },
  'cluster.raft.inflight_messages_max': {
    kind: 'integer',
    default: 256,
    range: [1, 4096],
    doc: 'Appends on their way to one follower, per shard, before the leader waits for an answer.',
  },
  'cluster.raft.inflight_bytes_max': {
    kind: 'integer',
    default: 16 * MiB,
    range: [64 * KiB, GiB],
    doc: 'Bytes of entries on their way to one follower, per shard. One append always goes, however large.',
  },
  'cluster.raft.append_bytes_max': {
    kind: 'integer',
    default: 1 * MiB,
    range: [4 * KiB, 8 * MiB],
    doc: 'Bytes of entries in one append. A single larger entry goes alone.',
  },
  'cluster.raft.uncommitted_bytes_max': {
    kind: 'integer',
    default: 64 * MiB,
    range: [1 * MiB, 4 * GiB],
    doc: 'Bytes a leader takes in, per shard, before a majority has them. Over it clients are answered TRYAGAIN.',
  },
  'cluster.raft.apply_bytes_max': {
    kind: 'integer',
    default: 4 * MiB,
    range: [64 * KiB, GiB],
    doc: 'Bytes of committed entries applied in one turn, per shard, so that catching up does not stall the loop.',
  },
  'cluster.limits.connections_max': {
    kind: 'integer',
    default: 10_000,
    range: [1, 1_000_000],
    doc: 'RESP connections of one node. Further ones are told so and closed.',
  },
  'cluster.limits.session_output_bytes_max': {
    kind: 'integer',
    default: 64 * MiB,
    range: [1 * MiB, 4 * GiB],
    doc: 'Bytes of answers that one RESP client may leave unread before it is cut off.',
  },
  'cluster.limits.memory_bytes_max': {
    kind: 'integer',
    default: 0,
    range: [0, 1024 * GiB],
    doc: 'Bytes a node may hold, as `used_memory` of INFO tells them, before it refuses commands that add data (OOM). Reads, acks and trims go on. Looked at ten times a second. 0: no bound. `CONFIG SET maxmemory` changes it until the node ends.',
  },
  'cluster.grpc.keepalive_ms': {
    kind: 'integer',
    default: 20_000,
    range: [0, 86_400_000],
    doc: 'Every gRPC connection is pinged this often, in milliseconds, so that the waits of a client whose machine vanished end. 0: never.',
  },
  'cluster.grpc.keepalive_timeout_ms': {
    kind: 'integer',
    default: 10_000,
    range: [100, 600_000],
    doc: 'A gRPC connection that does not answer a ping within this many milliseconds is closed.',
  },
  'cluster.grpc.streams_max': {
    kind: 'integer',
    default: 10_000,
    range: [1, 1_000_000],
    doc: 'Calls of one gRPC connection at a time, waits and streams among them. A client holds back further ones, or is refused them.',
  },
  'cluster.grpc.message_bytes_max': {
    kind: 'integer',
    default: limits.commandBytesMax + MiB,
    range: [64 * KiB, limits.commandBytesMax + MiB],
    doc: 'Bytes of one message from a gRPC client; a larger one ends its call with RESOURCE_EXHAUSTED. The default holds the largest command. Messages to clients are bounded by what was asked for.',
  },
  'cluster.storage.segment_bytes': {
    kind: 'integer',
    default: 64 * MiB,
    range: [1 * MiB, GiB],
    doc: 'Size of a segment of the write-ahead log, preallocated.',
  },
  'cluster.storage.snapshot_log_bytes': {
    kind: 'integer',
    default: 256 * MiB,
    range: [1 * MiB, 64 * GiB],
    doc: 'A shard is written as a snapshot when it has logged this much since the last one, or as much as the last snapshot holds, whichever is more. Bounds the disk and the time of a restart.',
  },
  'cluster.storage.log_tail_bytes': {
    kind: 'integer',
    default: 16 * MiB,
    range: [0, 64 * GiB],
    doc: 'Log kept behind a snapshot, per shard, for followers that are a little late and would otherwise need the snapshot.',
  },
  'cluster.storage.cache_bytes': {
    kind: 'integer',
    default: 4 * MiB,
    range: [64 * KiB, 64 * GiB],
    doc: 'Newest log entries kept in memory, per shard. Older ones are read from disk when a follower asks for them.',
  },
  'cluster.storage.disk_reserve_bytes': {
    kind: 'integer',
    default: 32 * MiB,
    range: [0, 64 * GiB],
    doc: 'Free bytes below which a node refuses commands that make its data grow (MISCONF). Reads, acks and trims go on.',
  },
  'cluster.peers.buffer_bytes_max': {
    kind: 'integer',
    default: 32 * MiB,
    range: [1 * MiB, 4 * GiB],
    doc: 'Bytes waiting to go out to one peer. Over it messages are dropped; Raft repeats them. Pub/sub may have half as much besides, and does not repeat what is dropped.',
  },
  'node.id': {
    kind: 'text',
    default: '',
    shape: /^n[1-9][0-9]{0,3}$/,
    required: true,
    doc: 'Who this node is: n1, n2, ... It is written into the data directory and stays.',
  },
  'node.host_label': {
    kind: 'text',
    default: '',
    shape: /^[\x21-\x7e]{0,128}$/,
    doc: 'The machine, rack or zone this node shares its fate with; replicas of a shard stand on different labels. Empty: the node alone.',
  },
  'node.data_dir': {
    kind: 'text',
    default: './data',
    doc: 'Directory of the log, the snapshots and the identity. One node at a time.',
  },
  'node.resp.listen': {
    kind: 'address',
    default: '127.0.0.1:7001',
    doc: 'Where Redis clients connect.',
  },
  'node.resp.advertise': {
    kind: 'address',
    default: null,
    doc: 'The same as clients dial it; stands in MOVED and CLUSTER SLOTS. Empty: the listen address.',
  },
  'node.grpc.listen': {
    kind: 'address',
    default: '127.0.0.1:7101',
    doc: 'Where gRPC clients connect.',
  },
  'node.grpc.advertise': {
    kind: 'address',
    default: null,
    doc: 'The same as gRPC clients dial it. Empty: the listen address.',
  },
  'node.peer.listen': {
    kind: 'address',
    default: '127.0.0.1:7201',
    doc: 'Where other nodes connect. Not for clients: whoever reaches it is believed to be a node.',
  },
  'node.peer.advertise': {
    kind: 'address',
    default: null,
    doc: 'The same as other nodes dial it. Empty: the address among the seeds, else the listen address.',
  },
  'node.admin.listen': {
    kind: 'address',
    default: '127.0.0.1:7301',
    doc: 'HTTP: /healthz, /readyz, /metrics, /v1/topology, and streams for browsers and curl under /v1/streams (docs/http.md).',
  },
  'node.admin.advertise': {
    kind: 'address',
    default: null,
    doc: 'The same as others dial it; redirects of /v1/streams lead there. Empty: the listen address, or where that is a wildcard the host of `node.resp.advertise` with its port.',
  },
  'node.admin.allow_origins': {
    kind: 'text',
    default: '',
    shape: /^(\*|https?:\/\/[^\s,/]+(,\s*https?:\/\/[^\s,/]+)*)$/,
    doc: 'Origins whose web pages may use the HTTP door, as `https://board.example.org, http://localhost:3000`; `*`: all, which lets any page that anybody here opens in a browser write to streams. Empty: only pages of the door itself; what is no browser is not concerned.',
  },
  'node.seeds': {
    kind: 'seeds',
    default: null,
    doc: 'The nodes that found the cluster, this one among them, with their peer addresses: `n1=node-1:7201, n2=node-2:7202`. Empty: this node alone.',
  },
  'node.slow_log.slower_than_us': {
    kind: 'integer',
    default: 10_000,
    range: [0, 2 ** 31 - 1],
    doc: 'Commands whose own work took at least this long, in microseconds, go into the slow log. The wait for disk and majority does not count. `CONFIG SET slowlog-log-slower-than` changes it until the node ends.',
  },
  'node.slow_log.length_max': {
    kind: 'integer',
    default: 128,
    range: [0, 100_000],
    doc: 'Entries of the slow log; the oldest go first. `CONFIG SET slowlog-max-len` changes it until the node ends.',
  },
  'node.enable_debug_command': {
    kind: 'choice',
    default: 'no',
    choices: ['no', 'yes', 'local'],
    doc: 'Who may use DEBUG, which can stop a node for a while: nobody, everybody, or clients on the same machine. `slotcast node --enable-debug-command` and `slotcast dev --enable-debug-command` set it.',
  },
  'node.log.level': {
    kind: 'choice',
    default: 'info',
    choices: ['debug', 'info', 'warn', 'error'],
    doc: 'The least severe lines that are printed. The log is JSON on standard output, a line each.',
  },
} as const satisfies Record<string, Option>

export type OptionKey = keyof typeof OPTIONS

export const OPTION_KEYS = Object.keys(OPTIONS) as readonly OptionKey[]

/** What an environment variable of this key is called: `node.resp.listen` is SLOTCAST_NODE_RESP_LISTEN. */
export function environmentName(key: OptionKey): string {
  return `SLOTCAST_${key.replaceAll('.', '_').toUpperCase()}`
}
