// Replies as they stand on the wire: a tree of RESP2 or RESP3 values, from a Reply or from bytes.
//
// Conformance compares what is sent, not what is meant, so both sides are brought
// into this form: our Reply values by `toWire`, a server's bytes by `WireReader`.
// Text is latin1: one character a byte.

import type { Reply } from '../../src/machine/reply.ts'
import { formatId } from '../../src/machine/types/stream-id.ts'

export type Protocol = 2 | 3

export type Wire =
  | { readonly type: 'simple' | 'error' | 'bulk' | 'verbatim' | 'integer'; readonly text: string }
  /** `$-1`, `*-1`, and RESP3's `_`. */
  | { readonly type: 'null-bulk' | 'null-array' | 'nil' }
  | { readonly type: 'array' | 'map' | 'set' | 'push'; readonly items: readonly Wire[] }

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

function bulk(text: string): Wire {
  return { type: 'bulk', text }
}

function pairs(items: readonly Wire[]): Wire[] {
  const out: Wire[] = []
  for (let i = 0; i < items.length; i += 2)
    out.push({ type: 'array', items: items.slice(i, i + 2) })
  return out
}

/** What a door sends for `reply`. */
export function toWire(reply: Reply, protocol: Protocol): Wire {
  const three = protocol === 3
  switch (reply.kind) {
    case 'error':
      return { type: 'error', text: Buffer.from(reply.text, 'utf8').toString('latin1') }
    case 'simple':
      return { type: 'simple', text: reply.text }
    case 'integer':
      return { type: 'integer', text: String(reply.value) }
    case 'bulk':
      return bulk(latin1(reply.bytes))
    case 'text':
      return bulk(Buffer.from(reply.text, 'utf8').toString('latin1'))
    case 'verbatim':
      return three ? { type: 'verbatim', text: `txt:${reply.text}` } : bulk(reply.text)
    case 'id':
      return bulk(formatId(reply.id))
    case 'null':
      return { type: three ? 'nil' : 'null-bulk' }
    case 'null-array':
      return { type: three ? 'nil' : 'null-array' }
    case 'bulks': {
      const items: Wire[] = []
      for (let i = 0; i < reply.bounds.length; i += 2)
        items.push(bulk(latin1(reply.bytes.subarray(reply.bounds[i], reply.bounds[i + 1]))))
      return { type: 'array', items }
    }
    case 'pushes': {
      const pushes = reply.pushes.map((items): Wire => {
        const all = items.map(item => toWire(item, protocol))
        return { type: three ? 'push' : 'array', items: all }
      })
      return { type: 'array', items: pushes }
    }
    default: {
      const items = reply.items.map(item => toWire(item, protocol))
      if (reply.kind === 'array') return { type: 'array', items }
      if (reply.kind === 'set') return { type: three ? 'set' : 'array', items }
      if (three) return { type: 'map', items }
      return { type: 'array', items: reply.kind === 'map' ? items : pairs(items) }
    }
  }
}

const AGGREGATES: Readonly<Record<string, 'array' | 'map' | 'set' | 'push'>> = {
  '*': 'array',
  '%': 'map',
  '~': 'set',
  '>': 'push',
}
const LINES: Readonly<Record<string, 'simple' | 'error' | 'integer' | 'bulk'>> = {
  '+': 'simple',
  '-': 'error',
  ':': 'integer',
  // A double, which ours sends as text.
  ',': 'bulk',
}

/** Parses replies out of bytes that arrive in pieces. */
export class WireReader {
  #text = ''
  #at = 0

  push(bytes: Uint8Array): void {
    this.#text = this.#text.slice(this.#at) + latin1(bytes)
    this.#at = 0
  }

  /** The next reply, or null while it is incomplete. */
  next(): Wire | null {
    const begin = this.#at
    const value = this.#value()
    if (value === null) this.#at = begin
    return value
  }

  #value(): Wire | null {
    const end = this.#text.indexOf('\r\n', this.#at)
    if (end < 0) return null
    const mark = this.#text.charAt(this.#at)
    const rest = this.#text.slice(this.#at + 1, end)
    this.#at = end + 2
    const line = LINES[mark]
    if (line !== undefined) return { type: line, text: rest }
    if (mark === '_') return { type: 'nil' }
    const count = Number(rest)
    if (count < 0) return { type: mark === '$' ? 'null-bulk' : 'null-array' }
    const aggregate = AGGREGATES[mark]
    if (aggregate !== undefined) return this.#aggregate(aggregate, count)
    if (mark !== '$' && mark !== '=') throw new Error(`unknown type ${mark}${rest}`)
    if (this.#at + count + 2 > this.#text.length) return null
    const text = this.#text.slice(this.#at, this.#at + count)
    this.#at += count + 2
    return { type: mark === '$' ? 'bulk' : 'verbatim', text }
  }

  #aggregate(type: 'array' | 'map' | 'set' | 'push', count: number): Wire | null {
    const items: Wire[] = []
    for (let left = type === 'map' ? count * 2 : count; left > 0; left -= 1) {
      const item = this.#value()
      if (item === null) return null
      items.push(item)
    }
    return { type, items }
  }
}
