// A set on its way into a snapshot, in parts.
//
//   head  := u32, u32 the key of its hash, u8 encoding, varint count of pages   (first part only)
//   part  := [head] u32 count, page x count
//   page  := u8 depth, varint count of members, varint bytes, members           (as member-page.ts has them)
//
// Pages stand in the order of hashes and go out as they are: where they are divided is a
// part of the state, since chance picks by place.

import type { Writer } from '../../base/bytes.ts'
import type { Page } from './member-page.ts'
import type { SetFacts } from './member-set.ts'
import type { Cut } from './part.ts'

export class MemberSetCut implements Cut {
  readonly #facts: SetFacts
  readonly #pages: readonly Page[]
  #next = 0
  #headWritten = false

  /** @param pages never change from now on */
  constructor(facts: SetFacts, pages: readonly Page[]) {
    this.#facts = facts
    this.#pages = pages
  }

  write(writer: Writer, bytesMax: number): boolean {
    const end = writer.length + bytesMax
    if (!this.#headWritten) {
      writer.u32(this.#facts.key0)
      writer.u32(this.#facts.key1)
      writer.u8(this.#facts.encoding)
      writer.varint(this.#pages.length)
      this.#headWritten = true
    }
    const countAt = writer.length
    writer.u32(0)
    let count = 0
    while (this.#next < this.#pages.length && (count === 0 || writer.length < end)) {
      const page = this.#pages[this.#next] as Page
      writer.u8(page.depth)
      writer.varint(page.count)
      writer.varint(page.used)
      writer.raw(page.bytes, 0, page.used)
      this.#next += 1
      count += 1
    }
    writer.patchU32(countAt, count)
    return this.#next === this.#pages.length
  }
}
