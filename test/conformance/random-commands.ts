// Random commands on few streams, groups, consumers and IDs, so that they meet.

import fc from 'fast-check'

type Words = readonly string[]

const keys = fc.constantFrom('s', 't')
const groups = fc.constantFrom('g', 'h')
const CONSUMERS = ['alice', 'bob', '']
const consumers = fc.constantFrom(...CONSUMERS)
const small = fc.integer({ min: 0, max: 3 })

const id = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.tuple(fc.integer({ min: 0, max: 9 }), small).map(([ms, seq]) => `${ms}-${seq}`),
  },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 9 }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('18446744073709551615-18446744073709551614', '9007199254740993-1'),
  },
  { weight: 1, arbitrary: fc.constantFrom('abc', '-', '1-', '-1', '01-02') },
)
const ids = fc.array(id, { minLength: 1, maxLength: 3 })
const start = fc.oneof(
  fc.constant('-'),
  id,
  id.map(text => `(${text}`),
)
const end = fc.oneof(
  fc.constant('+'),
  id,
  id.map(text => `(${text}`),
)
const count = fc.constantFrom('0', '1', '2', '10', '-1')
/** Nothing or everything is idle enough, whatever the clocks say. */
const minIdle = fc.constantFrom('0', '1000000000', '-1')

export function maybe(...words: readonly (string | fc.Arbitrary<string>)[]): fc.Arbitrary<Words> {
  const all = fc.tuple(...words.map(word => (typeof word === 'string' ? fc.constant(word) : word)))
  return fc.oneof(fc.constant<Words>([]), all)
}

/** A command of fixed words, single arbitrary words and lists of words. */
export function command(
  ...parts: readonly (string | fc.Arbitrary<string | Words>)[]
): fc.Arbitrary<Words> {
  return fc
    .tuple(...parts.map(part => (typeof part === 'string' ? fc.constant(part) : part)))
    .map(words => words.flat())
}

const trim = fc.oneof(maybe('MAXLEN', count), maybe('MAXLEN', '~', count), maybe('MINID', '=', id))
const rising = fc.oneof(
  id,
  fc.integer({ min: 0, max: 9 }).map(ms => `${ms}-*`),
)
const add = command('XADD', keys, maybe('NOMKSTREAM'), rising, 'f', small.map(String))
const setup = fc.oneof(
  { weight: 8, arbitrary: add },
  {
    weight: 4,
    arbitrary: command(
      'XGROUP',
      'CREATE',
      keys,
      groups,
      fc.oneof(id, fc.constant('$')),
      maybe('MKSTREAM'),
    ),
  },
  {
    weight: 1,
    arbitrary: command('XGROUP', 'SETID', keys, groups, fc.oneof(id, fc.constant('$'), start)),
  },
  { weight: 1, arbitrary: command('XGROUP', 'DESTROY', keys, groups) },
  { weight: 1, arbitrary: command('XGROUP', 'CREATECONSUMER', keys, groups, consumers) },
  { weight: 1, arbitrary: command('XGROUP', 'DELCONSUMER', keys, groups, consumers) },
)
const read = fc.oneof(
  {
    weight: 6,
    arbitrary: command(
      'XREADGROUP',
      'GROUP',
      groups,
      consumers,
      maybe('COUNT', count),
      maybe('NOACK'),
      'STREAMS',
      keys,
      fc.constantFrom('>', '>', '>', '0', '1-1', '3'),
    ),
  },
  {
    weight: 1,
    arbitrary: command(
      'XREADGROUP',
      'GROUP',
      groups,
      consumers,
      'STREAMS',
      's',
      't',
      fc.constantFrom('>', '0'),
      fc.oneof(fc.constant('>'), id),
    ),
  },
  { weight: 1, arbitrary: command('XREAD', maybe('COUNT', count), 'STREAMS', keys, id) },
  { weight: 1, arbitrary: command('XRANGE', keys, start, end, maybe('COUNT', count)) },
  { weight: 1, arbitrary: command('XREVRANGE', keys, end, start, maybe('COUNT', count)) },
  { weight: 1, arbitrary: command('XLEN', keys) },
)
const claimOptions = fc.oneof(
  maybe('JUSTID'),
  maybe('FORCE'),
  maybe('FORCE', 'JUSTID'),
  maybe('IDLE', fc.constantFrom('0', '2000000000', '-5')),
  maybe('TIME', fc.constantFrom('1', '99999999999999', '-1'), 'RETRYCOUNT', count),
  maybe('LASTID', id),
)
const pending = fc.oneof(
  { weight: 3, arbitrary: command('XACK', keys, groups, ids) },
  { weight: 2, arbitrary: command('XCLAIM', keys, groups, consumers, minIdle, ids, claimOptions) },
  {
    weight: 2,
    arbitrary: command(
      'XAUTOCLAIM',
      keys,
      groups,
      consumers,
      minIdle,
      start,
      maybe('COUNT', count),
      maybe('JUSTID'),
    ),
  },
  { weight: 2, arbitrary: command('XPENDING', keys, groups) },
  {
    weight: 2,
    arbitrary: command(
      'XPENDING',
      keys,
      groups,
      maybe('IDLE', minIdle),
      start,
      end,
      count,
      maybe(consumers),
    ),
  },
)
const info = fc.oneof(
  command('XINFO', 'GROUPS', keys),
  command('XINFO', 'CONSUMERS', keys, groups),
  command('XINFO', 'STREAM', keys),
  command('XINFO', 'STREAM', keys, 'FULL', maybe('COUNT', count)),
)
const removal = fc.oneof(
  { weight: 3, arbitrary: command('XDEL', keys, ids) },
  { weight: 2, arbitrary: command('XADD', keys, trim, id, 'f', 'v') },
  {
    weight: 2,
    arbitrary: command('XTRIM', keys, fc.constantFrom('MAXLEN', 'MINID'), small.map(String)),
  },
  // No XSETID: 7.0 lets it go below the highest ID that was deleted.
  { weight: 1, arbitrary: command('DEL', keys) },
)

/** Streams that only grow. */
export const growing = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: setup },
    { weight: 4, arbitrary: read },
    { weight: 3, arbitrary: pending },
    { weight: 1, arbitrary: info },
  ),
  { minLength: 20, maxLength: 60 },
)

/** Streams that also lose entries. */
export const changing = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: setup },
    { weight: 4, arbitrary: read },
    { weight: 3, arbitrary: pending },
    { weight: 2, arbitrary: removal },
    { weight: 1, arbitrary: info },
  ),
  { minLength: 20, maxLength: 60 },
)

/**
 * The commands, with all consumers made wherever they may be missing: 7.0 makes them
 * only when something is delivered or claimed, later versions at once.
 */
export function withConsumers(commands: readonly Words[]): Words[] {
  return commands.flatMap(words => {
    const [name, sub, key = '', group = ''] = words
    if (name !== 'XGROUP' || (sub !== 'CREATE' && sub !== 'DELCONSUMER')) return [words]
    const made = CONSUMERS.map(consumer => ['XGROUP', 'CREATECONSUMER', key, group, consumer])
    return [words, ...made]
  })
}
