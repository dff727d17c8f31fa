// A node's data directory: its lock, its identity, and where everything is.
//
//   node.pid    process id of the node that runs on it, as text; also the lock
//   identity    what the directory is, as text (below); written once
//   wal/        segments of the write-ahead log (segment.ts)
//   snapshots/  snapshot files (snapshot-file.ts)
//
// The identity file, one fact a line:
//
//   slotcast data directory
//   format 1
//   node 2
//   incarnation 3f0c...        32 hex digits, drawn when the directory was made
//   cluster 9a41...            fingerprint of what all nodes must agree on
//   checksum 1a2b3c4d          crc32c of all that stands before this line
//
// It is written last when a directory is made: where it stands, the log stood
// once, and a log that is missing then is a log that was lost. A node that comes
// back empty under its old id has broken its promises, which is why peers compare
// incarnations (RAFT 4.2).

import { crc32c } from '../base/crc32c.ts'
import { OperationalError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { NodeId } from '../base/types.ts'
import { type Disk, removeLeftover } from './disk.ts'

export const DATA_DIR_FORMAT = 1
const TITLE = 'slotcast data directory'

/** Processes, as the lock sees them. */
export interface Processes {
  /** This process. */
  readonly pid: number
  alive(pid: number): boolean
}

export type DataDirFacts = {
  readonly directory: string
  readonly nodeId: NodeId
  /** Of what all nodes must agree on; a directory made under another one is refused. */
  readonly cluster: string
}

export type DataDir = {
  readonly path: string
  readonly walPath: string
  readonly snapshotsPath: string
  readonly format: number
  readonly nodeId: NodeId
  /** 32 hex digits. */
  readonly incarnation: string
  readonly cluster: string
  /** It was just made; its identity file is not written yet. */
  readonly isNew: boolean
}

/** Takes the lock: one process at a time. A lock whose process is gone is taken over. */
export function lockDataDir(disk: Disk, directory: string, processes: Processes): void {
  disk.makeDirectory(directory)
  const path = `${directory}/node.pid`
  const text = disk.readFile(path)?.toString('latin1').trim()
  if (text !== undefined) {
    const pid = /^\d{1,10}$/.test(text) ? Number(text) : 0
    // Our own number is an old lock too: in a container every process is number 1.
    if (pid > 0 && pid !== processes.pid && processes.alive(pid)) {
      throw new OperationalError('LOCKED', `${directory} is in use by process ${pid}`)
    }
    disk.remove(path)
  }
  const file = disk.open(path, 'create')
  file.write(Buffer.from(`${processes.pid}\n`, 'latin1'), 0)
  file.close()
}

export function unlockDataDir(disk: Disk, directory: string): void {
  removeLeftover(disk, `${directory}/node.pid`)
}

/** Reads the identity, or draws one for a directory that has none. Does not write it. */
export function openDataDir(disk: Disk, facts: DataDirFacts, random: Random): DataDir {
  const { directory, nodeId, cluster } = facts
  const paths = {
    path: directory,
    walPath: `${directory}/wal`,
    snapshotsPath: `${directory}/snapshots`,
  }
  disk.makeDirectory(paths.walPath)
  disk.makeDirectory(paths.snapshotsPath)
  disk.syncDirectory(directory)
  const text = disk.readFile(`${directory}/identity`)?.toString('utf8')
  if (text === undefined) {
    const incarnation = Buffer.from(random.bytes(16)).toString('hex')
    return { ...paths, format: DATA_DIR_FORMAT, nodeId, incarnation, cluster, isNew: true }
  }
  const identity = parseIdentity(text)
  if (identity === null) {
    throw new OperationalError('CORRUPT', `${directory}/identity is damaged`)
  }
  if (identity.format !== DATA_DIR_FORMAT) {
    throw new OperationalError(
      'CONFIG',
      `${directory} has format ${identity.format}, this build reads ${DATA_DIR_FORMAT}`,
    )
  }
  if (identity.nodeId !== nodeId) {
    throw new OperationalError(
      'CONFIG',
      `${directory} belongs to node ${identity.nodeId}, not to node ${nodeId}`,
    )
  }
  if (identity.cluster !== cluster) {
    throw new OperationalError(
      'CONFIG',
      `${directory} was made for cluster ${identity.cluster}, the configuration says ${cluster}`,
    )
  }
  return { ...paths, ...identity, isNew: false }
}

/** Writes the identity: the last step of making a directory. */
export function writeIdentity(disk: Disk, dataDir: DataDir): void {
  const path = `${dataDir.path}/identity`
  if (disk.exists(`${path}.tmp`)) disk.remove(`${path}.tmp`)
  const file = disk.open(`${path}.tmp`, 'create')
  file.write(Buffer.from(formatIdentity(dataDir)), 0)
  file.sync()
  file.close()
  disk.rename(`${path}.tmp`, path)
  disk.syncDirectory(dataDir.path)
}

type Identity = Pick<DataDir, 'format' | 'nodeId' | 'incarnation' | 'cluster'>

export function formatIdentity(identity: Identity): string {
  const { format, nodeId, incarnation, cluster } = identity
  const body = [
    TITLE,
    `format ${format}`,
    `node ${nodeId}`,
    `incarnation ${incarnation}`,
    `cluster ${cluster}`,
    '',
  ].join('\n')
  return `${body}checksum ${checksumOf(body)}\n`
}

/** Null: not an identity, or a damaged one. */
export function parseIdentity(text: string): Identity | null {
  const split = text.lastIndexOf('checksum ')
  const body = text.slice(0, Math.max(0, split))
  if (text.slice(split) !== `checksum ${checksumOf(body)}\n`) return null
  const parts =
    /^slotcast data directory\nformat (\d+)\nnode (\d+)\nincarnation ([0-9a-f]{32})\ncluster (.*)\n$/.exec(
      body,
    )
  if (parts === null) return null
  const [, format, nodeId, incarnation, cluster] = parts
  return {
    format: Number(format),
    nodeId: Number(nodeId),
    incarnation: incarnation ?? '',
    cluster: cluster ?? '',
  }
}

function checksumOf(text: string): string {
  return crc32c(Buffer.from(text)).toString(16).padStart(8, '0')
}
