// The snapshot files of a node's shards. Their format is in snapshot-file.ts.
//
// A snapshot becomes one in two steps: its file is whole, synced and has its name
// (SnapshotWriterFile.commit), then the write-ahead log records it (Storage.write
// with `snapshot`). What counts after a crash is the log's record: a file that the
// log does not know is a leftover and is removed at the next start, and the file
// before it is kept until the record is durable. So a crash leaves the old state
// or the new one (RAFT 5).

import type { Index, NodeId, ShardId } from '../base/types.ts'
import type { SnapshotMeta } from '../raft/message.ts'
import { asDiskError, type Disk, type DiskFile } from './disk.ts'
import {
  checkSnapshotFile,
  parseSnapshotName,
  type SnapshotContent,
  SnapshotFile,
  SnapshotWriterFile,
  snapshotName,
} from './snapshot-file.ts'

export class SnapshotStore {
  readonly #disk: Disk
  readonly #directory: string
  readonly #nodeId: NodeId
  /** Whole, durable files of each shard, oldest first. */
  readonly #files = new Map<ShardId, SnapshotContent[]>()

  constructor(disk: Disk, directory: string, nodeId: NodeId) {
    this.#disk = disk
    this.#directory = directory
    this.#nodeId = nodeId
  }

  /** The newest snapshot with a whole and durable file. */
  newest(shard: ShardId): SnapshotMeta | null {
    return this.#files.get(shard)?.at(-1)?.meta ?? null
  }

  has(shard: ShardId, meta: SnapshotMeta): boolean {
    return this.#find(shard, meta) !== undefined
  }

  /** Bytes of a snapshot's state, 0 when there is none. */
  size(shard: ShardId, meta: SnapshotMeta): number {
    return this.#find(shard, meta)?.size ?? 0
  }

  /**
   * Begins to write one. `append` chunks, then `commit`, then record it in the log.
   *
   * @throws DiskError when the temporary file cannot be made
   */
  create(shard: ShardId, meta: SnapshotMeta): SnapshotWriterFile {
    return new SnapshotWriterFile(this.#disk, this.#directory, shard, this.#nodeId, meta, content =>
      this.#add(content),
    )
  }

  /** Opens one to read from; null when there is none of that index and term. The reader closes it. */
  open(shard: ShardId, meta: SnapshotMeta): SnapshotFile | null {
    const content = this.#find(shard, meta)
    if (content === undefined) return null
    return new SnapshotFile(this.#disk.open(this.#path(shard, meta), 'read'), content)
  }

  /** Removes a shard's snapshots before `index`. An open reader keeps its own. */
  dropOlder(shard: ShardId, index: Index): void {
    this.#keep(shard, content => content.meta.index >= index)
  }

  dropAll(shard: ShardId): void {
    this.#keep(shard, () => false)
  }

  // Recovery.

  /**
   * Reads all files from end to end. Temporary ones are removed, bad ones moved aside.
   *
   * @returns what was wrong, one line a file
   */
  load(): readonly string[] {
    const faults: string[] = []
    for (const name of this.#disk.list(this.#directory)) {
      const path = `${this.#directory}/${name}`
      if (name.endsWith('.tmp')) this.#disk.remove(path)
      const named = parseSnapshotName(name)
      if (named === null) continue
      const content = this.#check(path)
      const isNamesake =
        typeof content !== 'string' &&
        content.shard === named.shard &&
        content.meta.index === named.index &&
        content.meta.term === named.term
      if (isNamesake) {
        this.#add(content)
        continue
      }
      faults.push(`${name}: ${typeof content === 'string' ? content : 'not what its name says'}`)
      this.#disk.rename(path, `${path}.damaged`)
    }
    this.#disk.syncDirectory(this.#directory)
    return faults
  }

  /** Shards with files. */
  shards(): readonly ShardId[] {
    return [...this.#files.keys()]
  }

  /** Removes all files of a shard but the one of `meta`. */
  keepOnly(shard: ShardId, meta: SnapshotMeta | null): void {
    this.#keep(
      shard,
      content => content.meta.index === meta?.index && content.meta.term === meta.term,
    )
  }

  #check(path: string): SnapshotContent | string {
    let file: DiskFile | null = null
    try {
      file = this.#disk.open(path, 'read')
      return checkSnapshotFile(file)
    } catch (error) {
      return asDiskError(error).message
    } finally {
      file?.close()
    }
  }

  #add(content: SnapshotContent): void {
    const { index, term } = content.meta
    const files = (this.#files.get(content.shard) ?? []).filter(
      other => other.meta.index !== index || other.meta.term !== term,
    )
    files.push(content)
    files.sort((a, b) => a.meta.index - b.meta.index || a.meta.term - b.meta.term)
    this.#files.set(content.shard, files)
  }

  #find(shard: ShardId, meta: SnapshotMeta): SnapshotContent | undefined {
    return this.#files
      .get(shard)
      ?.find(content => content.meta.index === meta.index && content.meta.term === meta.term)
  }

  #keep(shard: ShardId, isKept: (content: SnapshotContent) => boolean): void {
    const files = this.#files.get(shard)
    if (files === undefined) return
    const kept = files.filter(isKept)
    if (kept.length === files.length) return
    for (const content of files) {
      if (!isKept(content)) this.#disk.removeLater(this.#path(shard, content.meta))
    }
    if (kept.length === 0) this.#files.delete(shard)
    else this.#files.set(shard, kept)
    // Nothing waits for it: a file that a crash brings back is removed at the next start.
    this.#disk.syncDirectoryLater(this.#directory, () => {})
  }

  #path(shard: ShardId, meta: SnapshotMeta): string {
    return `${this.#directory}/${snapshotName(shard, meta.index, meta.term)}`
  }
}
