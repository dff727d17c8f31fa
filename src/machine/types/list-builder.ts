// A list from the parts that list-cut.ts wrote.

import type { Reader } from '../../base/bytes.ts'
import { countElements } from './element.ts'
import { List } from './list.ts'
import { PART_ELEMENTS, PART_HEAD } from './list-cut.ts'
import { type Builder, flawAtEnd } from './part.ts'

export class ListBuilder implements Builder<List> {
  readonly #list = new List()
  #length = -1
  #bytes = 0

  read(reader: Reader): string | null {
    const part = reader.u8()
    if (part === PART_HEAD) {
      this.#length = reader.count()
      this.#bytes = reader.count()
    } else if (part === PART_ELEMENTS) {
      const count = reader.u32()
      const bytes = reader.raw(reader.left)
      if (countElements(bytes) !== count) return 'a part of a list has the elements it said'
      this.#list.adopt(bytes, 0, bytes.length, count)
    } else {
      return `part ${part} of a list is unknown`
    }
    return flawAtEnd(reader)
  }

  finish(): List | string {
    const whole = this.#list.length === this.#length && this.#list.bytes === this.#bytes
    return whole ? this.#list : 'a list has all its elements'
  }
}
