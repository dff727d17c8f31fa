// What commands do otherwise than Redis, and why: for docs/commands.md.

import { limits } from './base/limits.ts'
import { REPLICAOF_OLD_WORD } from './broker/redis-words.ts'

const ALL_SHARDS = 'Asks every shard that the node leads and answers as one.'
const CLUSTER_ITSELF =
  'Refused in a cluster, as Redis Cluster refuses it. A standalone node has no replicas to choose from.'
const SNAPSHOTS =
  'Nothing is lost without it: every write is on disk before its reply. It writes each shard that has something new as a snapshot, which makes the log behind it shorter and the next start faster.'

const NO_SCRIPTS =
  'There are no scripts and no functions; this is answered for those who begin with it to be sure. `EVAL`, `FCALL` and their like are unknown commands.'

/** By the command's full name. */
export const DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ['dbsize', ALL_SHARDS],
  ['keys', ALL_SHARDS],
  ['randomkey', ALL_SHARDS],
  [
    'srandmember',
    'Picks at most 1048576 members that may come again: a negative count below that is out of range. The reply would be bounded by nothing.',
  ],
  [
    'sscan',
    'A cursor is a number without a sign. It is a place among the hashes of members, the same on every replica, so that a scan goes on after a failover.',
  ],
  [
    'scan',
    'Goes through the shards that the node leads, one after the other. A cursor holds through failovers and returns each key that stays exactly once.',
  ],
  [
    'multi',
    'Only where answers come in the order of the commands: over gRPC it is refused. In a cluster, commands about all keys (`DBSIZE`, `KEYS`, `SCAN`) are refused in a transaction, which belongs to one slot.',
  ],
  [
    'exec',
    `A transaction is one command of the log: all of it is there on a majority, or nothing is. It has at most ${limits.transactionCommandsMax} commands and ${limits.transactionBytesMax} bytes. Commands that need no shard are answered in their places, after the others were done.`,
  ],
  [
    'watch',
    `At most ${limits.watchedKeysMax} keys of one connection, and ${limits.watchedBytesMax} bytes.`,
  ],
  [
    'object|idletime',
    'Each node counts for itself: reads that another node served, and all before a restart, are not known.',
  ],
  [
    'dump',
    `The format is our own: what Redis dumps is refused by RESTORE, and the other way round. A value that takes more than ${limits.valueBytesMax} bytes is refused, since no command could carry it back.`,
  ],
  [
    'restore',
    'Takes what DUMP gave. FREQ is checked and has no effect. A time that 64 bits do not hold is refused, where Redis takes it for one that is over.',
  ],
  [
    'xinfo|groups',
    '`lag` is always exact. Redis does not know it once entries before the end were deleted, and says nil.',
  ],
  [
    'subscribe',
    `A channel's name has at most ${limits.channelBytesMax} bytes, a client at most ${limits.subscriptionsPerClientMax} subscriptions, a node ${limits.subscribedNamesMax} different channels and patterns. Over RESP, or with the PubSubService of gRPC; sessions of its CommandService are refused.`,
  ],
  [
    'psubscribe',
    `A pattern has at most ${limits.patternBytesMax} bytes; matching takes at most its length times that of the channel's name.`,
  ],
  [
    'ssubscribe',
    'Served by the leader of the slot alone, also after READONLY. When leadership or the slot goes, `sunsubscribe` is pushed for each channel. In a transaction it is refused, as in Redis.',
  ],
  [
    'publish',
    'Goes to the nodes on which somebody listens, in the message that carries Raft’s of the same turn; the reply counts this node’s subscriptions, as in Redis Cluster. At most once: what a link does not take is dropped and counted (`pubsub_peer_dropped_messages_total`). Waits for the commands before it in the pipeline. What a client publishes to itself comes behind the reply, in EXEC behind all of it, as in Redis 7.2.',
  ],
  [
    'spublish',
    'Reaches the subscribers of the leader of the slot, and no other node. Waits for the commands before it in the pipeline.',
  ],
  [
    'wait',
    'Every answered write is on the disks of a majority already, so half of the other voters are never waited for. For more than that it waits for all that is committed in the shards led by this node, not for the writes of this connection alone.',
  ],
  [
    'waitaof',
    'As WAIT: there is no copy in memory only. The first number is 1 wherever the node leads.',
  ],
  [
    'client|list',
    'Sizes that only the buffers of Redis have are 0; `qbuf`, `obl`, `omem` and `tot-mem` count what waits in the door. `fd` is -1.',
  ],
  [
    'client|tracking',
    'ON is refused: no invalidations are sent, and to answer OK would make clients serve stale data from their caches.',
  ],
  [
    'client|no-evict',
    'Remembered and shown, and without effect: clients are never evicted for the memory of others.',
  ],
  [
    'client|no-touch',
    'Holds for reads. A write is applied by every replica, whoever sent it, and is a use of its keys.',
  ],
  [
    'client|pause',
    'Holds commands when they arrive. Those that waited for data before go on waiting and may be served.',
  ],
  [
    'acl|setuser',
    'Refused: there is one user, `default`, without a password, who may do everything. Close the ports to whom you do not trust.',
  ],
  ['auth', 'There is one user without a password.'],
  [
    'config|get',
    'Shows what has a meaning here. `appendonly` is yes and `appendfsync` always, since that is what a reply means.',
  ],
  [
    'config|set',
    'Changes `maxmemory`, `maxclients`, `timeout`, `loglevel`, `client-output-buffer-limit` (no client may have more waiting than `cluster.limits.session_output_bytes_max`), `notify-keyspace-events` (published by the leader, on its own node, as in Redis Cluster), `slowlog-log-slower-than`, `slowlog-max-len`, `latency-tracking`, `latency-tracking-info-percentiles` and `latency-monitor-threshold`, on this node and until it ends. `lazyfree-lazy-*`, `list-compress-depth`, `list-max-listpack-size`, `set-max-*` and `aof-use-rdb-preamble` are remembered and have no effect: a type has one encoding here, and nothing is freed later. The rest accepts only what holds already. `stream-node-max-entries` is set in the shards that the node leads, by a command of their logs, since all replicas must divide streams alike; they keep it with their data. `stream-node-max-bytes` is fixed.',
  ],
  [
    'config|rewrite',
    'Refused: configuration files are the operator’s, and are never written by a node.',
  ],
  [
    'memory|usage',
    'An estimate of what this implementation takes; other numbers than Redis has for the same key.',
  ],
  [
    'memory|stats',
    'Has what a JavaScript engine tells: `dataset.bytes` are the buffers outside of its heap, `heap.used` and `heap.reserved` the rest. Figures of jemalloc and of forks are left out.',
  ],
  ['memory|purge', 'Collects garbage, which stops the node for tens of milliseconds.'],
  ['memory|malloc-stats', 'The allocator keeps no figures.'],
  [
    'slowlog|get',
    'Times are of the command’s own work: what applying or reading took, without the wait for the disks of a majority, which is the same for all. Cheap commands are timed in groups of 16; of a slow group the longest command is logged for it, and from then on each is timed alone for ten seconds. Of a read that waited long only the name may be left.',
  ],
  [
    'latency|histogram',
    'Of cheap commands that come in groups each counts with its share of the group’s time.',
  ],
  [
    'latency|latest',
    'Events are `command` and `fast-command`: nothing forks here, and nothing is evicted.',
  ],
  ['latency|doctor', 'The analysis is Redis’ own, the advice is about what can be slow here.'],
  [
    'info',
    'Fields of forks, modules and replication backlogs are left out. `# Shards` says how far each replica of this node is. `used_memory` is the heap and the buffers of the engine.',
  ],
  [
    'debug',
    'Only with `--enable-debug-command`. RELOAD and LOADAOF write each shard led here as a snapshot, read it back in place and compare. What crashes a server on purpose is left out: signals do that.',
  ],
  ['script|flush', NO_SCRIPTS],
  ['function|flush', NO_SCRIPTS],
  ['save', `${SNAPSHOTS} It answers when they are on disk; others are served meanwhile.`],
  ['bgsave', SNAPSHOTS],
  ['bgrewriteaof', `${SNAPSHOTS} The log has no other form that it could be rewritten to.`],
  [
    'lastsave',
    'When SAVE, BGSAVE or BGREWRITEAOF last ended well, or the start of the node. Snapshots that the node takes by itself do not count, since they are of one shard each.',
  ],
  [
    'shutdown',
    'Leaderships go to other nodes first. NOSAVE, NOW and FORCE change nothing: all that was answered is on disk. Whoever watches the process (`slotcast dev`, a container engine) may start it again. ABORT finds none in progress.',
  ],
  ['failover', CLUSTER_ITSELF],
  ['replicaof', CLUSTER_ITSELF],
  [REPLICAOF_OLD_WORD, CLUSTER_ITSELF],
  [
    'role',
    'A node leads some shards and follows others. It calls itself a leader when it leads any, and lists no replicas; see `CLUSTER SHARDS`.',
  ],
  [
    'asking',
    'Answered, and without effect: a slot moves at once, so no node serves one by halves.',
  ],
  ['readonly', 'Lets this node answer reads from its own copies, which may lag behind.'],
  [
    'cluster|nodes',
    'Shows every node as a leader with the slots that it leads: to Redis a node is either a leader or a replica of one, here it is both.',
  ],
  [
    'cluster|slots',
    'Names as replicas only nodes that are up, lead nothing, and have no shard to lead when all is well: clients take a node for a leader or for a replica, and would be redirected by one that is both. `CLUSTER SHARDS` names all.',
  ],
  ['flushall', `${ALL_SHARDS} ASYNC and SYNC are alike: it is never slow.`],
  ['flushdb', `${ALL_SHARDS} There is one database.`],
  ['select', 'There is one database, as in Redis Cluster.'],
])
