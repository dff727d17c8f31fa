// A disk in memory that loses, tears and reorders what was not synced.
//
// What the port promises, and no more: a write that was synced stays. Of what was
// not, a crash keeps any subset, sector by sector (512 bytes), in any order; a
// file's growth likewise. Of a write that was only asked for, the first blocks may
// be there when its process dies. Behind a write there are sometimes zeros, up to the
// next multiple of 4 KiB. Creations, renames and removals stay once their
// directory was synced; before that, any subset of them. All chance comes from
// the given Random, so a seed repeats a run.
//
//   const disk = new FakeDisk(port)       the platters: outlives crashes
//   disk.view()                           what one life of a process sees
//   disk.crash()                          ends the view; the next one shows what survived
//   disk.faults                           what goes wrong meanwhile
//   disk.flipBit(path, bit), zeroSector   decay at rest
//
// A crash of the process alone (kill -9) loses nothing that took place: `kill()`.

import type { Random } from '../../src/base/random.ts'
import {
  asDiskError,
  type Disk,
  type DiskDone,
  DiskError,
  type DiskFile,
} from '../../src/storage/disk.ts'
import { Directory, Inode } from './platter.ts'

const SECTOR = 512
/** What writes are rounded up to by a disk that takes whole blocks only. */
const BLOCK = 4096

/** Where time comes from. */
export type FakeDiskPort = {
  /** Runs `callback` later, in order. */
  soon(callback: () => void): void
  after(ms: number, callback: () => void): unknown
  readonly random: Random
}

export type DiskOperation = 'read' | 'write' | 'sync'

export type DiskFaults = {
  /** Called before every operation that may fail; true makes it fail with EIO. */
  fails: ((operation: DiskOperation, path: string) => boolean) | null
  /** Called before every operation that changes anything; may throw to stop the world there. */
  before: ((operation: string, path: string) => void) | null
  /** Bytes that all files may have together. */
  quotaBytes: number
  /** Ms that an asynchronous operation takes; 0: the next turn. */
  latency: (() => number) | null
}

/** A write that was asked for and has not taken place. */
type Run = {
  readonly inode: Inode
  readonly parts: readonly Uint8Array[]
  readonly position: number
}

export class FakeDisk {
  readonly faults: DiskFaults = {
    fails: null,
    before: null,
    quotaBytes: Number.MAX_SAFE_INTEGER,
    latency: null,
  }
  readonly #port: FakeDiskPort
  readonly #directories = new Map<string, Directory>()
  #view: FakeDiskView | null = null

  constructor(port: FakeDiskPort) {
    this.#port = port
  }

  /** The disk of one process; the one before it is dead. */
  view(): Disk {
    this.#end(false)
    this.#view = new FakeDiskView(this, this.#port)
    return this.#view
  }

  /** Power failure: of what was not synced, any subset stays. @returns how many files were torn by it */
  crash(): number {
    this.#end(true)
    const keeps = (): boolean => this.#port.random.below(2) === 0
    const inodes = new Set<Inode>()
    for (const directory of this.#directories.values()) {
      for (const inode of directory.live.values()) inodes.add(inode)
      for (const inode of directory.durable.values()) inodes.add(inode)
    }
    for (const directory of this.#directories.values()) directory.crash(keeps)
    let torn = 0
    for (const inode of inodes) if (inode.crash(keeps)) torn += 1
    return torn
  }

  /** Power failure that keeps nothing unsynced. */
  crashHard(): void {
    this.#end(false)
    for (const directory of this.#directories.values()) {
      for (const inode of directory.live.values()) inode.dropUnsynced()
      directory.crash(() => false)
      for (const inode of directory.live.values()) inode.dropUnsynced()
    }
  }

  /** The process ends; the page cache stays. */
  kill(): void {
    this.#end(true)
  }

  /** Paths of all files, sorted. */
  paths(): readonly string[] {
    return [...this.#directories]
      .flatMap(([path, { live }]) => [...live.keys()].map(name => `${path}/${name}`))
      .sort()
  }

  /** A copy of a file's bytes as reads show them. */
  bytes(path: string): Buffer {
    const inode = this.inode(path)
    return Buffer.from(inode.live.subarray(0, inode.size))
  }

  /** Replaces a file, durably: for tests that prepare one. */
  plant(path: string, bytes: Uint8Array): void {
    const inode = new Inode()
    inode.write(bytes, 0)
    inode.sync()
    const directory = this.directory(parentOf(path))
    directory.live.set(nameOf(path), inode)
    directory.durable.set(nameOf(path), inode)
  }

  /** Removes a file, durably. */
  lose(path: string): void {
    const directory = this.directory(parentOf(path))
    directory.live.delete(nameOf(path))
    directory.durable.delete(nameOf(path))
  }

  flipBit(path: string, bit: number): void {
    const bytes = this.bytes(path)
    const at = bit >>> 3
    bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7))
    this.plant(path, bytes)
  }

