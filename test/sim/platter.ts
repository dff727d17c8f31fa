// What a disk has and what the page cache shows: one file, and the names of one directory.
//
// A write marks sectors as dirty; a sync makes them durable. What a crash leaves
// of the rest is for the caller to say, sector by sector and name by name.

const SECTOR = 512

/** A file's content: what the page cache shows, and which sectors of it the disk may not have. */
export class Inode {
  /** What reads show. */
  live = Buffer.alloc(0)
  size = 0
  /** What survives any crash. */
  durable = Buffer.alloc(0)
  durableSize = 0
  readonly dirty = new Set<number>()

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    if (end > this.live.length) {
      const grown = Buffer.alloc(Math.max(end, this.live.length * 2))
      this.live.copy(grown, 0, 0, this.size)
      this.live = grown
    }
    if (end > this.size) this.size = end
    this.live.set(bytes, position)
    for (let at = Math.floor(position / SECTOR); at * SECTOR < end; at += 1) this.dirty.add(at)
  }

  truncate(size: number): void {
    this.live.fill(0, size)
    this.size = size
    for (let at = Math.floor(size / SECTOR); at * SECTOR < this.live.length; at += 1) {
      this.dirty.add(at)
    }
  }

  /** Makes a sector what reads show. */
  settle(sector: number): void {
    const from = sector * SECTOR
    const to = Math.min(this.size, from + SECTOR)
    if (from >= to) return
    if (this.durable.length < to) {
      const grown = Buffer.alloc(Math.max(to, this.live.length))
      this.durable.copy(grown)
      this.durable = grown
    }
    this.live.copy(this.durable, from, from, to)
  }

  sync(): void {
    for (const sector of this.dirty) this.settle(sector)
    this.dirty.clear()
    this.durableSize = this.size
  }

  /** Of the unsynced sectors, and of the growth, what `keeps` says. @returns whether some changed and some did not */
  crash(keeps: () => boolean): boolean {
    let kept = 0
    let lost = 0
    for (const sector of [...this.dirty].sort((a, b) => a - b)) {
      const changes = this.#changes(sector) ? 1 : 0
      if (keeps()) {
        this.settle(sector)
        kept += changes
      } else {
        lost += changes
      }
    }
    if (this.durableSize !== this.size && keeps()) this.durableSize = this.size
    this.dropUnsynced()
    return kept > 0 && lost > 0
  }

  /** Whether a dirty sector is another one than the disk has. */
  #changes(sector: number): boolean {
    const [from, to] = [sector * SECTOR, (sector + 1) * SECTOR]
    return !this.live.subarray(from, to).equals(this.durable.subarray(from, to))
  }

  /** Back to what the disk has. */
  dropUnsynced(): void {
    const kept = Buffer.alloc(this.durableSize)
    this.durable.copy(kept, 0, 0, Math.min(this.durable.length, this.durableSize))
    this.live = kept
    this.size = this.durableSize
    this.durable = Buffer.from(kept)
    this.dirty.clear()
  }
}

/** Names that changed and whose directory was not synced since, in order. */
type NameChange = { readonly name: string; readonly inode: Inode | null }

export class Directory {
  readonly live = new Map<string, Inode>()
  durable = new Map<string, Inode>()
  /** A rename is one group: it happens whole or not at all. */
  pending: (readonly NameChange[])[] = []

  change(changes: readonly NameChange[]): void {
    apply(this.live, changes)
    this.pending.push(changes)
  }

  sync(): void {
    this.durable = new Map(this.live)
    this.pending = []
  }

  crash(keeps: () => boolean): void {
    for (const changes of this.pending) if (keeps()) apply(this.durable, changes)
    this.pending = []
    this.live.clear()
    for (const [name, inode] of this.durable) this.live.set(name, inode)
  }
}

function apply(names: Map<string, Inode>, changes: readonly NameChange[]): void {
  for (const { name, inode } of changes) {
    if (inode === null) names.delete(name)
    else names.set(name, inode)
  }
}
