// Random scripts of a few clients with transactions and watches on few keys, so that they meet.

import fc from 'fast-check'

export type Step = { readonly connection: number; readonly words: readonly string[] }

const key = fc.constantFrom('s', 't', 'u')
const id = fc.integer({ min: 1, max: 9 }).map(ms => `${ms}-1`)

function words(...parts: readonly (string | fc.Arbitrary<string>)[]) {
  return fc.tuple(...parts.map(part => (typeof part === 'string' ? fc.constant(part) : part)))
}

const frame = fc.oneof(
  { weight: 6, arbitrary: words('MULTI') },
  { weight: 6, arbitrary: words('EXEC') },
  { weight: 1, arbitrary: words('DISCARD') },
  { weight: 4, arbitrary: words('WATCH', key) },
  { weight: 2, arbitrary: words('WATCH', key, key) },
  { weight: 1, arbitrary: words('UNWATCH') },
  { weight: 1, arbitrary: words('MULTI', 'x') },
)
const change = fc.oneof(
  { weight: 6, arbitrary: words('XADD', key, id, 'f', 'v') },
  { weight: 2, arbitrary: words('XDEL', key, id) },
  { weight: 1, arbitrary: words('XTRIM', key, 'MAXLEN', fc.constantFrom('0', '1', '9', 'x')) },
  { weight: 2, arbitrary: words('DEL', key) },
  { weight: 1, arbitrary: words('RENAME', key, key) },
  { weight: 1, arbitrary: words('COPY', key, key) },
  { weight: 1, arbitrary: words('EXPIRE', key, fc.constantFrom('1000', '-1', 'x')) },
  { weight: 1, arbitrary: words('PERSIST', key) },
  { weight: 1, arbitrary: words('FLUSHALL') },
  { weight: 1, arbitrary: words('XGROUP', 'CREATE', key, 'g', '0', 'MKSTREAM') },
  { weight: 1, arbitrary: words('XGROUP', 'DESTROY', key, 'g') },
  { weight: 1, arbitrary: words('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', key, '>') },
  { weight: 1, arbitrary: words('XACK', key, 'g', id) },
)
const read = fc.oneof(
  words('XLEN', key),
  words('XRANGE', key, '-', '+'),
  words('EXISTS', key, key),
  words('TYPE', key),
  words('DBSIZE'),
)
const other = fc.oneof(
  words('PING'),
  words('ECHO', key),
  words('SELECT', fc.constantFrom('0', 'x')),
  words('XLEN'),
  words('XGROUP', 'NOPE', key),
  words('RESET'),
)

const step: fc.Arbitrary<Step> = fc.record({
  connection: fc.nat(2),
  words: fc.oneof(
    { weight: 5, arbitrary: frame },
    { weight: 5, arbitrary: change },
    { weight: 2, arbitrary: read },
    { weight: 1, arbitrary: other },
  ),
})

export const transactionScripts = fc.array(step, { minLength: 20, maxLength: 80 })

/** What every client should end with: out of MULTI, and the state shown. */
export const ENDING: readonly Step[] = [
  ...[0, 1, 2].flatMap(connection => [
    { connection, words: ['EXEC'] },
    { connection, words: ['PING'] },
  ]),
  ...['s', 't', 'u'].map(name => ({ connection: 0, words: ['XRANGE', name, '-', '+'] })),
]
