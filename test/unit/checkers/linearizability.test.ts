// The search for an order finds the one there is, and flags each history that has none.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkFamily, type Deed } from '../../checkers/linearizability.ts'
import { Model } from '../../checkers/plain-model.ts'
import type { Answer } from '../../checkers/plain-state.ts'

type Span = readonly [number, number]

function did(span: Span, command: string, answer: Answer): Deed {
  return together(span, [command], [answer])
}

/** Commands that took effect at once. */
function together(span: Span, commands: readonly string[], answers: readonly Answer[]): Deed {
  const [t0, t1] = span
  const words = commands.map(command => command.split(' '))
  return { process: 1, t0, t1, outcome: 'ok', commands: words, answers }
}

/** Nobody knows what became of it. */
function doubt(t0: number, command: string): Deed {
  return { ...did([t0, Infinity], command, null), outcome: 'info', answers: [] }
}

/** Surely not done. */
function failed(span: Span, command: string): Deed {
  return { ...did(span, command, null), outcome: 'fail', answers: [] }
}

function isLinear(deeds: readonly Deed[], slack = 0): boolean {
  const { name } = checkFamily(deeds, new Model(slack))
  assert.notEqual(name, 'undecided')
  return name === 'linear'
}

const PUSHED = did([0, 1], 'RPUSH q a', 1)

test('an element is popped once', () => {
  assert.ok(isLinear([PUSHED, did([2, 3], 'LPOP q', 'a'), did([4, 5], 'LPOP q', null)]))
  assert.ok(!isLinear([PUSHED, did([2, 3], 'LPOP q', 'a'), did([4, 5], 'RPOP q', 'a')]))
})

test('an element that was acknowledged is not lost', () => {
  assert.ok(!isLinear([PUSHED, did([2, 3], 'LRANGE q 0 -1', [])]))
  assert.ok(!isLinear([PUSHED, did([2, 3], 'BLPOP q r 1', null)]))
})

test('a pop of which nobody knows may have taken an element, and one only', () => {
  const two = did([0, 1], 'RPUSH q a b', 2)
  assert.ok(isLinear([two, doubt(2, 'LPOP q'), did([9, 10], 'LRANGE q 0 -1', ['b'])]))
  assert.ok(isLinear([two, doubt(2, 'LPOP q'), did([9, 10], 'LRANGE q 0 -1', ['a', 'b'])]))
  assert.ok(!isLinear([two, doubt(2, 'LPOP q'), did([9, 10], 'LRANGE q 0 -1', [])]))
  assert.ok(!isLinear([two, doubt(11, 'LPOP q'), did([9, 10], 'LRANGE q 0 -1', ['b'])]))
})

test('what surely failed left nothing', () => {
  assert.ok(!isLinear([failed([0, 1], 'RPUSH q a'), did([2, 3], 'LPOP q', 'a')]))
})

test('what was pushed first comes out first, unless both were on their way', () => {
  const popped = [did([8, 9], 'LPOP q', 'b'), did([10, 11], 'LPOP q', 'a')]
  assert.ok(!isLinear([PUSHED, did([2, 3], 'RPUSH q b', 2), ...popped]))
  assert.ok(isLinear([did([0, 3], 'RPUSH q a', 2), did([0, 3], 'RPUSH q b', 1), ...popped]))
})

test('a list that is moved around keeps its elements and their order', () => {
  const pushed = did([0, 1], 'RPUSH q a b c', 3)
  const moved = did([2, 3], 'LMOVE q q LEFT RIGHT', 'a')
  assert.ok(isLinear([pushed, moved, did([4, 5], 'LRANGE q 0 -1', ['b', 'c', 'a'])]))
  assert.ok(!isLinear([pushed, moved, did([4, 5], 'LRANGE q 0 -1', ['b', 'c'])]))
  assert.ok(!isLinear([pushed, moved, did([4, 5], 'LRANGE q 0 -1', ['c', 'b', 'a'])]))
})

test('several keys are looked through in their order', () => {
  const there = did([0, 1], 'RPUSH r a b', 2)
  assert.ok(isLinear([there, did([2, 3], 'BLMPOP 1 2 q r LEFT COUNT 5', ['r', ['a', 'b']])]))
  assert.ok(isLinear([there, did([2, 3], 'LMPOP 2 q r RIGHT', ['r', ['b']])]))
  assert.ok(!isLinear([there, PUSHED, did([2, 3], 'BLPOP q r 1', ['r', 'a'])]))
})

