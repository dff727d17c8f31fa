// An entry of a stream as the application sees it, and how one is written.

import { ProtocolError } from './errors.ts'
import type { Word } from './session/call.ts'
import { Pairs, type Value } from './session/value.ts'

/** Fields of an entry to be: by name, or as pairs where names repeat or are bytes. */
export type Fields = Readonly<Record<string, Word>> | readonly (readonly [Word, Word])[]

export class Entry {
  readonly id: string
  /** Name, value, name, value; empty if the entry is pending but no longer in the stream. */
  readonly fields: readonly Buffer[]

  constructor(id: string, fields: readonly Buffer[]) {
    this.id = id
    this.fields = fields
  }

  /** The first value under `name`. */
  bytes(name: string): Buffer | undefined {
    for (let i = 0; i < this.fields.length; i += 2)
      if (this.fields[i]?.toString() === name) return this.fields[i + 1]
    return undefined
  }

  /** The same as text. */
  get(name: string): string | undefined {
    return this.bytes(name)?.toString()
  }

  /** All fields as text; of names that repeat the last. */
  toObject(): Record<string, string> {
    const found: Record<string, string> = {}
    for (let i = 0; i < this.fields.length; i += 2)
      found[String(this.fields[i])] = String(this.fields[i + 1])
    return found
  }
}

/** Fields as words of a command. */
export function wordsOf(fields: Fields): Word[] {
  const words: Word[] = []
  if (Array.isArray(fields)) for (const [name, value] of fields) words.push(name, value)
  else
    for (const [name, value] of Object.entries(fields as Record<string, Word>))
      words.push(name, value)
  return words
}

/** `[[id, [name, value, ...]], ...]`, bytes. */
export function entriesOf(value: Value): Entry[] {
  return itemsOf(value).map(item => {
    const [id, fields] = itemsOf(item)
    return new Entry(String(id), fields === null ? [] : (itemsOf(fields ?? null) as Buffer[]))
  })
}

/** `[[key, entries], ...]` or a map of the same; null: nothing. */
export function streamsOf(value: Value): { key: Buffer; entries: Entry[] }[] {
  if (value === null) return []
  const flat = value instanceof Pairs ? value.items : itemsOf(value).flatMap(item => itemsOf(item))
  const found: { key: Buffer; entries: Entry[] }[] = []
  for (let i = 0; i < flat.length; i += 2)
    found.push({ key: flat[i] as Buffer, entries: entriesOf(flat[i + 1] ?? null) })
  return found
}

export function itemsOf(value: Value | undefined): readonly Value[] {
  if (value instanceof Pairs) return value.items
  if (!Array.isArray(value)) throw new ProtocolError('an answer is no array')
  return value
}
