// A list from the parts that list-cut.ts wrote.

import { assert } from '../../base/assert.ts'
import type { Reader } from '../../base/bytes.ts'
import { List } from './list.ts'
import { PART_ELEMENTS, PART_HEAD } from './list-cut.ts'
import type { Builder } from './part.ts'

export class ListBuilder implements Builder<List> {
  readonly #list = new List()
  #length = -1
  #bytes = 0

  read(reader: Reader): void {
    const part = reader.u8()
    if (part === PART_HEAD) {
      this.#length = reader.count()
      this.#bytes = reader.count()
    } else {
      assert(part === PART_ELEMENTS, `part ${part} of a list is unknown`)
      const count = reader.u32()
      const bytes = reader.raw(reader.left)
      this.#list.adopt(bytes, 0, bytes.length, count)
    }
    assert(reader.left === 0, 'a part is read whole')
  }

  finish(): List {
    const whole = this.#list.length === this.#length && this.#list.bytes === this.#bytes
    assert(whole, 'a list has all its elements')
    return this.#list
  }
}
