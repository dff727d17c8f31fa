import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Runner } from '../run.ts'

const BAD_ID = '!ERR Invalid stream ID specified as stream command argument'
const SYNTAX = '!ERR syntax error'
const NOT_INTEGER = '!ERR value is not an integer or out of range'
const NOT_ABOVE =
  '!ERR The ID specified in XADD is equal or smaller than the target stream top item'
const ARITY = "!ERR wrong number of arguments for 'xadd' command"
const MAX = '18446744073709551615'

test('XADD makes IDs of the clock that never go back', () => {
  const r = new Runner()
  assert.equal(r.run('XADD', 'k', '*', 'f', 'v'), '1000-0')
  assert.equal(r.run('XADD', 'k', '*', 'f', 'v'), '1000-1')
  r.now = 500
  assert.equal(r.run('XADD', 'k', '*', 'f', 'v'), '1000-2')
  r.now = 2000
  assert.equal(r.run('XADD', 'k', '*', 'f', 'v'), '2000-0')
  assert.equal(r.run('XADD', 'k', '2000-*', 'f', 'v'), '2000-1')
  assert.equal(r.run('XADD', 'k', '2001-*', 'f', 'v'), '2001-0')
  assert.equal(r.run('XADD', 'k', '2000-*', 'f', 'v'), NOT_ABOVE)
  assert.equal(r.run('XADD', 'z', '0-*', 'f', 'v'), '0-1')
  assert.equal(r.run('XADD', 'k', `3000-${MAX}`, 'f', 'v'), `3000-${MAX}`)
  assert.equal(r.run('XADD', 'k', '3000-*', 'f', 'v'), NOT_ABOVE)
  assert.equal(r.run('XADD', 'k', '*', 'f', 'v'), '3001-0')
  assert.equal(r.run('XADD', 'k', `${MAX}-${MAX}`, 'f', 'v'), `${MAX}-${MAX}`)
  assert.equal(
    r.run('XADD', 'k', '*', 'f', 'v'),
    '!ERR The stream has exhausted the last possible ID, unable to add more items',
  )
})

test('XADD reads IDs as leniently as Redis and no more', () => {
  const r = new Runner()
  assert.equal(r.run('XADD', 'a', ' +07-01', 'f', 'v'), '7-1')
  assert.equal(r.run('XADD', 'b', '7- -1', 'f', 'v'), `7-${MAX}`)
  assert.equal(r.run('XADD', 'c', '7--9223372036854775809', 'f', 'v'), '7-9223372036854775807')
  assert.equal(r.run('XADD', 'd', '7', 'f', 'v'), '7-0')
  for (const bad of [
    '6-',
    '7--1',
    '-5',
    '0x7',
    '7 ',
    '7-1 ',
    '',
    '-',
    '+',
    '7-1-1',
    '18446744073709551616',
    '7--9223372036854775808',
    `${'0'.repeat(128)}`,
    '-*',
    'x-*',
  ])
    assert.equal(r.run('XADD', 'e', bad, 'f', 'v'), BAD_ID, bad)
  assert.equal(r.run('EXISTS', 'e'), 0)
})

