import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Chores } from '../../../src/replica/chores.ts'

test('one chore is on its way at a time, and the next is asked for when it was applied', () => {
  let scheduled = 0
  const host = {
    schedule: () => {
      scheduled += 1
    },
  }
  const chores = new Chores<string>(host)
  assert.equal(chores.mayAsk, false)
  chores.tick()
  assert.equal(chores.mayAsk, true)
  chores.rest()
  assert.equal(chores.mayAsk, false)
  chores.tick()
  const asker = chores.begin()
  chores.tick()
  assert.equal(chores.mayAsk, false)
  asker.answer(0, 'done')
  assert.equal(chores.mayAsk, true)
  assert.equal(scheduled, 1)
})

test('a chore that is lost with the leadership does not block those of the next term', () => {
  const chores = new Chores<string>({ schedule: () => assert.fail('nothing to hurry for') })
  chores.tick()
  chores.begin().lose(0, 'moved')
  assert.equal(chores.mayAsk, false)
  chores.tick()
  assert.equal(chores.mayAsk, true)
})
