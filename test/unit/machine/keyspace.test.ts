import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keyspace } from '../../../src/machine/keyspace.ts'
import { Stream } from '../../../src/machine/types/stream.ts'
import type { Value } from '../../../src/machine/types/value.ts'

/** A value of another type than a stream. */
function other(): Value {
  return { type: 'list', memoryBytes: () => 0, cut: () => ({ write: () => true }) }
}

test('a value is given where its type is asked for, and told apart elsewhere', () => {
  const keyspace = new Keyspace()
  const stream = new Stream()
  const list = other()
  keyspace.put('s', stream)
  keyspace.put('l', list)
  assert.equal(keyspace.stream('s'), stream)
  assert.equal(keyspace.stream('l'), 'wrong-type')
  assert.equal(keyspace.list('l'), list)
  assert.equal(keyspace.list('s'), 'wrong-type')
  assert.equal(keyspace.set('l'), 'wrong-type')
  assert.equal(keyspace.text('none'), null)
  assert.equal(keyspace.value('l'), list)
  assert.equal(keyspace.typeOf('l'), 'list')
  assert.equal(keyspace.typeOf('none'), null)
})

test('a replaced value keeps its place, and ends the waits on its key if the type is another', () => {
  const keyspace = new Keyspace()
  keyspace.put('a', new Stream())
  keyspace.put('b', new Stream())
  keyspace.replace('a', new Stream())
  assert.deepEqual(keyspace.takeReady(), [])
  keyspace.replace('a', other())
  keyspace.replace('c', other())
  assert.deepEqual(keyspace.takeReady(), ['a'])
  const order: string[] = []
  keyspace.scan(0, 10, key => order.push(key))
  assert.deepEqual(order, ['a', 'b', 'c'])
})

test('whoever reaches for a value tells the guards before it can change', () => {
  const keyspace = new Keyspace()
  keyspace.put('a', new Stream())
  const told: [string, string][] = []
  keyspace.guard({ beforeChange: ({ key, value }) => told.push([key, value.type]) })
  keyspace.stream('a')
  keyspace.list('a')
  keyspace.value('a')
  keyspace.replace('a', other())
  assert.deepEqual(
    told,
    Array.from({ length: 4 }, () => ['a', 'stream']),
  )
  keyspace.typeOf('a')
  assert.equal(told.length, 4)
})
