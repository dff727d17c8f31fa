// Words that Redis' protocol has and our own language does not.
//
// Clients compare them byte for byte, so they stand on the wire as they are; they
// stand in this file only, so that the rest of the code says leader and follower.

/** What HELLO, ROLE, INFO and CLUSTER call a node that leads. */
export const LEADER_WORD = 'master'
/** ROLE's word for a follower; everywhere else Redis says `replica`. */
export const FOLLOWER_ROLE_WORD = 'slave'
/** CLUSTER's old name for REPLICAS, and CLIENT LIST TYPE's for a replica. */
export const REPLICAS_OLD_WORD = 'slaves'
/** INFO's name for how many replicas are connected. */
export const CONNECTED_REPLICAS_FIELD = 'connected_slaves'
export const REPLICATION_OFFSET_FIELD = 'master_repl_offset'
/** A wait that ended because leadership went. */
export const UNBLOCKED_TEXT =
  'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)'
/** INFO's name for the line of one replica, before its number. */
export const REPLICA_LINE_FIELD = 'slave'
/** MEMORY STATS' name for what links to followers take. */
export const CLIENTS_OF_FOLLOWERS_STAT = 'clients.slaves'
/** The old name of REPLICAOF. */
export const REPLICAOF_OLD_WORD = 'slaveof'
/** INFO's fields about failovers and ids of replication. */
export const FAILOVER_STATE_FIELD = 'master_failover_state'
export const REPLICATION_ID_FIELD = 'master_replid'
