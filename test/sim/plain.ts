// Replies as plain values, taken while they are valid: what a client would have decoded.

import type { Reply } from '../../src/machine/reply.ts'
import { formatId } from '../../src/machine/types/stream-id.ts'

/** An error reply. */
export class Refused {
  readonly text: string
  /** The node to go to instead, or 0. */
  readonly leader: number

  constructor(text: string, leader: number) {
    this.text = text
    this.leader = leader
  }

  /** `MOVED`, `ERR`, ... */
  get word(): string {
    return this.text.split(' ', 1)[0] ?? ''
  }
}

export type Plain = string | number | null | Refused | readonly Plain[]

/** Bytes become one character each. */
export function plainOf(reply: Reply): Plain {
  switch (reply.kind) {
    case 'error':
      return new Refused(reply.text, reply.redirect?.leader ?? 0)
    case 'simple':
    case 'text':
    case 'verbatim':
      return reply.text
    case 'integer':
      return Number(reply.value)
    case 'bulk':
      return latin1(reply.bytes, 0, reply.bytes.length)
    case 'id':
      return formatId(reply.id)
    case 'null':
    case 'null-array':
      return null
    case 'bulks':
      return wordsOf(reply.bytes, reply.bounds)
    case 'pairs':
      return pairsOf(reply.items)
    case 'pushes':
      return reply.pushes.map(items => items.map(plainOf))
    default:
      return reply.items.map(plainOf)
  }
}

function wordsOf(bytes: Uint8Array, bounds: ArrayLike<number>): string[] {
  const words: string[] = []
  for (let i = 0; i + 1 < bounds.length; i += 2) {
    words.push(latin1(bytes, bounds[i] as number, bounds[i + 1] as number))
  }
  return words
}

/** As RESP2 has it: a list of pairs. */
function pairsOf(items: readonly Reply[]): Plain[] {
  const pairs: Plain[] = []
  for (let i = 0; i + 1 < items.length; i += 2) {
    pairs.push([plainOf(items[i] as Reply), plainOf(items[i + 1] as Reply)])
  }
  return pairs
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1')
}

/** A list, or nothing. */
export function listOf(plain: Plain | undefined): readonly Plain[] {
  return Array.isArray(plain) ? plain : []
}

export function textOf(plain: Plain | undefined): string {
  return typeof plain === 'string' ? plain : ''
}

export function formatPlain(plain: Plain): string {
  if (plain instanceof Refused) return `-${plain.text}`
  const text = JSON.stringify(plain)
  return text.length > 160 ? `${text.slice(0, 160)}... (${text.length})` : text
}