  zeroSector(path: string, sector: number): void {
    const bytes = this.bytes(path)
    bytes.fill(0, sector * SECTOR, (sector + 1) * SECTOR)
    this.plant(path, bytes)
  }

  /** A copy of all that is on the disk now, synced or not; for trying several futures. */
  clone(port: FakeDiskPort): FakeDisk {
    const copy = new FakeDisk(port)
    for (const path of this.#directories.keys()) copy.directory(path)
    for (const path of this.paths()) copy.plant(path, this.bytes(path))
    return copy
  }

  // For views.

  directory(path: string): Directory {
    let directory = this.#directories.get(path)
    if (directory === undefined) {
      directory = new Directory()
      this.#directories.set(path, directory)
    }
    return directory
  }

  hasDirectory(path: string): boolean {
    return this.#directories.has(path)
  }

  inode(path: string): Inode {
    const inode = this.#directories.get(parentOf(path))?.live.get(nameOf(path))
    if (inode === undefined) throw new DiskError(`${path}: no such file`, false)
    return inode
  }

  /** Ends the view. @param leavesParts whether writes that were on their way may have begun */
  #end(leavesParts: boolean): void {
    const view = this.#view
    this.#view = null
    view?.end()
    if (view === null || !leavesParts) return
    for (const run of view.runs) {
      const bytes = Buffer.concat(run.parts)
      const lead = run.position % BLOCK
      const blocks = this.#port.random.below(Math.ceil((lead + bytes.length) / BLOCK) + 1)
      const count = Math.min(bytes.length, blocks * BLOCK - lead)
      if (count > 0) run.inode.write(bytes.subarray(0, count), run.position)
    }
  }

  usedBytes(): number {
    let used = 0
    for (const { live } of this.#directories.values()) {
      for (const inode of live.values()) used += inode.size
    }
    return used
  }
}

class FakeDiskView implements Disk {
  readonly disk: FakeDisk
  /** Writes on their way. */
  readonly runs = new Set<Run>()
  readonly #port: FakeDiskPort
  #isOver = false

  constructor(disk: FakeDisk, port: FakeDiskPort) {
    this.disk = disk
    this.#port = port
  }

  end(): void {
    this.#isOver = true
  }

  makeDirectory(path: string): void {
    this.check('write', path, 'make directory')
    this.disk.directory(path)
  }

  list(path: string): readonly string[] {
    if (!this.disk.hasDirectory(path)) return []
    return [...this.disk.directory(path).live.keys()].sort()
  }

  exists(path: string): boolean {
    return this.disk.directory(parentOf(path)).live.has(nameOf(path))
  }

  readFile(path: string): Buffer | null {
    if (!this.exists(path)) return null
    this.check('read', path, null)
    return this.disk.bytes(path)
  }

  open(path: string, mode: 'read' | 'write' | 'create'): DiskFile {
    if (mode !== 'create') return new FakeFile(this, path, this.disk.inode(path))
    this.check('write', path, 'create')
    if (this.exists(path)) throw new DiskError(`${path}: file exists`, false)
    const inode = new Inode()
    this.disk.directory(parentOf(path)).change([{ name: nameOf(path), inode }])
    return new FakeFile(this, path, inode)
  }

  remove(path: string): void {
    this.check('write', path, 'remove')
    this.disk.inode(path)
    this.disk.directory(parentOf(path)).change([{ name: nameOf(path), inode: null }])
  }

  removeLater(path: string): void {
    try {
      this.remove(path)
    } catch (error) {
      asDiskError(error)
    }
  }

  rename(from: string, to: string): void {
    this.check('write', from, 'rename')
    const inode = this.disk.inode(from)
    this.disk.directory(parentOf(from)).change([
      { name: nameOf(from), inode: null },
      { name: nameOf(to), inode },
    ])
  }

  syncDirectory(path: string): void {
    this.check('sync', path, 'sync directory')
    this.disk.directory(path).sync()
  }

  syncDirectoryLater(path: string, done: DiskDone): void {
    this.later(() => {
      const error = this.attempt(() => this.syncDirectory(path))
      return () => done(error)
    })
  }

  freeBytes(): number {
    return Math.max(0, this.disk.faults.quotaBytes - this.disk.usedBytes())
  }

  // For files.

  /** What a write that ends at `end` puts behind itself. */
  zerosBehind(end: number): Buffer {
    const isDirect = this.#port.random.below(2) === 0
    return Buffer.alloc(isDirect ? (BLOCK - (end % BLOCK)) % BLOCK : 0)
  }

