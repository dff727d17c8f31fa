// What a key may hold, and how each type is told apart in a snapshot.
//
// To add a type: its class says `type` and `cut`, `Values` names the class, and
// `BUILDERS` makes it again from the parts that its cut wrote.

import type { List } from './list.ts'
import { ListBuilder } from './list-builder.ts'
import type { Builder, Cut } from './part.ts'
import type { Stream } from './stream.ts'
import { StreamBuilder } from './stream-builder.ts'

export interface Value {
  readonly type: ValueType
  /** The value as of now, whatever changes later (part.ts). */
  cut(): Cut
}

/** The class of each type, by the name that TYPE answers. */
export type Values = {
  stream: Stream
  list: List
  set: Value
  string: Value
}

export type ValueType = keyof Values

/** Types by their number in snapshots, which never changes: files hold it. */
export const VALUE_TYPES: readonly ValueType[] = ['stream', 'list', 'set', 'string']

const BUILDERS: { readonly [T in ValueType]: (() => Builder<Values[T]>) | null } = {
  stream: () => new StreamBuilder(),
  list: () => new ListBuilder(),
  set: null,
  string: null,
}

/** @returns null where this build knows no such type */
export function builderOf(number: number): Builder<Value> | null {
  const type = VALUE_TYPES[number]
  return type === undefined ? null : (BUILDERS[type]?.() ?? null)
}
