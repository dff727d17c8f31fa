// The port for the disk. `node-disk.ts` is the real one, the simulator has one that tears writes.
//
// What happens at start and rarely is synchronous; what happens every turn takes
// a callback. A callback never runs before its call returned. Errors are
// DiskError; after a failed sync nobody writes to that file again (Rebello et
// al., "Can Applications Recover from fsync Failures?", 2020).

/** A failure of a disk operation. `full` when there is no space left. */
export class DiskError extends Error {
  override readonly name = 'DiskError'
  readonly full: boolean

  constructor(message: string, full: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.full = full
  }
}

/** What was caught around disk operations; anything but a failure of the disk goes on up. */
export function asDiskError(error: unknown): DiskError {
  if (error instanceof DiskError) return error
  throw error
}

/** Removes a file that nothing refers to. If that fails it stays, and the next start tries again. */
export function removeLeftover(disk: Disk, path: string): void {
  try {
    disk.remove(path)
  } catch (error) {
    asDiskError(error)
  }
}

export type DiskDone = (error: DiskError | null) => void

export interface DiskFile {
  size(): number
  /**
   * Reads up to `length` bytes; fewer at the end of the file. The result is a view
   * of `into` if that is given and large enough: fresh memory costs more than reading.
   */
  read(position: number, length: number, into?: Buffer): Buffer
  readLater(
    position: number,
    length: number,
    done: (error: DiskError | null, bytes: Buffer) => void,
  ): void
  write(bytes: Uint8Array, position: number): void
  /**
   * Writes `parts` one behind the other from `position` on, and makes the data durable.
   * The caller leaves the parts alone until `done`. Up to the next multiple of 4 KiB,
   * what stood behind them may become zeros, also beyond the end of the file.
   */
  writeDurably(parts: readonly Uint8Array[], position: number, done: DiskDone): void
  /** The same, durable after a sync. */
  writeLater(bytes: Uint8Array, position: number, done: DiskDone): void
  sync(): void
  syncLater(done: DiskDone): void
  truncate(size: number): void
  close(): void
}

export interface Disk {
  makeDirectory(path: string): void
  /** Names in a directory, sorted; empty when there is no such directory. */
  list(path: string): readonly string[]
  exists(path: string): boolean
  /** The whole of a small file, or null when there is none. */
  readFile(path: string): Buffer | null
  /** `create` fails when the file exists. */
  open(path: string, mode: 'read' | 'write' | 'create'): DiskFile
  remove(path: string): void
  /** Frees the name of a file that nothing refers to, and its space later. If that fails it stays, and a start removes it. */
  removeLater(path: string): void
  rename(from: string, to: string): void
  /** Makes creations, removals and renames in a directory durable. */
  syncDirectory(path: string): void
  syncDirectoryLater(path: string, done: DiskDone): void
  /** Bytes that may still be written on the disk that holds `path`. */
  freeBytes(path: string): number
}
