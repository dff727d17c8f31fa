// A list: a row of packed blocks of elements, as Redis' quicklist.
//
// Pushes and pops at either end touch one block. An index is found by the counts of
// the blocks, from the nearer end. Where blocks begin and end means nothing: two
// lists of the same elements are equal, and a snapshot of either has the same bytes.
//
// An empty list is not kept at a key; whoever takes the last element removes it.

import { assert } from '../../base/assert.ts'
import { beginOf, encoded, endOf, measure, put, type Words, wordAt } from './element.ts'
import { allocate, BLOCK_BYTES_MAX, Block, CAPACITY_MIN } from './list-block.ts'
import { ListCut } from './list-cut.ts'
import type { Value } from './value.ts'

/** Places in the row that a first block has on either side. */
const MARGIN = 4
/** A shorter row is not made shorter. */
const ROW_MIN = 64
/** Neighbours that fill at most this together become one block. */
const JOINED_BYTES_MAX = BLOCK_BYTES_MAX / 2
/** The objects around a block's buffer, and around all blocks. */
const BLOCK_OVERHEAD_BYTES = 224
const LIST_OVERHEAD_BYTES = 128
const NO_BLOCK = new Block(Buffer.alloc(0), 0, 0, 0, -1, true)

/** Sees the element at `at` of `bytes`, number `index` of the list. False ends the walk. */
export type VisitElement = (bytes: Buffer, at: number, index: number) => boolean

export class List implements Value {
  readonly type = 'list'
  /** Blocks stand from `#head` to `#tail`; places beside them are free. */
  #row: Block[] = []
  #head = 0
  #tail = 0
  #length = 0
  #bytes = 0
  /** Cuts so far. */
  #epoch = 0
  /** Where in its block the element stands that `#seek` found. */
  #at = 0

  /** Elements there are. */
  get length(): number {
    return this.#length
  }

  /** Bytes that the elements take, packed. */
  get bytes(): number {
    return this.#bytes
  }

  get blockCount(): number {
    return this.#tail - this.#head
  }

  memoryBytes(samples: number): number {
    const count = Math.min(this.blockCount, samples)
    let bytes = 0
    for (let i = 0; i < count; i += 1)
      bytes += BLOCK_OVERHEAD_BYTES + (this.#row[this.#head + i] as Block).bytes.length
    if (count > 0) bytes = Math.round((bytes * this.blockCount) / count)
    return LIST_OVERHEAD_BYTES + bytes
  }

  /** Bytes of an element, on average. */
  get wordBytes(): number {
    return this.#length === 0 ? 0 : Math.ceil(this.#bytes / this.#length)
  }

  /** Makes place for one more block on either side of the row. */
  #widen(): void {
    const count = this.#tail - this.#head
    const margin = MARGIN + (count >> 1)
    const row = new Array<Block>(count + 2 * margin).fill(NO_BLOCK)
    for (let i = 0; i < count; i += 1) row[margin + i] = this.#row[this.#head + i] as Block
    this.#row = row
    this.#head = margin
    this.#tail = margin + count
  }

  /** Block i, which this list alone may change. */
  #own(i: number): Block {
    const block = this.#row[i] as Block
    if (block.epoch === this.#epoch) return block
    const { bytes, start, end, count } = block
    const own = new Block(bytes, start, end, count, this.#epoch, true)
    this.#row[i] = own
    return own
  }

  /** The capacity of a new block for an element of `size`. */
  #firstCapacity(size: number): number {
    // Beside full blocks it will be full as well, most likely.
    const blocks = this.#tail - this.#head
    if (blocks === 0) return Math.max(size, CAPACITY_MIN)
    return Math.max(size, blocks === 1 ? BLOCK_BYTES_MAX >> 2 : BLOCK_BYTES_MAX)
  }

