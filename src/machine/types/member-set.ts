// A set: members in pages, found by their hash (extendible hashing, Fagin et al., 1979).
//
// The topmost `bits` bits of a hash choose a place in the directory, and the place names
// a page. A page that is full is divided in two by the next bit; the directory doubles when
// a page needs more bits than it has. So nothing is ever moved at once but a page, and
// pages stand in the order of hashes: a scan that goes on at a hash misses no member that
// stays, however pages are divided and joined meanwhile.
//
// A cut shares the pages: one is copied before its first change after a cut.

import type { Chance } from '../chance.ts'
import { integerOf } from '../integers.ts'
import { halfSip } from './half-sip.ts'
import { memberBytes, PAGE_MEMBERS_MAX, Page } from './member-page.ts'
import { MemberSetCut } from './member-set-cut.ts'
import type { Value } from './value.ts'

/** Two neighbours with fewer members are joined: a quarter of a page, so that few changes do not divide it again. */
const JOINED_MEMBERS_MAX = PAGE_MEMBERS_MAX / 4
const JOINED_BYTES_MAX = 2048
/** Bits of the directory at most: 4 million places. Pages then hold what they must. */
const BITS_MAX = 22
const HASH_BITS = 32
const TWO_32 = 0x1_0000_0000

/** How Redis would keep it; only ever changes to the right, as there. */
const ENCODINGS = ['intset', 'listpack', 'hashtable'] as const
const INTSET = 0
const LISTPACK = 1
const HASHTABLE = 2
/** Redis' set-max-intset-entries, set-max-listpack-entries and set-max-listpack-value. */
const INTSET_MAX = 512
const LISTPACK_MAX = 128
const LISTPACK_BYTES_MAX = 64

/** What a set, a place of its directory and a page cost besides the bytes of members, about. */
const SET_OVERHEAD_BYTES = 128
const PLACE_BYTES = 8
const PAGE_OVERHEAD_BYTES = 256

export type VisitMember = (bytes: Buffer, from: number, to: number) => void

/** What a set is besides its pages. */
export type SetFacts = { readonly key0: number; readonly key1: number; readonly encoding: number }

/** Whether the bytes are a whole number of 64 bits as Redis prints it. */
function isInteger(bytes: Buffer, from: number, to: number): boolean {
  const length = to - from
  if (length === 0 || length > 20) return false
  const first = bytes[from] as number
  if (first !== 0x2d && (first < 0x30 || first > 0x39)) return false
  return integerOf(bytes.latin1Slice(from, to)) !== null
}

export class MemberSet implements Value {
  readonly type = 'set'
  #size = 0
  #encoding = INTSET
  readonly #key0: number
  readonly #key1: number
  /** Pages by the topmost bits of a hash: 2^bits places. */
  #directory: Page[]
  #bits = 0
  #pageCount = 1
  /** Pages that are told apart by all bits. */
  #deepest = 1
  #epoch = 0

  /** An empty set. What draws the key decides who can foresee its hashes. */
  constructor(key0: number, key1: number) {
    this.#key0 = key0
    this.#key1 = key1
    this.#directory = [new Page(Buffer.allocUnsafeSlow(0), 0, 0)]
  }

