// A stream on its way into a snapshot: facts, producers, blocks, groups, in parts.
//
//   head   := 0, last ID, max deleted ID, entries added, count of blocks, count of groups
//   blocks := 1, count, block x count
//   block  := base ID, count of entries, name bytes, entry bytes    (as block.ts encodes them)
//   name   := 2, name                                                 (begins a group)
//   group  := 3, a part of the group begun last
//   idmp   := 4, a part of what is remembered of producers            (idempotence.ts; none: nothing is)
//
// Blocks go out as they stand in memory, so a follower that was restored has the
// same blocks as its leader. What trimming left before a block's first entry stays
// behind.

import type { Writer } from '../../base/bytes.ts'
import type { Block } from './block.ts'
import type { Cut } from './part.ts'
import type { Half, StreamId } from './stream-id.ts'

export const PART_HEAD = 0
export const PART_BLOCKS = 1
export const PART_GROUP_NAME = 2
export const PART_GROUP = 3
export const PART_IDEMPOTENCE = 4

type Cuttable = {
  readonly lastId: StreamId
  readonly maxDeletedId: StreamId
  readonly entriesAdded: Half
  readonly idempotence: { cut(): Cut } | null
  readonly groups: ReadonlyMap<string, { cut(): Cut }>
}

function writeId(writer: Writer, id: StreamId): void {
  writer.varint(id.ms)
  writer.varint(id.seq)
}

export class StreamCut implements Cut {
  readonly #lastId: StreamId
  readonly #maxDeletedId: StreamId
  readonly #entriesAdded: Half
  readonly #blocks: readonly Block[]
  readonly #groups: (readonly [string, Cut])[] = []
  /** null: there is nothing, or it was written. */
  #idempotence: Cut | null
  #headWritten = false
  #nextBlock = 0
  #nextGroup = 0
  #nameWritten = false

  /** @param blocks never change from now on */
  constructor(stream: Cuttable, blocks: readonly Block[]) {
    this.#lastId = stream.lastId
    this.#maxDeletedId = stream.maxDeletedId
    this.#entriesAdded = stream.entriesAdded
    this.#idempotence = stream.idempotence?.cut() ?? null
    this.#blocks = blocks
    for (const [name, group] of stream.groups) this.#groups.push([name, group.cut()])
  }

  write(writer: Writer, bytesMax: number): boolean {
    if (!this.#headWritten) this.#writeHead(writer)
    else if (this.#idempotence !== null) this.#writeIdempotence(writer, bytesMax)
    else if (this.#nextBlock < this.#blocks.length) this.#writeBlocks(writer, bytesMax)
    else this.#writeGroup(writer, bytesMax)
    return (
      this.#idempotence === null &&
      this.#nextBlock === this.#blocks.length &&
      this.#nextGroup === this.#groups.length
    )
  }

  #writeHead(writer: Writer): void {
    writer.u8(PART_HEAD)
    writeId(writer, this.#lastId)
    writeId(writer, this.#maxDeletedId)
    writer.varint(this.#entriesAdded)
    writer.varint(this.#blocks.length)
    writer.varint(this.#groups.length)
    this.#headWritten = true
  }

  #writeIdempotence(writer: Writer, bytesMax: number): void {
    writer.u8(PART_IDEMPOTENCE)
    if (this.#idempotence?.write(writer, bytesMax) === true) this.#idempotence = null
  }

  #writeBlocks(writer: Writer, bytesMax: number): void {
    const begin = writer.length
    writer.u8(PART_BLOCKS)
    const countAt = writer.length
    writer.u32(0)
    let count = 0
    while (
      this.#nextBlock < this.#blocks.length &&
      (count === 0 || writer.length - begin < bytesMax)
    ) {
      const block = this.#blocks[this.#nextBlock] as Block
      writeId(writer, { ms: block.baseMs, seq: block.baseSeq })
      writer.varint(block.count)
      writer.varint(block.namesEnd)
      writer.varint(block.end - block.start)
      writer.raw(block.bytes, 0, block.namesEnd)
      writer.raw(block.bytes, block.start, block.end)
      this.#nextBlock += 1
      count += 1
    }
    writer.patchU32(countAt, count)
  }

  #writeGroup(writer: Writer, bytesMax: number): void {
    const [name, cut] = this.#groups[this.#nextGroup] as readonly [string, Cut]
    if (!this.#nameWritten) {
      writer.u8(PART_GROUP_NAME)
      writer.latin1(name)
      this.#nameWritten = true
      return
    }
    writer.u8(PART_GROUP)
    if (!cut.write(writer, bytesMax)) return
    this.#nextGroup += 1
    this.#nameWritten = false
  }
}