test('a member that was drawn by chance was there, and is gone', () => {
  const added = did([0, 1], 'SADD s x y', 2)
  assert.ok(isLinear([added, did([2, 3], 'SPOP s', 'y'), did([4, 5], 'SMEMBERS s', ['x'])]))
  assert.ok(!isLinear([added, did([2, 3], 'SPOP s', 'z')]))
  assert.ok(!isLinear([added, did([2, 3], 'SPOP s', 'y'), did([4, 5], 'SISMEMBER s y', 1)]))
  assert.ok(isLinear([added, doubt(2, 'SPOP s'), did([4, 5], 'SMEMBERS s', ['y'])]))
  assert.ok(!isLinear([added, doubt(2, 'SPOP s'), did([4, 5], 'SCARD s', 0)]))
})

test('no increment is lost or counted twice', () => {
  const counts = [did([0, 1], 'INCR n', 1), doubt(0, 'INCR n')]
  assert.ok(isLinear([...counts, did([2, 3], 'GET n', '2')]))
  assert.ok(isLinear([...counts, did([2, 3], 'GET n', '1')]))
  assert.ok(!isLinear([...counts, did([2, 3], 'GET n', '3')]))
  assert.ok(!isLinear([...counts, did([2, 3], 'INCR n', 1)]))
})

test('conditions of SET and SETNX hold', () => {
  const set = did([0, 1], 'SET k a', 'OK')
  assert.ok(isLinear([set, did([2, 3], 'SET k b NX', null), did([4, 5], 'GET k', 'a')]))
  assert.ok(!isLinear([set, did([2, 3], 'SET k b NX', 'OK')]))
  assert.ok(!isLinear([set, did([2, 3], 'SETNX k b', 1)]))
  assert.ok(isLinear([set, did([2, 3], 'SET k b XX GET', 'a'), did([4, 5], 'GETDEL k', 'b')]))
  assert.ok(!isLinear([set, did([2, 3], 'GETDEL k', 'a'), did([4, 5], 'GETDEL k', 'a')]))
})

test('a key dies at its time, as far as clocks agree', () => {
  const set = did([0, 1], 'SET k a PX 100', 'OK')
  assert.ok(isLinear([set, did([50, 51], 'GET k', 'a'), did([150, 151], 'GET k', null)]))
  assert.ok(!isLinear([set, did([50, 51], 'GET k', null)]))
  assert.ok(!isLinear([set, did([150, 151], 'GET k', 'a')]))
  assert.ok(isLinear([set, did([150, 151], 'GET k', 'a')], 60))
  assert.ok(isLinear([set, did([50, 51], 'GET k', null)], Infinity))
})

test('a key that was told to live does, whatever the clocks say', () => {
  const lives = [did([0, 1], 'SET k a PX 100', 'OK'), did([2, 3], 'PERSIST k', 1)]
  assert.ok(isLinear([...lives, did([500, 501], 'GET k', 'a')], Infinity))
  assert.ok(!isLinear([...lives, did([500, 501], 'GET k', null)], Infinity))
})

test('a transaction is seen as a whole or not at all', () => {
  const both = ['SET a 1', 'SET b 1']
  const set = together([0, 9], both, ['OK', 'OK'])
  assert.ok(isLinear([set, together([1, 2], ['GET a', 'GET b'], [null, null])]))
  assert.ok(isLinear([set, together([1, 2], ['GET a', 'GET b'], ['1', '1'])]))
  assert.ok(!isLinear([set, together([1, 2], ['GET a', 'GET b'], ['1', null])]))
})

test('who set what it had watched lost nobody else’s change', () => {
  const bid = (span: Span, found: Answer, next: string): Deed =>
    together(span, ['GET k', `SET k ${next}`], [found, 'OK'])
  assert.ok(isLinear([bid([0, 9], null, '1'), bid([0, 9], '1', '2')]))
  assert.ok(!isLinear([bid([0, 9], null, '1'), bid([0, 9], null, '1')]))
})

test('a history that is too hard is given up', () => {
  const pushes = Array.from({ length: 12 }, (_, i) => doubt(0, `RPUSH q ${i}`))
  const history = [...pushes, did([5, 6], 'LLEN q', 99)]
  assert.equal(checkFamily(history, new Model(0)).name, 'undecided')
})
