// A list on its way into a snapshot: its length, then its elements, in parts.
//
//   head     := 0, count of elements, bytes of elements
//   elements := 1, count, elements          (as element.ts encodes them)
//
// A part ends with the element that fills it, whatever blocks the elements stand in:
// lists of the same elements make the same bytes.

import type { Writer } from '../../base/bytes.ts'
import { endOf } from './element.ts'
import type { Block } from './list-block.ts'
import type { Cut } from './part.ts'

export const PART_HEAD = 0
export const PART_ELEMENTS = 1

export class ListCut implements Cut {
  readonly #length: number
  readonly #bytes: number
  readonly #blocks: readonly Block[]
  #headWritten = false
  #nextBlock = 0
  /** Where the next element stands in the next block; -1: it is the first. */
  #at = -1
  /** Elements of the next block that are written. */
  #skipped = 0

  /** @param blocks never change from now on */
  constructor(length: number, bytes: number, blocks: readonly Block[]) {
    this.#length = length
    this.#bytes = bytes
    this.#blocks = blocks
  }

  write(writer: Writer, bytesMax: number): boolean {
    if (this.#headWritten) {
      this.#writeElements(writer, bytesMax)
    } else {
      writer.u8(PART_HEAD)
      writer.varint(this.#length)
      writer.varint(this.#bytes)
      this.#headWritten = true
    }
    return this.#nextBlock === this.#blocks.length
  }

  #writeElements(writer: Writer, bytesMax: number): void {
    writer.u8(PART_ELEMENTS)
    const countAt = writer.length
    writer.u32(0)
    let count = 0
    let left = bytesMax
    while (this.#nextBlock < this.#blocks.length && left > 0) {
      const block = this.#blocks[this.#nextBlock] as Block
      const from = this.#at < 0 ? block.start : this.#at
      let to = block.end
      if (to - from <= left) {
        count += block.count - this.#skipped
        this.#nextBlock += 1
        this.#at = -1
        this.#skipped = 0
      } else {
        const before = count
        for (to = from; to - from < left; count += 1) to = endOf(block.bytes, to)
        this.#skipped += count - before
        this.#at = to
        if (to === block.end) {
          this.#nextBlock += 1
          this.#at = -1
          this.#skipped = 0
        }
      }
      writer.raw(block.bytes, from, to)
      left -= to - from
    }
    writer.patchU32(countAt, count)
  }
}
