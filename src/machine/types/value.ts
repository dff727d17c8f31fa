// What a key may hold, and how each type is told apart in a snapshot.
//
// To add a type: its class says `type` and `cut`, `Values` names the class, and
// `BUILDERS` makes it again from the parts that its cut wrote.

import { assert } from '../../base/assert.ts'
import { Reader, Writer } from '../../base/bytes.ts'
import type { List } from './list.ts'
import { ListBuilder } from './list-builder.ts'
import type { MemberSet } from './member-set.ts'
import { MemberSetBuilder } from './member-set-builder.ts'
import type { Builder, Cut } from './part.ts'
import type { Stream } from './stream.ts'
import { StreamBuilder } from './stream-builder.ts'
import { type Text, TextBuilder } from './text.ts'

export interface Value {
  readonly type: ValueType
  /** What OBJECT ENCODING says, where it is not the type's one and only. */
  readonly encoding?: string
  /** About how many bytes it takes, going by its first `samples` blocks where it has blocks. */
  memoryBytes(samples: number): number
  /** The value as of now, whatever changes later (part.ts). */
  cut(): Cut
}

/** The class of each type, by the name that TYPE answers. */
export type Values = {
  stream: Stream
  list: List
  set: MemberSet
  string: Text
}

export type ValueType = keyof Values

/** Types by their number in snapshots, which never changes: files hold it. */
export const VALUE_TYPES: readonly ValueType[] = ['stream', 'list', 'set', 'string']

const BUILDERS: { readonly [T in ValueType]: (() => Builder<Values[T]>) | null } = {
  stream: () => new StreamBuilder(),
  list: () => new ListBuilder(),
  set: () => new MemberSetBuilder(),
  string: () => new TextBuilder(),
}

/** @returns null where this build knows no such type */
export function builderOf(number: number): Builder<Value> | null {
  const type = VALUE_TYPES[number]
  return type === undefined ? null : (BUILDERS[type]?.() ?? null)
}

/** Bytes of a part on its way from one value to another. */
const PART_BYTES = 64 * 1024

/** A value equal to `value` that shares nothing with it that may change. */
export function copyOf(value: Value): Value {
  const make = BUILDERS[value.type]
  assert(make !== null, `values of type ${value.type} can be made`)
  const builder = make()
  const cut = value.cut()
  const writer = new Writer(PART_BYTES)
  for (let last = false; !last; ) {
    writer.clear()
    last = cut.write(writer, PART_BYTES)
    const flaw = builder.read(new Reader(writer.view(0, writer.length)))
    assert(flaw === null, () => `a value is what its parts say: ${flaw}`)
  }
  const copy = builder.finish()
  assert(typeof copy !== 'string', () => `a value is what its parts say: ${copy}`)
  return copy
}

const ENCODINGS: { readonly [T in ValueType]: string } = {
  stream: 'stream',
  list: 'quicklist',
  set: 'hashtable',
  string: 'raw',
}

/** How `value` is kept, in Redis' words. */
export function encodingOf(value: Value): string {
  return value.encoding ?? ENCODINGS[value.type]
}