  /** Adds the word from `from` to `to` at the end. */
  pushTail(source: Buffer, from: number, to: number): void {
    const size = measure(source, from, to)
    let block = this.#tail > this.#head ? this.#own(this.#tail - 1) : null
    if (block === null || !block.makeRoomBehind(size)) {
      if (this.#tail === this.#row.length) this.#widen()
      const bytes = allocate(this.#firstCapacity(size))
      block = new Block(bytes, 0, 0, 0, this.#epoch, false)
      this.#row[this.#tail] = block
      this.#tail += 1
    }
    put(block.bytes, block.end, source, from, to)
    block.end += size
    block.count += 1
    this.#length += 1
    this.#bytes += size
  }

  /** Adds the word from `from` to `to` at the front. */
  pushHead(source: Buffer, from: number, to: number): void {
    const size = measure(source, from, to)
    let block = this.#tail > this.#head ? this.#own(this.#head) : null
    if (block === null || !block.makeRoomBefore(size)) {
      if (this.#head === 0) this.#widen()
      const bytes = allocate(this.#firstCapacity(size))
      block = new Block(bytes, bytes.length, bytes.length, 0, this.#epoch, false)
      this.#head -= 1
      this.#row[this.#head] = block
    }
    block.start -= size
    put(block.bytes, block.start, source, from, to)
    block.count += 1
    this.#length += 1
    this.#bytes += size
  }

  /** The first word, in memory of its own. There must be one. */
  headWord(): Buffer {
    const block = this.#row[this.#head] as Block
    return wordAt(block.bytes, block.start)
  }

  /** The last word, in memory of its own. There must be one. */
  tailWord(): Buffer {
    const block = this.#row[this.#tail - 1] as Block
    return wordAt(block.bytes, beginOf(block.bytes, block.end))
  }

  /**
   * Removes `count` elements from the front, of which there must be so many.
   *
   * @param words gets them in the order of their removal; null: nobody asks
   */
  takeHead(count: number, words: Words | null): void {
    let left = count
    while (left > 0) {
      const block = this.#own(this.#head)
      if (words === null && left >= block.count) {
        left -= block.count
        this.#drop(this.#head)
        continue
      }
      const from = block.start
      for (; left > 0 && block.count > 0; left -= 1) {
        if (words !== null) words.add(block.bytes, block.start)
        block.start = endOf(block.bytes, block.start)
        block.count -= 1
        this.#length -= 1
      }
      this.#bytes -= block.start - from
      if (block.count === 0) this.#drop(this.#head)
      else this.#shrink(block)
    }
  }

  /** Removes `count` elements from the end; otherwise as `takeHead`. */
  takeTail(count: number, words: Words | null): void {
    let left = count
    while (left > 0) {
      const block = this.#own(this.#tail - 1)
      if (words === null && left >= block.count) {
        left -= block.count
        this.#drop(this.#tail - 1)
        continue
      }
      const from = block.end
      for (; left > 0 && block.count > 0; left -= 1) {
        block.end = beginOf(block.bytes, block.end)
        if (words !== null) words.add(block.bytes, block.end)
        block.count -= 1
        this.#length -= 1
      }
      this.#bytes -= from - block.end
      if (block.count === 0) this.#drop(this.#tail - 1)
      else this.#shrink(block)
    }
  }

  /** The only block of a list that was longer must not keep the memory of a full one. */
  #shrink(block: Block): void {
    const capacity = block.bytes.length
    if (this.#tail - this.#head > 1 || capacity <= CAPACITY_MIN) return
    if (block.size * 4 < capacity)
      block.move(Math.max(CAPACITY_MIN, capacity >> 1), block.size >> 1)
  }

  /** Takes out block i with the elements it still has. */
  #drop(i: number): void {
    const block = this.#row[i] as Block
    this.#length -= block.count
    this.#bytes -= block.size
    if (block.epoch === this.#epoch) block.release()
    if (i === this.#head) {
      this.#row[i] = NO_BLOCK
      this.#head += 1
    } else {
      this.#row.copyWithin(i, i + 1, this.#tail)
      this.#tail -= 1
      this.#row[this.#tail] = NO_BLOCK
    }
    const count = this.#tail - this.#head
    if (count > 0 && (this.#row.length < ROW_MIN || count * 8 > this.#row.length)) return
    // A row that was long, or one without blocks: room on both sides again.
    if (count === 0 && this.#row.length < ROW_MIN) {
      this.#head = this.#row.length >> 1
      this.#tail = this.#head
    } else {
      this.#widen()
    }
  }

  /** The index of the block that holds element `index`, which there must be; `#at` tells where. */
  #seek(index: number): number {
    assert(index >= 0 && index < this.#length, 'an index within the list')
    let i: number
    let within: number
    if (index < this.#length / 2) {
      i = this.#head
      within = index
      while (within >= (this.#row[i] as Block).count) {
        within -= (this.#row[i] as Block).count
        i += 1
      }
    } else {
      i = this.#tail - 1
      within = index - this.#length + (this.#row[i] as Block).count
      while (within < 0) {
        i -= 1
        within += (this.#row[i] as Block).count
      }
    }
    const block = this.#row[i] as Block
    this.#at = block.placeOf(within)
    return i
  }

  /** Word `index`, in memory of its own, or null where there is none. */
  wordAt(index: number): Buffer | null {
    if (index < 0 || index >= this.#length) return null
    const i = this.#seek(index)
    return wordAt((this.#row[i] as Block).bytes, this.#at)
  }

  /** Visits at most `count` elements from `index` on, which there must be. `visit` must not change the list. */
  forwards(index: number, count: number, visit: VisitElement): void {
    if (count <= 0 || index >= this.#length) return
    let i = this.#seek(index)
    let at = this.#at
    const limit = Math.min(index + count, this.#length)
    for (let k = index; k < limit; ) {
      const { bytes, end } = this.#row[i] as Block
      for (; at < end && k < limit; k += 1) {
        if (!visit(bytes, at, k)) return
        at = endOf(bytes, at)
      }
      i += 1
      if (k < limit) at = (this.#row[i] as Block).start
    }
  }

  /** Visits at most `count` elements from `index` down. `visit` must not change the list. */
  backwards(index: number, count: number, visit: VisitElement): void {
    if (count <= 0 || index < 0 || index >= this.#length) return
    let i = this.#seek(index)
    let end = endOf((this.#row[i] as Block).bytes, this.#at)
    const limit = Math.max(index - count, -1)
    for (let k = index; k > limit; ) {
      const { bytes, start } = this.#row[i] as Block
      for (; end > start && k > limit; k -= 1) {
        const at = beginOf(bytes, end)
        if (!visit(bytes, at, k)) return
        end = at
      }
      i -= 1
      if (k > limit) end = (this.#row[i] as Block).end
    }
  }

  /** Puts a word in the place of word `index`, which there must be. */
  set(index: number, source: Buffer, from: number, to: number): void {
    const i = this.#seek(index)
    const at = this.#at
    const block = this.#own(i)
    const end = endOf(block.bytes, at)
    block.count -= 1
    this.#length -= 1
    this.#place(i, at, end, source, from, to)
  }

  /** Puts a word before word `index`, which there must be. */
  insertBefore(index: number, source: Buffer, from: number, to: number): void {
    const i = this.#seek(index)
    const at = this.#at
    this.#own(i)
    this.#place(i, at, at, source, from, to)
  }

  /** Puts a word in the place of the bytes from `at` to `end` of block i, which is our own. */
  #place(i: number, at: number, end: number, source: Buffer, from: number, to: number): void {
    const block = this.#row[i] as Block
    const size = measure(source, from, to)
    const more = size - (end - at)
    if (block.size + more > BLOCK_BYTES_MAX && block.count > 0) {
      this.#split(i, at, end, size, source, from, to)
    } else {
      block.splice(at, end, size, source, from, to)
    }
    this.#length += 1
    this.#bytes += more
  }

  /** As `#place`, where the block is full: what stands before goes left, what stands behind goes right. */
  #split(
    i: number,
    at: number,
    end: number,
    size: number,
    source: Buffer,
    from: number,
    to: number,
  ): void {
    const block = this.#row[i] as Block
    const before = block.countBefore(at)
    const parts: Block[] = []
    if (before > 0) parts.push(this.#copyOf(block, block.start, at, before))
    const single = new Block(allocate(size), 0, 0, 0, this.#epoch, false)
    single.splice(0, 0, size, source, from, to)
    parts.push(single)
    if (block.count > before) parts.push(this.#copyOf(block, end, block.end, block.count - before))
    block.release()
    const joined = parts.reduce<Block[]>((row, part) => {
      const last = row[row.length - 1]
      if (last !== undefined && last.size + part.size <= BLOCK_BYTES_MAX) last.absorb(part)
      else row.push(part)
      return row
    }, [])
    this.#replace(i, joined)
  }

  #copyOf(block: Block, from: number, to: number, count: number): Block {
    const bytes = allocate(to - from)
    block.bytes.copy(bytes, 0, from, to)
    return new Block(bytes, 0, to - from, count, this.#epoch, false)
  }

  /** Puts blocks in the place of block i. */
  #replace(i: number, blocks: readonly Block[]): void {
    const place = i - this.#head
    while (this.#row.length - this.#tail < blocks.length) this.#widen()
    const first = this.#head + place
    this.#row.copyWithin(first + blocks.length, first + 1, this.#tail)
    for (const [k, block] of blocks.entries()) this.#row[first + k] = block
    this.#tail += blocks.length - 1
  }

  /**
   * Removes elements that are the word from `from` to `to`.
   *
   * @param max     at most so many
   * @param reverse from the end
   * @returns how many were removed
   */
  remove(source: Buffer, from: number, to: number, max: number, reverse: boolean): number {
    const element = encoded(source, from, to)
    const first = reverse ? this.#tail - 1 : this.#head
    let removed = 0
    let i = first
    for (; removed < max && i >= this.#head && i < this.#tail; i += reverse ? -1 : 1) {
      const found = (this.#row[i] as Block).find(element, max - removed, reverse)
      if (found.length === 0) continue
      removed += found.length
      this.#squeeze(i, found, element.length)
    }
    if (removed > 0) this.#tidy()
    return removed
  }

  /** Takes the elements of `size` at the places `found`, rising, out of block i. It may be empty then. */
  #squeeze(i: number, found: readonly number[], size: number): void {
    const block = this.#own(i)
    if (block.shared) block.move(block.bytes.length, block.start)
    const { bytes } = block
    let target = found[0] as number
    for (const [k, place] of found.entries()) {
      const from = place + size
      const to = found[k + 1] ?? block.end
      bytes.copyWithin(target, from, to)
      target += to - from
    }
    block.end = target
    block.count -= found.length
    this.#length -= found.length
    this.#bytes -= found.length * size
  }

  /** Drops blocks without elements, and joins those that have few left with the ones before them. */
  #tidy(): void {
    let target = this.#head
    for (let i = this.#head; i < this.#tail; i += 1) {
      const block = this.#row[i] as Block
      const before = target > this.#head ? (this.#row[target - 1] as Block) : null
      if (block.count === 0) {
        block.release()
      } else if (before !== null && before.size + block.size <= JOINED_BYTES_MAX) {
        this.#own(target - 1).absorb(this.#own(i))
      } else {
        if (block.epoch === this.#epoch && block.size * 4 < block.bytes.length)
          block.move(block.size, 0)
        this.#row[target] = block
        target += 1
      }
    }
    this.#row.fill(NO_BLOCK, target, this.#tail)
    this.#tail = target
  }

  /** The list as it is now, to be written while it changes. */
  cut(): ListCut {
    this.#epoch += 1
    return new ListCut(this.#length, this.#bytes, this.#row.slice(this.#head, this.#tail))
  }

  /** Adds `count` elements that stand packed from `from` to `to`, as a cut wrote them. */
  adopt(bytes: Buffer, from: number, to: number, count: number): void {
    let at = from
    let left = count
    while (left > 0) {
      const begin = at
      let taken = 0
      while (left > taken) {
        const end = endOf(bytes, at)
        if (taken > 0 && end - begin > BLOCK_BYTES_MAX) break
        at = end
        taken += 1
      }
      this.#adoptBlock(bytes, begin, at, taken)
      left -= taken
    }
    assert(at === to, 'elements end where their part ends')
  }

  #adoptBlock(bytes: Buffer, from: number, to: number, count: number): void {
    const last = this.#tail > this.#head ? (this.#row[this.#tail - 1] as Block) : null
    const own = allocate(to - from)
    bytes.copy(own, 0, from, to)
    const block = new Block(own, 0, to - from, count, this.#epoch, false)
    this.#length += count
    this.#bytes += to - from
    if (last !== null && last.size + block.size <= BLOCK_BYTES_MAX) {
      last.absorb(block)
      return
    }
    if (this.#tail === this.#row.length) this.#widen()
    this.#row[this.#tail] = block
    this.#tail += 1
  }
}
