// The paths under /v1/streams, and what their parameters mean.
//
//   POST /v1/streams/{key}                                  append an entry
//   GET  /v1/streams/{key}/events                           everybody sees all entries
//   GET  /v1/streams/{key}/groups/{group}/events?consumer=  each entry goes to one consumer
//   POST /v1/streams/{key}/groups/{group}/ack               acknowledge entries
//
// Parameters `group` and `consumer` of the second mean the third, and POST …/events/ack
// or …/ack with `group` the fourth. Parts of a path are percent-encoded bytes.

import { limits } from '../../base/limits.ts'

export type StreamRoute =
  | { readonly kind: 'append'; readonly key: Buffer; readonly query: URLSearchParams }
  | { readonly kind: 'watch'; readonly key: Buffer; readonly query: URLSearchParams }
  | {
      readonly kind: 'work' | 'ack'
      readonly key: Buffer
      readonly group: Buffer
      readonly query: URLSearchParams
    }

const PREFIX = '/v1/streams/'

/**
 * @param url path and query as they came
 * @returns null: nothing is there; a text: what is wrong with it
 */
export function streamRoute(method: string, url: string): StreamRoute | string | null {
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  if (!path.startsWith(PREFIX)) return null
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  const parts = path.slice(PREFIX.length).split('/').map(bytesOf)
  const key = parts[0]
  if (parts.includes(null) || key === null || key === undefined) return 'the path is malformed'
  if (key.length === 0) return 'the key is empty'
  if (key.length > limits.keyBytesMax) return `the key is over ${limits.keyBytesMax} bytes`
  const names = parts.map(part => part?.toString('latin1') ?? '')
  const [, first, , third] = names
  if (parts.length === 1) return method === 'POST' ? { kind: 'append', key, query } : null
  const isGroup = first === 'groups' && parts.length === 4
  const group = isGroup ? (parts[2] ?? null) : groupIn(query)
  const rest = isGroup ? third : names.slice(1).join('/')
  if (method === 'GET' && rest === 'events') {
    return group === null ? { kind: 'watch', key, query } : { kind: 'work', key, group, query }
  }
  if (method === 'POST' && (rest === 'ack' || rest === 'events/ack')) {
    return group === null ? 'group is required' : { kind: 'ack', key, group, query }
  }
  return null
}

function groupIn(query: URLSearchParams): Buffer | null {
  const group = query.get('group')
  return group === null || group === '' ? null : Buffer.from(group)
}

const HEX = /^[0-9a-fA-F]{2}$/
const PERCENT = '%'

/** Percent-encoded bytes, which need not be UTF-8; null: malformed. */
function bytesOf(part: string): Buffer | null {
  const pieces = part.split(PERCENT)
  const bytes: Buffer[] = [Buffer.from(pieces[0] ?? '')]
  for (const piece of pieces.slice(1)) {
    if (!HEX.test(piece.slice(0, 2))) return null
    bytes.push(Buffer.from(piece.slice(0, 2), 'hex'), Buffer.from(piece.slice(2)))
  }
  return Buffer.concat(bytes)
}

/** A whole number of the query, or what is wrong with it. */
export function numberIn(
  query: URLSearchParams,
  name: string,
  least: number,
  most: number,
  otherwise: number,
): number | string {
  const text = query.get(name)
  if (text === null) return otherwise
  const value = Number(text)
  const isFine = /^\d{1,15}$/.test(text) && value >= least && value <= most
  return isFine ? value : `${name} is not a whole number from ${least} to ${most}`
}
