// A set from the parts that member-set-cut.ts wrote.

import type { Reader } from '../../base/bytes.ts'
import { countMembers, Page } from './member-page.ts'
import { MemberSet, type SetFacts } from './member-set.ts'
import { type Builder, flawAtEnd } from './part.ts'

/** A depth and two counts. */
const PAGE_BYTES_MIN = 3

export class MemberSetBuilder implements Builder<MemberSet> {
  #facts: SetFacts | null = null
  #pageCount = 0
  readonly #pages: Page[] = []

  read(reader: Reader): string | null {
    if (this.#facts === null) {
      const key0 = reader.u32()
      const key1 = reader.u32()
      this.#facts = { key0, key1, encoding: reader.u8() }
      this.#pageCount = reader.count()
    }
    for (let left = reader.things32(PAGE_BYTES_MIN); left > 0; left -= 1) {
      const depth = reader.u8()
      const count = reader.count()
      const bytes = reader.bytes()
      if (countMembers(bytes) !== count) return 'a page has the members it said'
      const page = new Page(bytes, depth, 0)
      page.used = bytes.length
      page.count = count
      this.#pages.push(page)
    }
    return flawAtEnd(reader)
  }

  finish(): MemberSet | string {
    if (this.#facts === null) return 'a set has a head'
    if (this.#pages.length !== this.#pageCount) return 'a set has all its pages'
    return MemberSet.of(this.#facts, this.#pages) ?? 'the pages of a set cover all hashes'
  }
}
