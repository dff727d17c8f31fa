// The post office flags letters that are lost, doubled, late or out of order, and nothing that may happen.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ending } from '../../sim/client.ts'
import { PostOffice } from '../../sim/post-actors.ts'

const BOX = '{post}:1'

/** What is complained of in the end, when `left` lies in the box. */
function complaints(story: (office: PostOffice) => void, left: string[] = []): string[] {
  const violations: string[] = []
  const office = new PostOffice({ violations, calmFrom: 0 })
  story(office)
  const ending: Ending = {
    outcome: 'ok',
    t0: 0,
    t1: 0,
    reply: left,
    attempts: 1,
    connection: null,
  }
  for (const { key, take } of office.questions()) take(key === BOX ? left : [], ending)
  return violations
}

function send(office: PostOffice, text: string, t0 = 1, outcome: Ending['outcome'] = 'ok'): void {
  office.sent({ box: BOX, text, t0, t1: outcome === 'info' ? Infinity : t0 + 1, outcome })
}

function receive(office: PostOffice, text: string, t0: number, t1 = t0 + 1): void {
  office.received(BOX, { text, t0, t1 })
}

test('letters that came or lie in their box are no reason to complain', () => {
  const story = (office: PostOffice): void => {
    send(office, 'a')
    send(office, 'b', 3)
    send(office, 'c', 5, 'info')
    receive(office, 'a', 4)
  }
  assert.deepEqual(complaints(story, ['b']), [])
  assert.deepEqual(complaints(story, ['b', 'c']), [])
})

test('a letter is lost, unless a pop was in doubt', () => {
  assert.match(complaints(office => send(office, 'a')).join(), /1 letters of .* are lost/)
  const doubted = (office: PostOffice): void => {
    send(office, 'a')
    office.doubt(BOX)
  }
  assert.deepEqual(complaints(doubted), [])
})

test('a letter comes once', () => {
  const twice = (office: PostOffice): void => {
    send(office, 'a')
    receive(office, 'a', 3)
    receive(office, 'a', 5)
  }
  assert.match(complaints(twice).join(), /came twice/)
  const once = (office: PostOffice): void => {
    send(office, 'a')
    receive(office, 'a', 3)
  }
  assert.match(complaints(once, ['a']).join(), /came, and lies in/)
})

test('what was not sent does not come', () => {
  const story = (office: PostOffice): void => {
    send(office, 'a', 1, 'fail')
    receive(office, 'a', 3)
  }
  assert.match(complaints(story).join(), /was not sent/)
  assert.match(complaints(() => {}, ['x']).join(), /nobody sent x/)
})

test('letters come in the order in which they were sent', () => {
  const story = (office: PostOffice): void => {
    send(office, 'a', 1)
    send(office, 'b', 3)
    receive(office, 'b', 5)
    receive(office, 'a', 7)
  }
  assert.match(complaints(story).join(), /letter b came before a/)
})

test('who waits gets a letter soon', () => {
  const late = (office: PostOffice): void => {
    send(office, 'a', 1)
    receive(office, 'a', 1, 900)
  }
  assert.match(complaints(late).join(), /letter a of 2 came out of .* at 900/)
  const never = (office: PostOffice): void => {
    send(office, 'a', 1)
    office.foundNothing(BOX, 1, 900)
  }
  assert.match(complaints(never, ['a']).join(), /nothing came out of/)
})
