// A stream from the parts that stream-cut.ts wrote.

import type { Reader } from '../../base/bytes.ts'
import { type Block, checked, isBefore } from './block.ts'
import { type Group, GroupBuilder } from './group.ts'
import { type Idempotence, readIdempotence } from './idempotence.ts'
import { COUNT_MAX } from './lag.ts'
import { type Builder, flawAtEnd } from './part.ts'
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

/** An ID and three counts. */
const BLOCK_BYTES_MIN = 5

export class StreamBuilder implements Builder<Stream> {
  #facts: StreamFacts | null = null
  #idempotence: Idempotence | null = null
  #blockCount = 0
  #groupCount = 0
  readonly #blocks: Block[] = []
  readonly #groups: (readonly [string, Group])[] = []
  #name = ''
  #group: GroupBuilder | null = null

  read(reader: Reader): string | null {
    const part = reader.u8()
    let flaw: string | null = null
    if (part === PART_HEAD && this.#facts === null) this.#readHead(reader)
    else if (part === PART_IDEMPOTENCE) flaw = this.#readIdempotence(reader)
    else if (part === PART_BLOCKS) flaw = this.#readBlocks(reader)
    else if (part === PART_GROUP_NAME) flaw = this.#beginGroup(reader.latin1())
    else if (part === PART_GROUP && this.#group !== null) flaw = this.#group.read(reader)
    else flaw = `part ${part} of a stream is unknown here`
    return flaw ?? flawAtEnd(reader)
  }

  #readHead(reader: Reader): void {
    const lastId = readId(reader)
    const maxDeletedId = readId(reader)
    this.#facts = { lastId, maxDeletedId, entriesAdded: reader.varint() }
    this.#blockCount = reader.count()
    this.#groupCount = reader.count()
  }

  #readIdempotence(reader: Reader): string | null {
    const idempotence = readIdempotence(reader, this.#idempotence)
    if (typeof idempotence === 'string') return idempotence
    this.#idempotence = idempotence
    return null
  }

  #readBlocks(reader: Reader): string | null {
    for (let left = reader.things32(BLOCK_BYTES_MIN); left > 0; left -= 1) {
      const base = readId(reader)
      const count = reader.count()
      const namesBytes = reader.count()
      const entryBytes = reader.count()
      const block = checked(reader.raw(namesBytes + entryBytes), base, namesBytes, count)
      if (block === null) return 'a block has the entries it said'
      const before = this.#blocks[this.#blocks.length - 1]
      const rises =
        before === undefined ||
        isBefore(before.lastMs, before.lastSeq, block.firstMs, block.firstSeq)
      if (!rises) return 'blocks rise'
      this.#blocks.push(block)
    }
    return null
  }

  #beginGroup(name: string): string | null {
    const flaw = this.#endGroup()
    // Code units of latin1 text are its bytes.
    const before = this.#groups[this.#groups.length - 1]
    if (before !== undefined && before[0] >= name) return 'groups stand in the order of their names'
    this.#name = name
    this.#group = new GroupBuilder()
    return flaw
  }

  #endGroup(): string | null {
    if (this.#group === null) return null
    const group = this.#group.finish()
    this.#group = null
    if (typeof group === 'string') return group
    this.#groups.push([this.#name, group])
    return null
  }

  finish(): Stream | string {
    const flaw = this.#endGroup()
    if (flaw !== null) return flaw
    const facts = this.#facts
    if (facts === null) return 'a stream has a head'
    if (this.#blocks.length !== this.#blockCount) return 'a stream has all its blocks'
    if (this.#groups.length !== this.#groupCount) return 'a stream has all its groups'
    if (facts.entriesAdded > COUNT_MAX) return 'entries are counted up to their most'
    const last = this.#blocks[this.#blocks.length - 1]
    if (
      last !== undefined &&
      isBefore(facts.lastId.ms, facts.lastId.seq, last.lastMs, last.lastSeq)
    )
      return 'no entry comes after the last ID'
    return Stream.of(facts, this.#blocks, this.#groups, this.#idempotence)
  }
}