  /** A set of `pages` in the order of hashes, which it takes over: a snapshot's. null: they are no set. */
  static of(facts: SetFacts, pages: readonly Page[]): MemberSet | null {
    if (facts.encoding > HASHTABLE) return null
    let covered = 0
    for (const { depth } of pages) {
      // Each begins where a range of its width begins; more bits there never are.
      if (depth > BITS_MAX || covered % 2 ** (BITS_MAX - depth) !== 0) return null
      covered += 2 ** (BITS_MAX - depth)
    }
    if (covered !== 2 ** BITS_MAX) return null
    const set = new MemberSet(facts.key0, facts.key1)
    set.#encoding = facts.encoding
    set.#bits = pages.reduce((bits, page) => Math.max(bits, page.depth), 0)
    set.#directory = []
    set.#deepest = 0
    set.#pageCount = pages.length
    for (const page of pages) {
      const places = 2 ** (set.#bits - page.depth)
      for (let i = 0; i < places; i += 1) set.#directory.push(page)
      set.#size += page.count
      if (page.depth === set.#bits) set.#deepest += 1
    }
    return set
  }

  get size(): number {
    return this.#size
  }

  get encoding(): string {
    return ENCODINGS[this.#encoding] as string
  }

  /** Whether Redis would answer any SSCAN with all of it. */
  get isSmall(): boolean {
    return this.#encoding !== HASHTABLE
  }

  #hash(bytes: Uint8Array, from: number, to: number): number {
    return halfSip(this.#key0, this.#key1, bytes, from, to)
  }

  #place(hash: number): number {
    return this.#bits === 0 ? 0 : hash >>> (HASH_BITS - this.#bits)
  }

  has(bytes: Uint8Array, from = 0, to: number = bytes.length): boolean {
    const hash = this.#hash(bytes, from, to)
    return (this.#directory[this.#place(hash)] as Page).find(hash, bytes, from, to) >= 0
  }

  /** Adds the member that is bytes [from, to). @returns false: it was here */
  add(bytes: Buffer, from: number, to: number): boolean {
    const hash = this.#hash(bytes, from, to)
    let page = this.#directory[this.#place(hash)] as Page
    if (page.find(hash, bytes, from, to) >= 0) return false
    while (page.count >= PAGE_MEMBERS_MAX && page.depth < BITS_MAX) {
      this.#divide(page, this.#place(hash))
      page = this.#directory[this.#place(hash)] as Page
    }
    this.#owned(page, this.#place(hash)).append(hash, bytes, from, to)
    this.#size += 1
    if (this.#encoding !== HASHTABLE) this.#convert(bytes, from, to)
    return true
  }

  #convert(bytes: Buffer, from: number, to: number): void {
    if (this.#encoding === INTSET && !isInteger(bytes, from, to)) this.#encoding = LISTPACK
    const isTooLarge =
      this.#encoding === INTSET
        ? this.#size > INTSET_MAX
        : this.#size > LISTPACK_MAX || to - from > LISTPACK_BYTES_MAX
    if (isTooLarge) this.#encoding = HASHTABLE
  }

  /** Takes out the member that is bytes [from, to). @returns false: it was not here */
  remove(bytes: Uint8Array, from: number, to: number): boolean {
    const hash = this.#hash(bytes, from, to)
    const place = this.#place(hash)
    const page = this.#directory[place] as Page
    const at = page.find(hash, bytes, from, to)
    if (at < 0) return false
    this.#removeAt(page, place, at)
    return true
  }

  #removeAt(page: Page, place: number, at: number): void {
    const owned = this.#owned(page, place)
    owned.remove(at)
    this.#size -= 1
    this.#join(owned, place)
  }

  /** `page`, which stands at `place`, or a copy in its place if a cut shares it. */
  #owned(page: Page, place: number): Page {
    if (page.epoch === this.#epoch) return page
    const copy = page.copy(this.#epoch)
    this.#put(copy, place)
    return copy
  }

  /** Puts `page` at all places of its range, of which `place` is one. */
  #put(page: Page, place: number): void {
    const places = 2 ** (this.#bits - page.depth)
    const first = place - (place % places)
    for (let i = first; i < first + places; i += 1) this.#directory[i] = page
  }

  /** Divides `page`, which stands at `place`, by one more bit. */
  #divide(page: Page, place: number): void {
    let at = place
    if (page.depth === this.#bits) {
      this.#directory = this.#directory.flatMap(each => [each, each])
      this.#bits += 1
      this.#deepest = 0
      at *= 2
    }
    const depth = page.depth + 1
    const room = page.used >> 1
    const low = new Page(Buffer.allocUnsafeSlow(room), depth, this.#epoch)
    const high = new Page(Buffer.allocUnsafeSlow(room), depth, this.#epoch)
    const bit = HASH_BITS - depth
    for (let from = 0; from < page.used; ) {
      const body = page.memberAt(from)
      const end = body + memberBytes
      const hash = this.#hash(page.bytes, body, end)
      const half = (hash >>> bit) & 1 ? high : low
      half.append(hash, page.bytes, body, end)
      from = end
    }
    const places = 2 ** (this.#bits - depth)
    const first = at - (at % (places * 2))
    this.#put(low, first)
    this.#put(high, first + places)
    if (depth === this.#bits) this.#deepest += 2
    this.#pageCount += 1
  }

  /** Joins `page`, which stands at `place`, with its neighbour while both are nearly empty. */
  #join(page: Page, place: number): void {
    let joined = page
    while (joined.depth > 0 && joined.count < JOINED_MEMBERS_MAX) {
      const places = 2 ** (this.#bits - joined.depth)
      const first = place - (place % (places * 2))
      const low = this.#directory[first] as Page
      const high = this.#directory[first + places] as Page
      if (low.depth !== high.depth || low.count + high.count > JOINED_MEMBERS_MAX) break
      if (low.used + high.used > JOINED_BYTES_MAX) break
      const { depth } = joined
      joined = new Page(Buffer.allocUnsafeSlow(low.used + high.used), depth - 1, this.#epoch)
      low.bytes.copy(joined.bytes, 0, 0, low.used)
      high.bytes.copy(joined.bytes, low.used, 0, high.used)
      joined.used = low.used + high.used
      joined.count = low.count + high.count
      this.#put(joined, place)
      if (depth === this.#bits) this.#deepest -= 2
      this.#pageCount -= 1
    }
    if (this.#deepest === 0) this.#shrink()
  }

  /** Gives up the bits that no page needs. */
  #shrink(): void {
    let depth = 0
    for (const page of this.#pages()) depth = Math.max(depth, page.depth)
    const step = 2 ** (this.#bits - depth)
    this.#directory = this.#directory.filter((_, i) => i % step === 0)
    this.#bits = depth
    for (const page of this.#pages()) if (page.depth === depth) this.#deepest += 1
  }

  /** All pages, in the order of hashes. */
  *#pages(): Generator<Page> {
    for (let i = 0; i < this.#directory.length; ) {
      const page = this.#directory[i] as Page
      yield page
      i += 2 ** (this.#bits - page.depth)
    }
  }

  /**
   * Visits about `count` members by whole pages, from the one of hash `from` on.
   *
   * @returns the hash to go on from; 0 at the end
   */
  scan(from: number, count: number, visit: VisitMember): number {
    let hash = from
    for (let left = count; left > 0; ) {
      const place = this.#place(hash)
      const page = this.#directory[place] as Page
      visitAll(page, visit)
      // A page without members is work, too.
      left -= Math.max(1, page.count)
      const places = 2 ** (this.#bits - page.depth)
      const next = place - (place % places) + places
      if (next === this.#directory.length) return 0
      hash = next * 2 ** (HASH_BITS - this.#bits)
    }
    return hash
  }

  /** Visits every member. */
  each(visit: VisitMember): void {
    for (const page of this.#pages()) visitAll(page, visit)
  }

  /** Finds a member by chance, each as likely as any other, and leaves it in `picked`. There is one. */
  #pick(chance: Chance): void {
    for (;;) {
      const place = this.#place(chance.next())
      const page = this.#directory[place] as Page
      // A page is hit as often as its range is wide: so the wider, the more often in vain.
      const width = this.#bits - page.depth
      const tickets = this.#bits === 0 ? page.count : PAGE_MEMBERS_MAX * 2 ** width
      const i = chance.below(Math.min(tickets, TWO_32))
      if (i >= page.count) continue
      picked.page = page
      picked.place = place
      picked.at = page.nth(i)
      return
    }
  }

  /** Visits a member by chance. The set is not empty. */
  random(chance: Chance, visit: VisitMember): void {
    this.#pick(chance)
    const { page, at } = picked
    const body = page.memberAt(at)
    visit(page.bytes, body, body + memberBytes)
  }

  /** Takes out a member by chance, once it was visited. The set is not empty. */
  pop(chance: Chance, visit: VisitMember): void {
    this.#pick(chance)
    const { page, place, at } = picked
    const body = page.memberAt(at)
    visit(page.bytes, body, body + memberBytes)
    this.#removeAt(page, place, at)
  }

  memoryBytes(samples: number): number {
    let bytes = 0
    let count = 0
    for (const page of this.#pages()) {
      if (count >= samples) break
      bytes += PAGE_OVERHEAD_BYTES + page.bytes.length
      count += 1
    }
    if (count > 0) bytes = Math.round((bytes * this.#pageCount) / count)
    return SET_OVERHEAD_BYTES + this.#directory.length * PLACE_BYTES + bytes
  }

  cut(): MemberSetCut {
    this.#epoch += 1
    const facts = { key0: this.#key0, key1: this.#key1, encoding: this.#encoding }
    return new MemberSetCut(facts, [...this.#pages()])
  }
}

/** What `#pick` found last. */
const picked = { page: new Page(Buffer.allocUnsafeSlow(0), 0, 0), place: 0, at: 0 }

function visitAll(page: Page, visit: VisitMember): void {
  for (let at = 0; at < page.used; ) {
    const body = page.memberAt(at)
    const end = body + memberBytes
    visit(page.bytes, body, end)
    at = end
  }
}
