// A set from the parts that member-set-cut.ts wrote.

import { assert } from '../../base/assert.ts'
import type { Reader } from '../../base/bytes.ts'
import { Page } from './member-page.ts'
import { MemberSet, type SetFacts } from './member-set.ts'
import type { Builder } from './part.ts'

export class MemberSetBuilder implements Builder<MemberSet> {
  #facts: SetFacts | null = null
  #pageCount = 0
  readonly #pages: Page[] = []

  read(reader: Reader): void {
    if (this.#facts === null) {
      const key0 = reader.u32()
      const key1 = reader.u32()
      this.#facts = { key0, key1, encoding: reader.u8() }
      this.#pageCount = reader.count()
    }
    for (let left = reader.u32(); left > 0; left -= 1) {
      const depth = reader.u8()
      const count = reader.count()
      const bytes = reader.bytes()
      const page = new Page(bytes, depth, 0)
      page.used = bytes.length
      page.count = count
      this.#pages.push(page)
    }
    assert(reader.left === 0, 'a part is read whole')
  }

  finish(): MemberSet {
    assert(this.#facts !== null, 'a set has a head')
    assert(this.#pages.length === this.#pageCount, 'a set has all its pages')
    const set = MemberSet.of(this.#facts, this.#pages)
    assert(set !== null, 'the pages of a set cover all hashes')
    return set
  }
}
