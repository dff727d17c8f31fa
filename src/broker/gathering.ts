// Commands about all keys of a node: asked of every shard it leads, answered as one.
//
// SCAN goes through the shards one after the other: its cursor for clients is the
// shard's own cursor times SHARD_SPAN plus the shard's number.

import { Argv } from '../base/argv.ts'
import { limits } from '../base/limits.ts'
import type { ShardId } from '../base/types.ts'
import { isError } from '../machine/command.ts'
import { array, integer, NULL, OK, type Reply, text } from '../machine/reply.ts'
import type { Asker, Lost } from '../replica/ports.ts'
import { inDoubt, overloaded } from './refusals.ts'
import type { Session } from './session.ts'

/** How the answers become one. */
export type Gathering = 'sum' | 'concat' | 'ok' | 'any' | 'scan'

const GATHERINGS: ReadonlyMap<string, Gathering> = new Map([
  ['dbsize', 'sum'],
  ['keys', 'concat'],
  ['flushall', 'ok'],
  ['flushdb', 'ok'],
  ['randomkey', 'any'],
  ['scan', 'scan'],
])

export function gatheringOf(name: string): Gathering | null {
  return GATHERINGS.get(name) ?? null
}

/** The answers as one. */
export function merge(gathering: Gathering, replies: readonly Reply[]): Reply {
  for (const reply of replies) if (isError(reply)) return reply
  switch (gathering) {
    case 'sum': {
      let sum = 0
      for (const reply of replies) if (reply.kind === 'integer') sum += Number(reply.value)
      return integer(sum)
    }
    case 'concat':
      return array(replies.flatMap(reply => (reply.kind === 'array' ? reply.items : [])))
    case 'any':
      return replies.find(reply => reply.kind !== 'null') ?? NULL
    case 'ok':
      return OK
    case 'scan':
      return replies[0] ?? NULL
  }
}

/** Answers one command once all shards have answered it. */
export class Gatherer implements Asker<Reply> {
  readonly #session: Session
  readonly #place: number
  readonly #gathering: Gathering
  readonly #replies: Reply[] = []
  #missing: number

  constructor(session: Session, place: number, gathering: Gathering, shards: number) {
    this.#session = session
    this.#place = place
    this.#gathering = gathering
    this.#missing = shards
  }

  get closed(): boolean {
    return this.#session.closed
  }

  answer(_ticket: number, reply: Reply): void {
    this.#replies.push(reply)
    this.#missing -= 1
    if (this.#missing === 0) this.#done()
  }

  lose(ticket: number, why: Lost): void {
    this.answer(ticket, why === 'in-doubt' ? inDoubt : overloaded)
  }

  #done(): void {
    this.#session.answer(this.#place, merge(this.#gathering, this.#replies))
  }
}

const SHARD_SPAN = BigInt(limits.shardsMax) + 1n
const CURSOR_MAX = 0xffff_ffff_ffff_ffffn

export type ScanCursor = { readonly shard: ShardId; readonly inner: bigint }

/** What a client's cursor means; null if it is none. Shard 0: from the first on. */
export function parseScanCursor(cursor: string): ScanCursor | null {
  if (!/^[0-9]{1,20}$/.test(cursor)) return null
  const value = BigInt(cursor)
  if (value > CURSOR_MAX) return null
  return { shard: Number(value % SHARD_SPAN), inner: value / SHARD_SPAN }
}

/**
 * A shard's answer to SCAN with the cursor that the node's clients know.
 *
 * @param next where to go on when this shard is done; 0: nowhere
 */
export function nodeCursor(reply: Reply, shard: ShardId, next: ShardId): Reply {
  if (reply.kind !== 'array') return reply
  const [cursor, keys] = reply.items
  const inner = BigInt(cursorText(cursor))
  const outer = inner === 0n ? BigInt(next) : inner * SHARD_SPAN + BigInt(shard)
  return array([text(outer.toString()), keys ?? array([])])
}

/** SCAN's words with the cursor of a shard in place of the node's. */
export function shardScan(argv: Argv, inner: bigint): Argv {
  const words: (string | Uint8Array)[] = ['SCAN', inner.toString()]
  for (let i = 2; i < argv.count; i += 1) words.push(argv.bytes(i))
  return Argv.of(...words)
}

/** The same for a node with one shard; words with a bad cursor stay as they are. */
export function shardCursor(argv: Argv): Argv {
  const cursor = parseScanCursor(argv.latin1(1))
  return cursor === null ? argv : shardScan(argv, cursor.inner)
}

/** Makes a shard's cursor the node's. */
export class ScanRelay implements Asker<Reply> {
  readonly #session: Session
  readonly #place: number
  readonly #shard: ShardId
  /** Where to go on when this shard is done; 0: nowhere. */
  readonly #next: ShardId

  constructor(session: Session, place: number, shard: ShardId, next: ShardId) {
    this.#session = session
    this.#place = place
    this.#shard = shard
    this.#next = next
  }

  get closed(): boolean {
    return this.#session.closed
  }

  answer(_ticket: number, reply: Reply): void {
    this.#session.answer(this.#place, nodeCursor(reply, this.#shard, this.#next))
  }

  lose(_ticket: number, _why: Lost): void {
    this.#session.answer(this.#place, overloaded)
  }
}

function cursorText(cursor: Reply | undefined): string {
  if (cursor?.kind === 'text') return cursor.text
  if (cursor?.kind === 'bulk') return Buffer.from(cursor.bytes).latin1Slice()
  return cursor?.kind === 'integer' ? cursor.value.toString() : '0'
}
