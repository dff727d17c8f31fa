// What a command answers, as a value. The doors write it in their own tongues.

import type { StreamId } from './types/stream-id.ts'

/** Where a client should go instead; gRPC sends it as details, RESP has it in the text. */
export type Redirect = {
  readonly kind: 'MOVED' | 'ASK'
  readonly slot: number
  readonly epoch: number
  readonly shard: number
  /** Node number of the leader. */
  readonly leader: number
}

export type ErrorReply = {
  readonly kind: 'error'
  /** Word and text, as RESP sends it without the dash: `WRONGTYPE Operation against ...`. */
  readonly text: string
  readonly redirect?: Redirect
}

/** An array of bulk strings that stand in `bytes` from bounds[2i] to bounds[2i + 1]: the fields of an entry. */
export type Bulks = {
  readonly kind: 'bulks'
  readonly bytes: Uint8Array
  readonly bounds: ArrayLike<number>
  /**
   * When so many bytes of `bytes`, from 0 on, are the same words as RESP has them: `$5\r\nhello\r\n`.
   * Nobody changes them any more: long ones are sent from where they are.
   */
  readonly framedBytes?: number
}

export type Reply =
  | ErrorReply
  | { readonly kind: 'simple'; readonly text: string }
  | { readonly kind: 'integer'; readonly value: number | bigint }
  | { readonly kind: 'bulk'; readonly bytes: Uint8Array }
  /** A bulk string made from text (UTF-8). */
  | { readonly kind: 'text'; readonly text: string }
  /** A bulk string that is a stream ID; encoders write its digits directly. */
  | { readonly kind: 'id'; readonly id: StreamId }
  /** The missing bulk: `$-1`, in RESP3 `_`. */
  | { readonly kind: 'null' }
  /** The missing array: `*-1`, in RESP3 `_`. */
  | { readonly kind: 'null-array' }
  | { readonly kind: 'array'; readonly items: readonly Reply[] }
  | Bulks
  /** Keys and values in turn; a flat array in RESP2. */
  | { readonly kind: 'map'; readonly items: readonly Reply[] }
  /** Keys and values in turn; in RESP2 an array of pairs (XREAD). */
  | { readonly kind: 'pairs'; readonly items: readonly Reply[] }
  | { readonly kind: 'set'; readonly items: readonly Reply[] }
  /** Text for people: a bulk in RESP2, `=` in RESP3. */
  | { readonly kind: 'verbatim'; readonly text: string }
  /** Messages that stand for themselves, one behind the other: arrays in RESP2. Only for clients that listen. */
  | { readonly kind: 'pushes'; readonly pushes: readonly (readonly Reply[])[] }

export const OK: Reply = { kind: 'simple', text: 'OK' }
export const NULL: Reply = { kind: 'null' }
export const NULL_ARRAY: Reply = { kind: 'null-array' }
export const EMPTY_ARRAY: Reply = { kind: 'array', items: [] }
export const ZERO: Reply = { kind: 'integer', value: 0 }
export const ONE: Reply = { kind: 'integer', value: 1 }

export function fail(text: string): ErrorReply {
  return { kind: 'error', text }
}

export function integer(value: number | bigint): Reply {
  return { kind: 'integer', value }
}

/** @param bytes that nobody changes any more: long ones are sent from where they are */
export function bulk(bytes: Uint8Array): Reply {
  return { kind: 'bulk', bytes }
}

export function text(value: string): Reply {
  return { kind: 'text', text: value }
}

export function array(items: readonly Reply[]): Reply {
  return { kind: 'array', items }
}

// Errors that many commands share, word for word as Redis has them (COMMANDS 1.4).
export const wrongType = fail('WRONGTYPE Operation against a key holding the wrong kind of value')
export const syntaxError = fail('ERR syntax error')
export const notInteger = fail('ERR value is not an integer or out of range')
export const noSuchKey = fail('ERR no such key')
export const invalidStreamId = fail('ERR Invalid stream ID specified as stream command argument')