test('XADD checks its options in the order of Redis', () => {
  const r = new Runner()
  const both = '!ERR syntax error, MAXLEN and MINID options at the same time are not compatible'
  assert.equal(r.run('XADD', 'k', '*', 'f'), ARITY)
  assert.equal(r.run('XADD', 'k', '*', 'f', 'v', 'g'), ARITY)
  assert.equal(r.run('XADD', 'k', 'MAXLEN', '5', '*', 'f'), ARITY)
  assert.equal(r.run('XADD', 'k', 'NOMKSTREAM', 'NOMKSTREAM', 'NOMKSTREAM', 'NOMKSTREAM'), ARITY)
  assert.equal(r.run('XADD', 'k', 'MAXLEN', '5', 'MINID', '5', '*', 'f', 'v'), both)
  assert.equal(r.run('XADD', 'k', 'MAXLEN', '5', 'MAXLEN', '5', '*', 'f', 'v'), both)
  assert.equal(r.run('XADD', 'k', 'MAXLEN', 'x', '*', 'f', 'v'), NOT_INTEGER)
  assert.equal(
    r.run('XADD', 'k', 'MAXLEN', '~', '-1', '*', 'f', 'v'),
    '!ERR The MAXLEN argument must be >= 0.',
  )
  assert.equal(r.run('XADD', 'k', 'MINID', '=', '-', '*', 'f', 'v'), BAD_ID)
  assert.equal(
    r.run('XADD', 'k', 'LIMIT', '-1', '*', 'f', 'v'),
    '!ERR The LIMIT argument must be >= 0.',
  )
  assert.equal(
    r.run('XADD', 'k', 'LIMIT', '1', '*', 'f', 'v'),
    '!ERR syntax error, LIMIT cannot be used without specifying a trimming strategy',
  )
  assert.equal(
    r.run('XADD', 'k', 'MAXLEN', '1', 'LIMIT', '1', '*', 'f', 'v'),
    '!ERR syntax error, LIMIT cannot be used without the special ~ option',
  )
  assert.equal(r.run('XADD', 'k', 'WHATEVER', '*', 'f', 'v'), BAD_ID)
  assert.equal(
    r.run('XADD', 'k', '0-0', 'f', 'v'),
    '!ERR The ID specified in XADD must be greater than 0-0',
  )
  assert.equal(r.run('EXISTS', 'k'), 0)
  assert.equal(r.run('XADD', 'k', 'nomkstream', '*', 'f', 'v'), null)
  assert.equal(r.run('XADD', 'k', '5-5', 'f', 'v'), '5-5')
  assert.equal(r.run('XADD', 'k', '5-5', 'f', 'v'), NOT_ABOVE)
  assert.equal(r.run('XADD', 'k', 'NoMkStream', 'maxlen', '=', '1', '6-1', 'f', 'v'), '6-1')
  assert.equal(r.run('XLEN', 'k'), 1)
  assert.equal(r.run('XADD', 'k', 'MAXLEN', '0', '*', 'f', 'v'), '1000-0')
  assert.equal(r.run('XLEN', 'k'), 0)
  assert.equal(r.run('TYPE', 'k'), '+stream')
  assert.equal(r.run('XADD', 'k', '1000-0', 'f', 'v'), NOT_ABOVE)
})

test('XADD trims after it added, roughly by blocks of 100', () => {
  const r = new Runner()
  for (let i = 1; i <= 250; i += 1) r.run('XADD', 'k', `${i}-1`, 'f', 'v')
  r.run('XADD', 'k', 'MAXLEN', '~', '60', '*', 'f', 'v')
  assert.equal(r.run('XLEN', 'k'), 151)
  r.run('XADD', 'k', 'MINID', '250', '*', 'f', 'v')
  assert.deepEqual(r.run('XRANGE', 'k', '-', '+', 'COUNT', '1'), [['250-1', ['f', 'v']]])
})

test('XRANGE and XREVRANGE give what is between, with open ends and bounds left out', () => {
  const r = new Runner()
  for (const id of ['1-1', '1-2', '2-0', '3-5']) r.run('XADD', 'k', id, 'id', id, 'id', id)
  const ids = (...words: string[]) => (r.run(...words) as [string, string[]][]).map(e => e[0])
  assert.deepEqual(r.run('XRANGE', 'k', '3', '+'), [['3-5', ['id', '3-5', 'id', '3-5']]])
  assert.deepEqual(ids('XRANGE', 'k', '-', '+'), ['1-1', '1-2', '2-0', '3-5'])
  assert.deepEqual(ids('XREVRANGE', 'k', '+', '-'), ['3-5', '2-0', '1-2', '1-1'])
  assert.deepEqual(ids('XRANGE', 'k', '1', '1'), ['1-1', '1-2'])
  assert.deepEqual(ids('XRANGE', 'k', '(1-1', '(3-5'), ['1-2', '2-0'])
  assert.deepEqual(ids('XREVRANGE', 'k', '(3-5', '(1-1', 'COUNT', '1'), ['2-0'])
  assert.deepEqual(ids('XRANGE', 'k', '+', '-'), [])
  assert.deepEqual(r.run('XRANGE', 'none', '-', '+', 'COUNT', '0'), [])
  assert.equal(r.run('XRANGE', 'k', '-', '+', 'COUNT', '0'), 'null-array')
  assert.equal(r.run('XRANGE', 'k', '-', '+', 'COUNT', '-5'), 'null-array')
  assert.equal(r.run('XRANGE', 'k', '-', '+', 'COUNT'), SYNTAX)
  assert.equal(r.run('XRANGE', 'k', '-', '+', 'COUNT', 'x'), NOT_INTEGER)
  assert.equal(r.run('XRANGE', 'k', '(-', '+'), BAD_ID)
  assert.equal(r.run('XRANGE', 'k', '-', '(+'), BAD_ID)
  assert.equal(r.run('XRANGE', 'none', 'x', '+'), BAD_ID)
  assert.equal(
    r.run('XRANGE', 'k', `(${MAX}-${MAX}`, '+'),
    '!ERR invalid start ID for the interval',
  )
  assert.equal(r.run('XRANGE', 'k', '-', '(0-0'), '!ERR invalid end ID for the interval')
})