  /** Fails the operation as the faults say. `change` names what is about to change, if anything. */
  check(operation: DiskOperation, path: string, change: string | null): void {
    if (this.#isOver) throw new DiskError('the process is dead', false)
    if (change !== null) this.disk.faults.before?.(change, path)
    if (this.disk.faults.fails?.(operation, path)) throw new DiskError(`${path}: EIO`, false)
  }

  checkSpace(path: string, more: number): void {
    if (more > 0 && this.disk.usedBytes() + more > this.disk.faults.quotaBytes) {
      throw new DiskError(`${path}: ENOSPC`, true)
    }
  }

  attempt(action: () => void): DiskError | null {
    try {
      action()
      return null
    } catch (error) {
      if (error instanceof DiskError) return error
      throw error
    }
  }

  /** Runs `work` when the operation takes place, and then what it returns: the callback. */
  later(work: () => () => void): void {
    const ms = this.disk.faults.latency?.() ?? 0
    const run = (): void => {
      if (this.#isOver) return
      const callback = work()
      if (!this.#isOver) callback()
    }
    if (ms > 0) this.#port.after(ms, run)
    else this.#port.soon(run)
  }
}

class FakeFile implements DiskFile {
  readonly #view: FakeDiskView
  readonly #path: string
  readonly #inode: Inode
  #isClosed = false

  constructor(view: FakeDiskView, path: string, inode: Inode) {
    this.#view = view
    this.#path = path
    this.#inode = inode
  }

  size(): number {
    return this.#inode.size
  }

  read(position: number, length: number): Buffer {
    this.#checkOpen()
    this.#view.check('read', this.#path, null)
    const end = Math.min(this.#inode.size, position + length)
    return Buffer.from(this.#inode.live.subarray(Math.min(position, end), end))
  }

  readLater(
    position: number,
    length: number,
    done: (error: DiskError | null, bytes: Buffer) => void,
  ): void {
    this.#checkOpen()
    this.#view.later(() => {
      let bytes: Buffer = Buffer.alloc(0)
      const error = this.#view.attempt(() => {
        this.#view.check('read', this.#path, null)
        const end = Math.min(this.#inode.size, position + length)
        bytes = Buffer.from(this.#inode.live.subarray(Math.min(position, end), end))
      })
      return () => done(error, bytes)
    })
  }

  write(bytes: Uint8Array, position: number): void {
    this.#checkOpen()
    this.#put(bytes, position)
  }

  /** The write and its sync are two steps: a crash between them tears it. */
  writeDurably(parts: readonly Uint8Array[], position: number, done: DiskDone): void {
    this.#run(parts, position, error => {
      if (error === null) this.syncLater(done)
      else done(error)
    })
  }

  writeLater(bytes: Uint8Array, position: number, done: DiskDone): void {
    this.#run([bytes], position, done)
  }

  sync(): void {
    this.#checkOpen()
    this.#sync()
  }

  syncLater(done: DiskDone): void {
    this.#checkOpen()
    this.#view.later(() => {
      const error = this.#view.attempt(() => this.#sync())
      return () => done(error)
    })
  }

  truncate(size: number): void {
    this.#checkOpen()
    this.#view.check('write', this.#path, 'truncate')
    this.#inode.truncate(size)
  }

  close(): void {
    this.#isClosed = true
  }

  /** Writes `parts`, and perhaps zeros behind them, at some later time. */
  #run(parts: readonly Uint8Array[], position: number, done: DiskDone): void {
    this.#checkOpen()
    const zeros = this.#view.zerosBehind(position + lengthOf(parts))
    const run: Run = { inode: this.#inode, parts: [...parts, zeros], position }
    this.#view.runs.add(run)
    this.#view.later(() => {
      const error = this.#view.attempt(() => {
        let at = position
        for (const part of parts) {
          this.#put(part, at)
          at += part.length
        }
        if (zeros.length > 0) this.#inode.write(zeros, at)
      })
      this.#view.runs.delete(run)
      return () => done(error)
    })
  }

  /** A write without room, or one that fails, leaves a part of itself behind. */
  #put(bytes: Uint8Array, position: number): void {
    const grows = position + bytes.length - this.#inode.size
    try {
      this.#view.check('write', this.#path, 'write')
      this.#view.checkSpace(this.#path, grows)
    } catch (error) {
      if (error instanceof DiskError) {
        this.#inode.write(bytes.subarray(0, Math.floor(bytes.length / 2)), position)
      }
      throw error
    }
    this.#inode.write(bytes, position)
  }

  #sync(): void {
    try {
      this.#view.check('sync', this.#path, 'sync')
    } catch (error) {
      // Reads go on showing the data and the next sync succeeds, but the disk never
      // gets it (Rebello et al., USENIX ATC 2020).
      if (error instanceof DiskError) this.#inode.dirty.clear()
      throw error
    }
    this.#inode.sync()
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new Error(`${this.#path} is closed`)
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0
  for (const part of parts) length += part.length
  return length
}
