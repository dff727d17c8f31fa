import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import {
  clampToSafe,
  parseInteger,
  parseTimeoutMs,
  parseTimeoutSeconds,
} from '../../../src/machine/integers.ts'

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

test('timeouts in seconds are numbers of C, rounded up to milliseconds', () => {
  const timeout = (word: string) => parseTimeoutSeconds(Argv.of(word), 0)
  const good: readonly (readonly [string, number])[] = [
    ['0', 0],
    ['-0', 0],
    ['1', 1000],
    ['.5', 500],
    ['5.', 5000],
    ['+1.25', 1250],
    ['1.001', 1001],
    ['4.35', 4350],
    ['0.0001', 1],
    ['1e-400', 1],
    ['0e9999', 0],
    ['1E2', 100_000],
    ['0x10', 16_000],
    ['0X.8p-1', 250],
    ['-0.0001', 0],
    ['9223372036000', 9_223_372_036_000_000],
  ]
  for (const [word, ms] of good) assert.equal(timeout(word), ms, word)
  const error = (text: string) => ({ kind: 'error', text: `ERR timeout is ${text}` })
  const words = [
    '',
    ' 1',
    '1 ',
    'abc',
    '1e',
    'e1',
    '.',
    '1.2.3',
    '0x',
    '0xg',
    'nan',
    '1e5000',
    '--1',
  ]
  for (const word of [...words, '1'.repeat(1000)])
    assert.deepEqual(timeout(word), error('not a float or out of range'), word)
  for (const word of ['inf', '+Infinity', '1e300', '1e400', '1e17', '0x1p200'])
    assert.deepEqual(timeout(word), error('out of range'), word)
  for (const word of ['-1', '-inf', '-0.5', '-1e300', '-0x1'])
    assert.deepEqual(timeout(word), error('negative'), word)
})
