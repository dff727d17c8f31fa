import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  addLongDoubles,
  type LongDouble,
  parseLongDouble,
  printLongDouble,
} from '../../../../src/machine/types/long-double.ts'

function parsed(text: string): LongDouble {
  const value = parseLongDouble(text)
  assert.ok(value !== null && value !== 'infinite', text)
  return value
}

test('whole numbers of 64 bits are exact', () => {
  fc.assert(
    fc.property(fc.bigInt(-(1n << 63n), (1n << 63n) - 1n), value => {
      assert.equal(printLongDouble(parsed(value.toString())), value.toString())
    }),
    { seed: 4 },
  )
})

test('a mantissa has 64 bits, rounded to nearest and ties to even', () => {
  const two64 = 1n << 64n
  assert.equal(printLongDouble(parsed(`${two64 + 1n}`)), `${two64}`)
  assert.equal(printLongDouble(parsed(`${two64 + 3n}`)), `${two64 + 4n}`)
  assert.equal(printLongDouble(parsed(`${two64 - 1n}`)), `${two64 - 1n}`)
  assert.equal(printLongDouble(parsed(`${two64 - 1n}.5`)), `${two64}`)
  assert.equal(printLongDouble(parsed('0.1')), '0.1')
  const sum = addLongDoubles(parsed('3000'), parsed('0.1'))
  assert.equal(sum === 'infinite' ? sum : printLongDouble(sum), '3000.10000000000000009')
})

test('what lies out of range is no number, and a sum out of range infinite', () => {
  for (const text of [
    '1e4933',
    '-1e99999999999',
    '1e-5000',
    '0x1p16384',
    '',
    '.',
    '1e',
    '0x',
    ' 1',
  ])
    assert.equal(parseLongDouble(text), null, text)
  assert.equal(parseLongDouble('-inf'), 'infinite')
  assert.deepEqual(parseLongDouble('0e99999999999'), { mantissa: 0n, exponent: 0 })
  const large = parsed('1.1e4932')
  assert.equal(addLongDoubles(large, large), 'infinite')
  assert.equal(printLongDouble(parsed('3.6e-4951')), '0')
  assert.equal(printLongDouble(parsed('-3.6e-4951')), '0')
})
