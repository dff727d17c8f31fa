// What happens at start, in order: identity, log, snapshots, and what the two say of each other.
//
// The log's record of a snapshot decides. A file that no record names is a
// leftover of a crash between the file's commit and its record, and goes. A record
// whose file is missing or bad is damage: the shard's state below its log is lost.
// A damaged shard takes the newest whole file there is, since a snapshot holds
// only what was committed.

import { OperationalError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { ShardId } from '../base/types.ts'
import { BatchEncoder } from './batch-encoder.ts'
import { type DataDir, openDataDir, writeIdentity } from './data-dir.ts'
import type { Disk } from './disk.ts'
import { readSegmentHeader, SEGMENT_HEADER_BYTES, segmentNumber } from './segment.ts'
import type { ShardLog } from './shard-log.ts'
import { parseSnapshotName } from './snapshot-file.ts'
import { SnapshotStore } from './snapshot-store.ts'
import { makeSegment } from './spare-segment.ts'
import type { StorageOptions } from './storage.ts'
import type { WalEnd } from './wal.ts'
import { recoverWal } from './wal-recovery.ts'

export type OpenedStorage = {
  readonly dataDir: DataDir
  readonly snapshots: SnapshotStore
  readonly logs: Map<ShardId, ShardLog>
  readonly end: WalEnd
  readonly lost: string | null
}

export function openStorage(
  disk: Disk,
  options: StorageOptions,
  logger: Logger,
  makeLog: (shard: ShardId) => ShardLog,
): OpenedStorage {
  const dataDir = openDataDir(disk, options, options.random)
  if (dataDir.isNew) begin(disk, dataDir, options.segmentBytes)
  const { segmentBytes } = options
  const { end, logs, lost } = recoverWal({ disk, dataDir, segmentBytes, logger, makeLog })
  const snapshots = new SnapshotStore(disk, dataDir.snapshotsPath, options.nodeId)
  for (const fault of snapshots.load()) logger.error({ fault }, 'bad snapshot file')
  for (const shard of snapshots.shards()) {
    // Unless the log was lost, the files of a shard it does not know are leftovers of a dropped one.
    if (lost !== null && !logs.has(shard)) {
      const log = makeLog(shard)
      log.setDamaged(lost)
      logs.set(shard, log)
    }
    if (!logs.has(shard)) snapshots.dropAll(shard)
  }
  for (const log of logs.values()) reconcile(log, snapshots, logger)
  return { dataDir, snapshots, logs, end, lost }
}

/** Makes the log of a new directory, and its identity last. */
function begin(disk: Disk, dataDir: DataDir, segmentBytes: number): void {
  refuseOrphans(disk, dataDir)
  const { nodeId, incarnation } = dataDir
  const encoder = new BatchEncoder()
  encoder.begin({ number: 1, base: 0 }, 0, 0, 0, SEGMENT_HEADER_BYTES)
  encoder.putHeader({
    nodeId,
    incarnation,
    number: 1,
    base: 0,
    allocated: segmentBytes,
    mark: 0,
    predecessor: 0,
  })
  makeSegment(disk, dataDir.walPath, 1, segmentBytes, encoder.finish())
  writeIdentity(disk, dataDir)
}

/** Without an identity there may be a log that was begun, but none that was written to. */
function refuseOrphans(disk: Disk, dataDir: DataDir): void {
  for (const name of disk.list(dataDir.walPath)) {
    const path = `${dataDir.walPath}/${name}`
    if (segmentNumber(name) !== null) {
      const file = disk.open(path, 'read')
      const bytes = file.read(0, SEGMENT_HEADER_BYTES + 64)
      file.close()
      const isBegun = bytes.subarray(SEGMENT_HEADER_BYTES).some(byte => byte !== 0)
      const isHeaderGood = readSegmentHeader(bytes) !== null
      if (isBegun || (!isHeaderGood && bytes.some(byte => byte !== 0))) refuse(dataDir, path)
    }
    disk.remove(path)
  }
  for (const name of disk.list(dataDir.snapshotsPath)) {
    const path = `${dataDir.snapshotsPath}/${name}`
    if (parseSnapshotName(name) !== null) refuse(dataDir, path)
    disk.remove(path)
  }
}

function refuse(dataDir: DataDir, path: string): never {
  throw new OperationalError('CORRUPT', `${dataDir.path}/identity is missing, but there is ${path}`)
}

/** Makes a shard's log and its snapshot files agree. */
function reconcile(log: ShardLog, snapshots: SnapshotStore, logger: Logger): void {
  const { shard } = log
  const { snapshot, start } = log.state
  const isFileLost = snapshot?.filed === true && !snapshots.has(shard, snapshot.meta)
  const isStateLost = isFileLost || (snapshot?.meta.index ?? 0) < start.index
  if (isStateLost) {
    const reason = isFileLost
      ? `snapshot ${snapshot.meta.index} is missing or bad`
      : `the log begins behind ${start.index} and no snapshot reaches there`
    logger.error({ shard, reason }, 'shard is damaged')
    log.setDamaged(log.damaged ?? reason)
  }
  const newest = snapshots.newest(shard)
  const isNewer = newest !== null && (isStateLost || newest.index > (snapshot?.meta.index ?? 0))
  if (log.damaged !== null && isNewer && newest.index >= start.index) {
    log.setSnapshot({ meta: newest, filed: true }, log.term(newest.index) !== newest.term)
    const { hardState } = log.state
    log.setHardState({ ...hardState, term: Math.max(hardState.term, newest.term) })
    log.clampCommit()
    log.setDamaged(log.damaged)
  } else if (isStateLost) {
    log.loseAll()
    log.setDamaged(log.damaged)
  }
  const kept = log.state.snapshot
  snapshots.keepOnly(shard, kept?.filed === true ? kept.meta : null)
}