test('XREAD gives what is new of each stream, or nothing, or waits', () => {
  const r = new Runner()
  r.run('XADD', 'a', '1-1', 'f', '1')
  r.run('XADD', 'a', '1-2', 'f', '2')
  r.run('XADD', 'b', '5-0', 'f', '3')
  assert.deepEqual(r.run('XREAD', 'STREAMS', 'a', 'none', 'b', '1-1', '0', '4'), [
    'a',
    [['1-2', ['f', '2']]],
    'b',
    [['5-0', ['f', '3']]],
  ])
  assert.deepEqual(r.run('XREAD', 'COUNT', '1', 'STREAMS', 'a', '0'), ['a', [['1-1', ['f', '1']]]])
  assert.deepEqual((r.run('XREAD', 'COUNT', '0', 'STREAMS', 'a', '0') as unknown[][])[1]?.length, 2)
  assert.deepEqual(r.run('XREAD', 'STREAMS', 'a', '+'), ['a', [['1-2', ['f', '2']]]])
  assert.equal(r.run('XREAD', 'STREAMS', 'a', '$'), 'null-array')
  assert.equal(r.run('XREAD', 'STREAMS', 'a', `${MAX}-${MAX}`), 'null-array')
  assert.equal(r.run('XREAD', 'BLOCK', '50', 'STREAMS', 'a', 'b', '$', '$'), 'wait 50 a,b')
  assert.equal(r.run('XREAD', 'BLOCK', '0', 'STREAMS', 'none', '+'), 'wait 0 none')
})

test('XREAD says what is wrong in the words of Redis', () => {
  const r = new Runner()
  const unbalanced =
    "!ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified."
  const only = (word: string) =>
    `!ERR The ${word} option is only supported by XREADGROUP. You called XREAD instead.`
  assert.equal(r.run('XREAD', 'STREAMS', 'a', 'b', '0'), unbalanced)
  assert.equal(r.run('XREAD', 'GROUP', 'g', 'c', 'STREAMS', 'a', '0'), only('GROUP'))
  assert.equal(r.run('XREAD', 'NOACK', 'STREAMS', 'a', '0'), only('NOACK'))
  assert.equal(r.run('XREAD', 'CLAIM', '5', 'STREAMS', 'a', '0'), only('CLAIM'))
  assert.equal(r.run('XREAD', 'COUNT', '5', 'x', 'y'), SYNTAX)
  assert.equal(r.run('XREAD', 'COUNT', '5', 'COUNT', '5'), SYNTAX)
  assert.equal(r.run('XREAD', 'COUNT', 'x', 'STREAMS', 'a', '0'), NOT_INTEGER)
  assert.equal(r.run('XREAD', 'STREAMS', 'a', 'x'), BAD_ID)
  r.run('SET', 'text', 'v')
  const wrongType = '!WRONGTYPE Operation against a key holding the wrong kind of value'
  assert.equal(r.run('XREAD', 'STREAMS', 'text', 'a', 'x', '0'), wrongType)
  assert.equal(r.run('XREAD', 'STREAMS', 'none', 'text', 'x', '0'), BAD_ID, 'pair by pair')
  assert.equal(
    r.run('XREAD', 'STREAMS', 'a', '>'),
    '!ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
  )
  assert.equal(
    r.run('XREAD', 'BLOCK', '1.5', 'STREAMS', 'a', '0'),
    '!ERR timeout is not an integer or out of range',
  )
  assert.equal(r.run('XREAD', 'BLOCK', '-1', 'STREAMS', 'a', '0'), '!ERR timeout is negative')
})

