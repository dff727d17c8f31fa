// Entries as JSON: what XREAD and XREADGROUP answer of one stream.
//
// A name that an entry has once stands with its value, one that it has more often
// with all of them. Bytes that are not UTF-8 are {"base64": "..."}.

import { isUtf8 } from 'node:buffer'
import { assert } from '../../base/assert.ts'
import type { Reply } from '../../machine/reply.ts'
import { formatId } from '../../machine/types/stream-id.ts'

type JsonWord = string | { readonly base64: string }

export type JsonEntry = {
  readonly id: string
  /** Null: it is pending, but no longer in the stream. */
  readonly fields: Readonly<Record<string, JsonWord | readonly JsonWord[]>> | null
  /** How often it had been delivered before, where that was told. */
  readonly deliveries?: number
}

function itemsOf(reply: Reply | undefined): readonly Reply[] {
  if (reply === undefined || reply.kind === 'null' || reply.kind === 'null-array') return []
  assert('items' in reply, 'an array in a reply')
  return reply.items
}

export function textOf(reply: Reply | undefined): string {
  switch (reply?.kind) {
    case 'id':
      return formatId(reply.id)
    case 'bulk':
      return Buffer.from(reply.bytes).toString('utf8')
    case 'text':
    case 'simple':
      return reply.text
    default:
      return ''
  }
}

function wordsOf(reply: Reply | undefined): Buffer[] {
  if (reply?.kind !== 'bulks') {
    return itemsOf(reply).map(item =>
      item.kind === 'bulk' ? Buffer.from(item.bytes) : Buffer.from(textOf(item)),
    )
  }
  const { bytes, bounds } = reply
  const words: Buffer[] = []
  for (let i = 0; i + 1 < bounds.length; i += 2) {
    words.push(Buffer.from(bytes.subarray(bounds[i], bounds[i + 1])))
  }
  return words
}

function jsonWord(bytes: Buffer): JsonWord {
  return isUtf8(bytes) ? bytes.toString('utf8') : { base64: bytes.toString('base64') }
}

function fieldsOf(body: Reply | undefined): JsonEntry['fields'] {
  if (body === undefined || body.kind === 'null' || body.kind === 'null-array') return null
  const words = wordsOf(body)
  const found = new Map<string, JsonWord[]>()
  for (let i = 0; i + 1 < words.length; i += 2) {
    const name = jsonWord(words[i] as Buffer)
    const key = typeof name === 'string' ? name : `base64:${name.base64}`
    const values = found.get(key) ?? []
    values.push(jsonWord(words[i + 1] as Buffer))
    found.set(key, values)
  }
  const pairs = [...found].map(([name, values]) => [name, values.length === 1 ? values[0] : values])
  return Object.fromEntries(pairs) as JsonEntry['fields']
}

/** The entries of the one stream that was read; none of a missing answer. */
export function entriesOf(reply: Reply): JsonEntry[] {
  const [first, second] = itemsOf(reply)
  const isFlat = reply.kind === 'pairs' || reply.kind === 'map'
  const rows = isFlat ? second : itemsOf(first)[1]
  return itemsOf(rows).map(row => {
    const [id, body, idle, times] = itemsOf(row)
    const entry = { id: textOf(id), fields: fieldsOf(body) }
    if (times?.kind !== 'integer' || idle?.kind !== 'integer') return entry
    // Given back and not counted: it has idled all the same.
    return { ...entry, deliveries: Number(times.value) || (idle.value > 0 ? 1 : 0) }
  })
}
