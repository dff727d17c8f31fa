// Requests as the words they become, for tests of the mappings.

import assert from 'node:assert/strict'
import type { Mapping } from '../../../../../src/doors/grpc/unary.ts'
import { Words } from '../../../../../src/doors/grpc/words.ts'
import type { Reply } from '../../../../../src/machine/reply.ts'

const words = new Words()
const empty = Buffer.alloc(0)

type Rpc = { readonly requestStream: boolean; requestDeserialize(bytes: Buffer): object }
type Service = Readonly<Record<string, Rpc>>
type Mappings = Readonly<Record<string, Mapping<never, unknown>>>
type Named<M> = { [N in keyof M]: M[N] extends Mapping<infer Q, unknown> ? Partial<Q> : never }

/** The argv of a request, or what is wrong with it. */
function argv(mapping: Mapping<object, unknown>, request: object): string {
  words.begin()
  const fault = mapping.words(request, words) ?? words.finish()
  if (fault !== null) return `fault: ${fault}`
  const row: string[] = []
  for (let i = 0; i < words.count; i += 1) row.push(words.argv.latin1(i))
  return row.join(' ')
}

/** Compares the argv of requests in which all that is not named is unset. */
export function goldenOf<M extends Mappings>(mappings: M, service: Service) {
  // Streams have handlers of their own.
  const unary = Object.keys(service).filter(name => service[name]?.requestStream === false)
  assert.deepEqual(Object.keys(mappings).sort(), unary.sort())
  return <N extends keyof M & string>(name: N, request: Named<M>[N], expected: string): void => {
    const mapping = mappings[name] as unknown as Mapping<object, unknown>
    const blank = service[name]?.requestDeserialize(empty)
    assert.equal(argv(mapping, { ...blank, ...(request as object) }), expected)
  }
}

/** The response for a reply; all of the request that is not named is undefined. */
export function answer<Q, A>(mapping: Mapping<Q, A>, reply: Reply, request: Partial<Q> = {}): A {
  return mapping.answer(reply, request as Q)
}

/** Checks that just these requests get a session of their own. */
export function waits<Q>(mapping: Mapping<Q, unknown>, request: Partial<Q>): boolean {
  return mapping.alone?.(request as Q) === true
}