test('XDEL removes, remembers the highest ID, and answers a missing key before a bad ID', () => {
  const r = new Runner()
  for (const id of ['1-1', '2-1', '3-1']) r.run('XADD', 'k', id, 'f', 'v')
  assert.equal(r.run('XDEL', 'k', '1-1', 'x'), BAD_ID)
  assert.equal(r.run('XLEN', 'k'), 3)
  assert.equal(r.run('XDEL', 'k', '2-1', '9-9', '2-1', '1-1'), 2)
  assert.equal(r.run('XDEL', 'none', 'x'), 0)
  assert.equal(
    r.run('XSETID', 'k', '2-0'),
    '!ERR The ID specified in XSETID is smaller than current max_deleted_entry_id',
  )
  assert.equal(r.run('XDEL', 'k', '3-1'), 1)
  assert.equal(r.run('EXISTS', 'k'), 1)
})

test('XTRIM counts what it removed and wants a strategy', () => {
  const r = new Runner()
  for (let i = 1; i <= 250; i += 1) r.run('XADD', 'k', `${i}-1`, 'f', 'v')
  assert.equal(r.run('XTRIM', 'k', 'MAXLEN', '~', '120'), 100)
  assert.equal(r.run('XTRIM', 'k', 'MAXLEN', '~', '0', 'LIMIT', '10'), 0)
  assert.equal(r.run('XTRIM', 'k', 'MAXLEN', '120'), 30)
  assert.equal(r.run('XTRIM', 'k', 'MINID', '141'), 10)
  assert.equal(r.run('XTRIM', 'none', 'MAXLEN', '1'), 0)
  assert.equal(
    r.run('XTRIM', 'k', 'LIMIT', '0'),
    '!ERR syntax error, XTRIM must be called with a trimming strategy',
  )
  assert.equal(r.run('XTRIM', 'k', 'MAXLEN', '1', 'x'), SYNTAX)
  assert.equal(r.run('XTRIM', 'none', 'NOMKSTREAM', '5'), SYNTAX)
})

test('XSETID moves what a stream says of itself within what its entries allow', () => {
  const r = new Runner()
  const fault = (text: string) => `!ERR ${text}`
  assert.equal(r.run('XSETID', 'k', '5'), '!ERR no such key')
  assert.equal(r.run('XSETID', 'k', 'x'), BAD_ID)
  r.run('XADD', 'k', '5-1', 'f', 'v')
  assert.equal(
    r.run('XSETID', 'k', '5-0'),
    fault('The ID specified in XSETID is smaller than the target stream top item'),
  )
  assert.equal(
    r.run('XSETID', 'k', '9', 'ENTRIESADDED', '-1'),
    fault('entries_added must be positive'),
  )
  assert.equal(r.run('XSETID', 'k', '9', 'ENTRIESADDED', 'x'), NOT_INTEGER)
  assert.equal(
    r.run('XSETID', 'k', '9', 'ENTRIESADDED', '0'),
    fault('The entries_added specified in XSETID is smaller than the target stream length'),
  )
  assert.equal(
    r.run('XSETID', 'k', '9', 'MAXDELETEDID', '10'),
    fault('The ID specified in XSETID is smaller than the provided max_deleted_entry_id'),
  )
  assert.equal(r.run('XSETID', 'k', '9', 'MAXDELETEDID'), SYNTAX)
  assert.equal(r.run('XSETID', 'k', '9', 'ENTRIESADDED', '7', 'MAXDELETEDID', '8'), '+OK')
  assert.equal(r.run('XADD', 'k', '9-0', 'f', 'v'), NOT_ABOVE)
  assert.equal(
    r.run('XSETID', 'k', '7'),
    fault('The ID specified in XSETID is smaller than current max_deleted_entry_id'),
  )
})
