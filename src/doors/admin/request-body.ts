// Bodies of requests: bounded, JSON, and what they mean.

import type { IncomingMessage } from 'node:http'
import { limits } from '../../base/limits.ts'

/** What is wrong with a body that is no JSON or too large. */
export class BodyFault {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

const NOT_JSON = new BodyFault('the body is no JSON')
const TOO_LARGE = new BodyFault(`the body is over ${limits.commandBytesMax} bytes`)

/** Reads all of a body. `done` gets what its JSON says, or a BodyFault; it is not called when the client goes. */
export function readBody(request: IncomingMessage, done: (body: unknown) => void): void {
  const parts: Buffer[] = []
  let length = 0
  request.on('data', (part: Buffer) => {
    length += part.length
    if (length <= limits.commandBytesMax) parts.push(part)
  })
  request.on('end', () => {
    if (length > limits.commandBytesMax) {
      done(TOO_LARGE)
      return
    }
    let body: unknown
    try {
      body = JSON.parse(Buffer.concat(parts).toString('utf8'))
    } catch {
      body = NOT_JSON
    }
    done(body)
  })
}

/**
 * Names and values in turn: of an object, or of an array of pairs, for names that repeat. Values are texts,
 * numbers, true or false, or {"base64": "..."}; an array gives its name several times.
 *
 * @returns a text: what is wrong with it
 */
export function fieldsOf(body: unknown): (string | Buffer)[] | string {
  if (body instanceof BodyFault) return body.text
  if (typeof body !== 'object' || body === null) return 'the body is no object of fields'
  const pairs: readonly unknown[] = Array.isArray(body) ? body : Object.entries(body)
  const words: (string | Buffer)[] = []
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) return 'a field is no pair of name and value'
    const [name, value] = pair
    const values: readonly unknown[] = Array.isArray(value) ? value : [value]
    const nameWord = wordOf(name)
    if (nameWord === null) return 'the name of a field is no text'
    for (const each of values) {
      const word = wordOf(each)
      if (word === null) return `the value of ${nameWord} is no text and no number`
      words.push(nameWord, word)
    }
  }
  return words.length === 0 ? 'an entry needs a field' : words
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

function wordOf(value: unknown): string | Buffer | null {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'object' || value === null || !('base64' in value)) return null
  const { base64 } = value
  return typeof base64 === 'string' && BASE64.test(base64) ? Buffer.from(base64, 'base64') : null
}

/** `{"ids": ["1-0", ...]}`, or the array alone. @returns a text: what is wrong with it */
export function idsOf(body: unknown): string[] | string {
  if (body instanceof BodyFault) return body.text
  const ids: unknown = typeof body === 'object' && body !== null && 'ids' in body ? body.ids : body
  if (!Array.isArray(ids) || !ids.every(id => typeof id === 'string'))
    return 'ids is no array of IDs'
  return ids.length === 0 ? 'ids is empty' : ids
}
