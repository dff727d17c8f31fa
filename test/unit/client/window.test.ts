// How far a producer's writes may run ahead, against what shards and streams remember.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Call } from '../../../src/client/session/call.ts'
import { KEY_WINDOW, SHARD_WINDOW, Window } from '../../../src/client/session/window.ts'
import { integer } from '../../../src/machine/reply.ts'
import { Producer, Sessions } from '../../../src/machine/sessions.ts'

/** IDs that a stream remembers of a producer by default. */
const IDS = 100

type Write = { isSettled: boolean; readonly number: number }

/**
 * The worst that may happen to a write: the last of a full window is not done, the window's first is the last of
 * all others to be done, and then everything that may enter behind the one that waits is done before it.
 *
 * @returns the numbers in the order in which they are done, the unlucky one last
 */
function worstOrder(size: number): number[] {
  const entered: Write[] = []
  const window = new Window(size, call => entered.push(call as unknown as Write))
  for (let number = 1; number <= 4 * size; number += 1) {
    const write: Write = { isSettled: false, number }
    if (window.enter(write as unknown as Call)) entered.push(write)
  }
  const unlucky = size - 1
  const done = [size]
  for (let number = 2; number < unlucky; number += 1) done.push(number)
  done.push(1)
  for (const write of entered.slice()) write.isSettled = write.number !== unlucky
  window.settled()
  for (const { number } of entered.slice(size)) done.push(number)
  return [...done, unlucky]
}

test('a write that was held up is still known as not done, whatever ran ahead of it', () => {
  const order = worstOrder(SHARD_WINDOW)
  assert.ok(order.length > 1.9 * SHARD_WINDOW)
  const sessions = new Sessions()
  for (const [i, number] of order.entries()) {
    const found = sessions.begin('p', 1, number, i + 1)
    assert.ok(found instanceof Producer, `${number} of ${order.length} was forgotten`)
    sessions.remember(found, number, integer(number))
  }
})

test('of one stream fewer run ahead than it remembers', () => {
  assert.ok(worstOrder(KEY_WINDOW).length <= IDS)
})
