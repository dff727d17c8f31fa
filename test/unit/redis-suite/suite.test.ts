// What Redis' own suite prints, and the list of its tests that are not run.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSkips, skipFor, skipsOf } from '../../redis-suite/skip-list.ts'
import { readOutcomes, unusedSkips } from '../../redis-suite/suite.ts'

const OUTPUT = `Starting test server at port 21079
[ready]: 4711
\x1b[1;37;49mTesting unit/type/list\x1b[0m
[\x1b[0;32;49mok\x1b[0m]: LPUSH in a list (12 ms)
[\x1b[0;31;49merr\x1b[0m]: LPOP of a list in tests/unit/type/list.tcl
Expected 'a' to equal or match 'b'
[skip]: SORT of a list
[ignore]: LPOP on a replica: Tag: needs:repl denied
[1/2 done]: unit/type/list (3 seconds)
Testing unit/expire
[exception]: Executing test client: ERR unknown command.
ERR unknown command
    while executing
[2/2 done]: unit/expire (0 seconds)

                   The End

*** [err]: LPOP of a list in tests/unit/type/list.tcl
`

test('what the suite prints is read to its own summary, failures with their text', () => {
  const outcomes = readOutcomes(OUTPUT)
  assert.deepEqual(
    outcomes.map(({ unit, test: name, kind }) => `${unit} ${kind} ${name}`),
    [
      'unit/type/list ok LPUSH in a list',
      'unit/type/list err LPOP of a list',
      'unit/type/list skip SORT of a list',
      'unit/type/list ignore LPOP on a replica: Tag: needs:repl denied',
      'unit/expire exception Executing test client: ERR unknown command.',
    ],
  )
  assert.equal(outcomes[1]?.text, "Expected 'a' to equal or match 'b'")
  assert.match(outcomes[4]?.text ?? '', /^ERR unknown command\n/)
})

test('an entry of the list has a reason and a version, and is by name or by pattern', () => {
  const skips = readSkips(
    '# about\n[all]\n- no sorting\n/^SORT\nLPOP\n[9.0]\n- not yet\nNEW\n? PATCH',
  )
  assert.deepEqual(skips, [
    { pattern: '/^SORT', reason: 'no sorting', version: 'all', mayLack: false },
    { pattern: 'LPOP', reason: 'no sorting', version: 'all', mayLack: false },
    { pattern: 'NEW', reason: 'not yet', version: '9.0', mayLack: false },
    { pattern: 'PATCH', reason: 'not yet', version: '9.0', mayLack: true },
  ])
  assert.equal(skipFor(skips, 'SORT of a list')?.pattern, '/^SORT')
  assert.equal(skipFor(skips, 'LPOP of a list'), null)
  assert.throws(() => readSkips('[all]\nLPOP'), /without a reason/)
  assert.deepEqual(
    unusedSkips(skips, readOutcomes(OUTPUT)).map(({ pattern }) => pattern),
    ['LPOP', 'NEW'],
  )
})

test('the list that is kept can be read', () => {
  assert.ok(skipsOf('7.0').length > 0)
})
