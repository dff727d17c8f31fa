import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import { clampToSafe, parseInteger, parseTimeoutMs } from '../../../src/machine/integers.ts'

const parsed = (word: string) => parseInteger(Argv.of(word), 0)

test('integers are strict, signed and 64 bits wide', () => {
  assert.equal(parsed('0'), 0)
  assert.equal(parsed('-7'), -7)
  assert.equal(parsed('999999999999999'), 999999999999999)
  assert.equal(parsed('9007199254740991'), Number.MAX_SAFE_INTEGER)
  assert.equal(parsed('9007199254740992'), 9007199254740992n)
  assert.equal(parsed('9223372036854775807'), 2n ** 63n - 1n)
  assert.equal(parsed('-9223372036854775808'), -(2n ** 63n))
  for (const bad of [
    '',
    '-',
    '+1',
    '01',
    '-0',
    '-01',
    ' 1',
    '1 ',
    '1.0',
    '1e3',
    '0x1',
    '9223372036854775808',
    '-9223372036854775809',
    '9'.repeat(30),
  ])
    assert.equal(parsed(bad), null, bad)
})

test('a timeout is a whole number of milliseconds, not negative', () => {
  const timeout = (word: string) => {
    const value = parseTimeoutMs(Argv.of(word), 0)
    return typeof value === 'number' ? value : value.text
  }
  assert.equal(timeout('0'), 0)
  assert.equal(timeout('1500'), 1500)
  assert.equal(timeout('0.5'), 'ERR timeout is not an integer or out of range')
  assert.equal(timeout('-1'), 'ERR timeout is negative')
  assert.equal(timeout('9223372036854775807'), 'ERR timeout is out of range')
  assert.equal(clampToSafe(2n ** 60n), Number.MAX_SAFE_INTEGER)
  assert.equal(clampToSafe(-(2n ** 60n)), Number.MIN_SAFE_INTEGER)
})
