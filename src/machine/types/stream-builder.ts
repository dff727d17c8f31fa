// A stream from the parts that stream-cut.ts wrote.

import { assert } from '../../base/assert.ts'
import type { Reader } from '../../base/bytes.ts'
import { type Block, measured } from './block.ts'
import { type Group, GroupBuilder } from './group.ts'
import { type Idempotence, readIdempotence } from './idempotence.ts'
import type { Builder } from './part.ts'
import { Stream, type StreamFacts } from './stream.ts'
import {
  PART_BLOCKS,
  PART_GROUP,
  PART_GROUP_NAME,
  PART_HEAD,
  PART_IDEMPOTENCE,
} from './stream-cut.ts'
import type { StreamId } from './stream-id.ts'

function readId(reader: Reader): StreamId {
  const ms = reader.varint()
  return { ms, seq: reader.varint() }
}

export class StreamBuilder implements Builder<Stream> {
  #facts: StreamFacts | null = null
  #idempotence: Idempotence | null = null
  #blockCount = 0
  #groupCount = 0
  readonly #blocks: Block[] = []
  readonly #groups: (readonly [string, Group])[] = []
  #name = ''
  #group: GroupBuilder | null = null

  read(reader: Reader): void {
    const part = reader.u8()
    if (part === PART_HEAD) this.#readHead(reader)
    else if (part === PART_IDEMPOTENCE)
      this.#idempotence = readIdempotence(reader, this.#idempotence)
    else if (part === PART_BLOCKS) this.#readBlocks(reader)
    else if (part === PART_GROUP_NAME) this.#beginGroup(reader.latin1())
    else if (part === PART_GROUP && this.#group !== null) this.#group.read(reader)
    else assert(false, `part ${part} of a stream is unknown here`)
    assert(reader.left === 0, 'a part is read whole')
  }

  #readHead(reader: Reader): void {
    const lastId = readId(reader)
    const maxDeletedId = readId(reader)
    this.#facts = { lastId, maxDeletedId, entriesAdded: reader.varint() }
    this.#blockCount = reader.count()
    this.#groupCount = reader.count()
  }

  #readBlocks(reader: Reader): void {
    for (let left = reader.u32(); left > 0; left -= 1) {
      const base = readId(reader)
      const count = reader.count()
      const namesBytes = reader.count()
      const entryBytes = reader.count()
      this.#blocks.push(measured(reader.raw(namesBytes + entryBytes), base, namesBytes, count))
    }
  }

  #beginGroup(name: string): void {
    this.#endGroup()
    this.#name = name
    this.#group = new GroupBuilder()
  }

  #endGroup(): void {
    if (this.#group !== null) this.#groups.push([this.#name, this.#group.finish()])
    this.#group = null
  }

  finish(): Stream {
    this.#endGroup()
    assert(this.#facts !== null, 'a stream has a head')
    assert(this.#blocks.length === this.#blockCount, 'a stream has all its blocks')
    assert(this.#groups.length === this.#groupCount, 'a stream has all its groups')
    return Stream.of(this.#facts, this.#blocks, this.#groups, this.#idempotence)
  }
}
