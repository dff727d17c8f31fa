// The notation of expected replies: one text for RESP2 and RESP3.
//
//   "text"   bulk, with \n \r \t \" \\ \xHH      +word, +"some words"   simple string
//   12       integer                             -ERR text to the end   error
//   nil      the missing bulk                    nil[]   the missing array (both are `_` in RESP3)
//   [a, b]   array                               ~[a, b]  set
//   {a: b}   map, flat in RESP2                  <a: b>   map, an array of pairs in RESP2
//   ?        anything                            -"ERR text"          error within another reply

import type { Protocol, Wire } from './wire.ts'

export type Expected =
  | { readonly kind: 'any' | 'null' | 'null-array' }
  | { readonly kind: 'simple' | 'error' | 'integer' | 'bulk'; readonly text: string }
  | { readonly kind: 'array' | 'set' | 'map' | 'pairs'; readonly items: readonly Expected[] }

const OPENERS: Readonly<Record<string, 'array' | 'map' | 'pairs'>> = {
  '[': 'array',
  '{': 'map',
  '<': 'pairs',
}

class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): Expected {
    const value = this.#value()
    this.#blanks()
    if (this.#at < this.#text.length) throw this.#error('nothing more')
    return value
  }

  #error(wanted: string): Error {
    return new Error(`${wanted} wanted at ${this.#at} of: ${this.#text}`)
  }

  #blanks(): void {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at += 1
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found === null) return null
    this.#at = pattern.lastIndex
    return found[0]
  }

  #value(): Expected {
    this.#blanks()
    const mark = this.#text.charAt(this.#at)
    if (mark === '?') {
      this.#at += 1
      return { kind: 'any' }
    }
    if (mark === '"') return { kind: 'bulk', text: this.#quoted() }
    if (mark === '+') {
      this.#at += 1
      const quoted = this.#text.charAt(this.#at) === '"'
      return { kind: 'simple', text: quoted ? this.#quoted() : (this.#match(/\w+/y) ?? '') }
    }
    if (mark === '~') {
      this.#at += 1
      return { kind: 'set', items: this.#items() }
    }
    const kind = OPENERS[mark]
    if (kind !== undefined) return { kind, items: this.#items() }
    if (this.#text.startsWith('-"', this.#at)) {
      this.#at += 1
      return { kind: 'error', text: this.#quoted() }
    }
    const number = this.#match(/-?\d+/y)
    if (number !== null) return { kind: 'integer', text: number }
    if (mark === '-') {
      const text = this.#text.slice(this.#at + 1)
      this.#at = this.#text.length
      return { kind: 'error', text }
    }
    const word = this.#match(/nil(\[\])?/y)
    if (word === null) throw this.#error('a value')
    return { kind: word === 'nil' ? 'null' : 'null-array' }
  }

  #quoted(): string {
    const found = this.#match(/"(?:[^"\\]|\\.)*"/y)
    if (found === null) throw this.#error('a closing quote')
    return unescapeText(found.slice(1, -1))
  }

  #items(): Expected[] {
    this.#at += 1
    const items: Expected[] = []
    for (;;) {
      this.#blanks()
      if (this.#match(/[\]}>]/y) !== null) return items
      items.push(this.#value())
      this.#blanks()
      this.#match(/[,:]/y)
    }
  }
}

/** Text between double quotes. */
export function unescapeText(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|.)/g, (_, code: string) => {
    if (code.startsWith('x') && code.length === 3)
      return String.fromCharCode(Number.parseInt(code.slice(1), 16))
    return { n: '\n', r: '\r', t: '\t' }[code] ?? code
  })
}

function quote(text: string): string {
  const body = text.replace(/["\\]|[^ -~]/g, char =>
    char === '"' || char === '\\'
      ? `\\${char}`
      : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return `"${body}"`
}

export function parseExpected(text: string): Expected {
  return new Parser(text).whole()
}

/** The reply in this notation, as far as one protocol tells: for messages. */
export function printWire(wire: Wire): string {
  switch (wire.type) {
    case 'null-bulk':
    case 'nil':
      return 'nil'
    case 'null-array':
      return 'nil[]'
    case 'integer':
      return wire.text
    case 'error':
      return `-${wire.text}`
    case 'simple':
      return /^\w+$/.test(wire.text) ? `+${wire.text}` : `+${quote(wire.text)}`
    case 'bulk':
    case 'verbatim':
      return quote(wire.text)
    case 'map': {
      const out: string[] = []
      for (let i = 0; i < wire.items.length; i += 2)
        out.push(`${printItem(wire.items[i] as Wire)}: ${printItem(wire.items[i + 1] as Wire)}`)
      return `{${out.join(', ')}}`
    }
    default:
      return `${wire.type === 'set' ? '~' : ''}[${wire.items.map(printItem).join(', ')}]`
  }
}

/** Within other replies an error has quotes, or it would not end. */
function printItem(wire: Wire): string {
  return wire.type === 'error' ? `-${quote(wire.text)}` : printWire(wire)
}

/** The reply in this notation, from what a server sent in RESP2 and in RESP3: for recording. */
export function printBoth(two: Wire, three: Wire): string {
  if (!('items' in two) || !('items' in three))
    return two.type === 'null-array' ? 'nil[]' : printWire(three)
  const paired = three.type === 'map' && two.items.length * 2 === three.items.length
  const flat = paired
    ? two.items.flatMap(item => ('items' in item ? item.items : [item]))
    : two.items
  const items = three.items.map((item, i) =>
    item.type === 'error' ? printItem(item) : printBoth(flat[i] as Wire, item),
  )
  if (three.type !== 'map') return `${three.type === 'set' ? '~' : ''}[${items.join(', ')}]`
  const out: string[] = []
  for (let i = 0; i < items.length; i += 2) out.push(`${items[i]}: ${items[i + 1]}`)
  return paired && out.length > 0 ? `<${out.join(', ')}>` : `{${out.join(', ')}}`
}

function matchesItems(
  items: readonly Expected[],
  wire: readonly Wire[],
  protocol: Protocol,
): boolean {
  return (
    items.length === wire.length &&
    items.every((item, i) => matches(item, wire[i] as Wire, protocol))
  )
}

/** Whether `wire` is what `expected` looks like in `protocol`. */
export function matches(expected: Expected, wire: Wire, protocol: Protocol): boolean {
  const three = protocol === 3
  switch (expected.kind) {
    case 'any':
      return true
    case 'null':
      return wire.type === (three ? 'nil' : 'null-bulk')
    case 'null-array':
      return wire.type === (three ? 'nil' : 'null-array')
    case 'simple':
    case 'error':
    case 'integer':
    case 'bulk':
      return wire.type === expected.kind && wire.text === expected.text
    default:
      break
  }
  if (!('items' in wire)) return false
  const { items } = expected
  if (three) {
    const type = expected.kind === 'pairs' ? 'map' : expected.kind
    return wire.type === type && matchesItems(items, wire.items, protocol)
  }
  if (wire.type !== 'array') return false
  if (expected.kind !== 'pairs') return matchesItems(items, wire.items, protocol)
  return (
    wire.items.length * 2 === items.length &&
    wire.items.every(
      (pair, i) =>
        pair.type === 'array' && matchesItems(items.slice(2 * i, 2 * i + 2), pair.items, protocol),
    )
  )
}
