import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import { readTransaction, writeTransaction } from '../../../src/base/transaction.ts'

test('a transaction tells what was watched and where its commands stand', () => {
  const commands = Argv.of('PING').buffer
  const watches = [
    { key: '', index: 0, existed: false },
    { key: 'b\xff\0', index: 2 ** 40 + 1, existed: true },
  ]
  const bytes = writeTransaction(watches, 1, commands)
  const payload = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('behind')])
  const read = readTransaction(payload, 6)
  assert.deepEqual(read.watches, watches)
  assert.equal(read.count, 1)
  assert.deepEqual(payload.subarray(read.start, read.end), commands)
})

test('a transaction of another version, or one that is cut off, is refused', () => {
  const bytes = writeTransaction([], 1, Argv.of('PING').buffer)
  assert.throws(() => readTransaction(bytes.subarray(0, bytes.length - 1), 0), /is whole/)
  bytes[1] = 2
  assert.throws(() => readTransaction(bytes, 0), /transaction version 2 is unknown/)
})
