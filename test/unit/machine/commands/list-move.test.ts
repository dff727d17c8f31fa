import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Runner } from '../run.ts'

/** `from to order` to the reply and the destination, of two elements from [a,b,c,d] to [x,y]. */
const MOVES: readonly (readonly [string, string, string])[] = [
  ['LEFT LEFT OBO', 'b a', 'b a x y'],
  ['LEFT LEFT BULK', 'a b', 'a b x y'],
  ['LEFT RIGHT OBO', 'a b', 'x y a b'],
  ['LEFT RIGHT BULK', 'a b', 'x y a b'],
  ['RIGHT LEFT OBO', 'c d', 'c d x y'],
  ['RIGHT LEFT BULK', 'c d', 'c d x y'],
  ['RIGHT RIGHT OBO', 'd c', 'x y d c'],
  ['RIGHT RIGHT BULK', 'c d', 'x y c d'],
]

test('LMOVEM answers what moved as it lies then, one by one or as it lay', () => {
  for (const [words, reply, lies] of MOVES) {
    const [from = '', to = '', order = ''] = words.split(' ')
    for (const selector of ['COUNT', 'EXACTLY', 'count']) {
      const r = new Runner()
      r.run('RPUSH', 'l', 'a', 'b', 'c', 'd')
      r.run('RPUSH', 'm', 'x', 'y')
      assert.deepEqual(r.run('LMOVEM', 'l', 'm', from, to, selector, 2, order), reply.split(' '))
      assert.deepEqual(r.run('LRANGE', 'm', 0, -1), lies.split(' '), words)
      assert.deepEqual(
        r.run('LRANGE', 'l', 0, -1),
        from === 'LEFT' ? ['c', 'd'] : ['a', 'b'],
        words,
      )
    }
  }
})

test('LMOVEM moves one where nothing is said, as many as there are, or nothing if they are too few', () => {
  const r = new Runner()
  r.run('RPUSH', 'l', 1, 2, 3, 4)
  assert.deepEqual(r.run('LMOVEM', 'l', 'm', 'LEFT', 'RIGHT'), ['1'])
  assert.equal(r.run('LMOVEM', 'l', 'm', 'LEFT', 'RIGHT', 'EXACTLY', 4, 'BULK'), 'null-array')
  assert.equal(r.run('LMOVEM', 'none', 'm', 'LEFT', 'RIGHT'), 'null-array')
  assert.deepEqual(r.run('LRANGE', 'm', 0, -1), ['1'])
  assert.deepEqual(r.run('LMOVEM', 'l', 'm', 'LEFT', 'RIGHT', 'COUNT', 9, 'BULK'), ['2', '3', '4'])
  assert.equal(r.run('EXISTS', 'l'), 0)
  assert.deepEqual(r.run('LRANGE', 'm', 0, -1), ['1', '2', '3', '4'])
})

test('LMOVEM on one list turns it around', () => {
  const r = new Runner()
  r.run('RPUSH', 'l', 1, 2, 3, 4)
  r.run('LMOVEM', 'l', 'l', 'LEFT', 'RIGHT', 'COUNT', 2, 'BULK')
  assert.deepEqual(r.run('LRANGE', 'l', 0, -1), ['3', '4', '1', '2'])
  r.run('LMOVEM', 'l', 'l', 'LEFT', 'LEFT', 'COUNT', 2, 'OBO')
  assert.deepEqual(r.run('LRANGE', 'l', 0, -1), ['4', '3', '1', '2'])
  r.run('LMOVEM', 'l', 'l', 'RIGHT', 'LEFT', 'EXACTLY', 4, 'OBO')
  assert.deepEqual(r.run('LRANGE', 'l', 0, -1), ['4', '3', '1', '2'])
})

test('LMOVEM finds all that is wrong before anything moves', () => {
  const r = new Runner()
  r.run('RPUSH', 'l', 'a')
  r.run('XADD', 's', '1-1', 'f', 'v')
  const wrong = '!WRONGTYPE Operation against a key holding the wrong kind of value'
  const syntax = '!ERR syntax error'
  const count = '!ERR count should be greater than 0'
  const tries: readonly (readonly [string, string])[] = [
    ['s l LEFT LEFT', wrong],
    ['l s LEFT LEFT', wrong],
    ['l s LEFT LEFT EXACTLY 2 OBO', 'null-array'],
    ['none s LEFT LEFT', 'null-array'],
    ['l m UP LEFT', syntax],
    ['l m LEFT DOWN', syntax],
    ['l m LEFT LEFT COUNT', syntax],
    ['l m LEFT LEFT COUNT 1', syntax],
    ['l m LEFT LEFT COUNT 1 SOME', syntax],
    ['l m LEFT LEFT SOME 1 OBO', syntax],
    ['l m LEFT LEFT COUNT 1 OBO BULK', syntax],
    ['l m LEFT LEFT COUNT 0 OBO', count],
    ['l m LEFT LEFT EXACTLY -1 OBO', count],
    ['l m LEFT LEFT COUNT abc OBO', count],
  ]
  for (const [words, reply] of tries) {
    assert.equal(r.run('LMOVEM', ...words.split(' ')), reply, words)
    if (reply !== 'null-array') {
      const [source = '', destination = '', from = '', to = '', ...rest] = words.split(' ')
      const waiting = ['BLMOVEM', source, destination, from, to, '0', ...rest]
      assert.equal(r.run(...waiting), reply, waiting.join(' '))
    }
  }
  assert.deepEqual(r.run('LRANGE', 'l', 0, -1), ['a'])
  assert.equal(r.run('EXISTS', 'm'), 0)
})

test('BLMOVEM waits for one element, or for exactly as many as it wants', () => {
  const r = new Runner()
  assert.equal(r.run('BLMOVEM', 'l', 'm', 'LEFT', 'RIGHT', '1.5'), 'wait 1500 l')
  r.run('RPUSH', 'l', 'a')
  const exactly = ['BLMOVEM', 'l', 'm', 'LEFT', 'RIGHT', '0', 'EXACTLY', '2', 'BULK']
  assert.equal(r.run(...exactly), 'wait 0 l')
  r.run('LINSERT', 'l', 'BEFORE', 'a', 'b')
  assert.deepEqual(r.machine.takeReadyKeys(), ['l'])
  assert.deepEqual(r.run(...exactly), ['b', 'a'])
  assert.equal(r.run('BLMOVEM', 'l', 'm', 'LEFT', 'RIGHT', '-1'), '!ERR timeout is negative')
})
