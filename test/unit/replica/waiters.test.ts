// Waiters: first come first served, each answered exactly once, by whatever ends its reason.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import type { Clock } from '../../../src/base/clock.ts'
import { Wait } from '../../../src/base/wait.ts'
import type { Asker } from '../../../src/replica/ports.ts'
import { Waiters } from '../../../src/replica/waiters.ts'

function fakeClock() {
  const timers: { at: number; callback: () => void; live: boolean }[] = []
  let time = 0
  const clock: Clock = {
    now: () => time,
    monotonic: () => time,
    soon: callback => callback(),
    after: (delay, callback) => {
      const timer = { at: time + delay, callback, live: true }
      timers.push(timer)
      return {
        cancel() {
          timer.live = false
        },
      }
    },
  }
  const advance = (ms: number): void => {
    time += ms
    for (const timer of timers) {
      if (!timer.live || timer.at > time) continue
      timer.live = false
      timer.callback()
    }
  }
  return { clock, advance }
}

class Client implements Asker<string> {
  closed = false
  readonly heard: string[] = []
  answer(ticket: number, reply: string): void {
    this.heard.push(`${ticket}=${reply}`)
  }
  lose(ticket: number, why: string): void {
    this.heard.push(`${ticket}!${why}`)
  }
}

const query = { run: () => new Wait(['k'], 0) }
const write = { argv: Argv.of('XREADGROUP'), producer: null }

const none = (): void => {}

test('waiters of several keys come in the order in which they began to wait', () => {
  const table = new Waiters<string>(fakeClock().clock, none)
  const client = new Client()
  table.add(client, 1, new Wait(['a', 'b'], 0), query)
  table.add(client, 2, new Wait(['a'], 0), query)
  table.add(client, 3, new Wait(['b'], 0), query)
  assert.deepEqual(
    table.waitingOn(['a', 'b']).map(each => each.ticket),
    [1, 2, 3],
  )
})

test('a wait ends by its timeout, once', () => {
  const { clock, advance } = fakeClock()
  const table = new Waiters<string>(clock, none)
  const client = new Client()
  table.add(client, 1, new Wait(['k'], 50), query)
  advance(49)
  assert.deepEqual(client.heard, [])
  advance(1)
  advance(100)
  assert.deepEqual(client.heard, ['1!timeout'])
  assert.equal(table.count, 0)
})

test('a write whose time is over while its proposal is in the log takes what applying says', () => {
  const { clock, advance } = fakeClock()
  const table = new Waiters<string>(clock, none)
  const client = new Client()
  table.add(client, 1, new Wait(['k'], 50), write)
  table.add(client, 2, new Wait(['k'], 50), write)
  const [first, second] = table.waitingOn(['k'])
  assert.ok(first && second)
  first.proposed = true
  second.proposed = true
  advance(60)
  assert.deepEqual(client.heard, [])
  first.answer(1, 'entry')
  second.stillWaits(new Wait(['k'], 50))
  assert.deepEqual(client.heard, ['1=entry', '2!timeout'])
})

test('a client that is gone is not answered and holds no place', () => {
  const table = new Waiters<string>(fakeClock().clock, none)
  const client = new Client()
  table.add(client, 1, new Wait(['k'], 0), query)
  table.forget(client)
  client.closed = true
  table.add(client, 2, new Wait(['k'], 0), query)
  assert.equal(table.count, 0)
  assert.equal(table.waitingOn(['k']).length, 0)
})

test('when leadership goes, waits end; a write that is in the log is left to its proposal', () => {
  const table = new Waiters<string>(fakeClock().clock, none)
  const client = new Client()
  table.add(client, 1, new Wait(['k'], 0), query)
  table.add(client, 2, new Wait(['k'], 0), write)
  const waiting = table.waitingOn(['k'])[1]
  assert.ok(waiting)
  waiting.proposed = true
  table.loseAll('unblocked')
  assert.deepEqual(client.heard, ['1!unblocked'])
  waiting.lose(2, 'in-doubt')
  assert.deepEqual(client.heard, ['1!unblocked', '2!in-doubt'])
})

test('a write that time may serve is proposed when its time has come, and sleeps by a clock that jumps', () => {
  let time = 0
  let wall = 0
  const timers: { at: number; callback: () => void; live: boolean }[] = []
  const clock: Clock = {
    now: () => wall,
    monotonic: () => time,
    soon: callback => callback(),
    after: (delay, callback) => {
      const timer = { at: time + delay, callback, live: true }
      timers.push(timer)
      return {
        cancel() {
          timer.live = false
        },
      }
    },
  }
  const pass = (ms: number): void => {
    for (let i = 0; i < ms; i += 1) {
      time += 1
      wall += 1
      for (const timer of [...timers]) {
        if (!timer.live || timer.at > time) continue
        timer.live = false
        timer.callback()
      }
    }
  }
  const proposed: number[] = []
  const table = new Waiters<string>(clock, waiter => {
    waiter.proposed = true
    proposed.push(waiter.ticket)
  })
  const client = new Client()
  table.add(client, 1, new Wait(['k'], 0, 'change', 300), write)
  table.add(client, 2, new Wait(['k'], 0), write)
  pass(299)
  assert.deepEqual(proposed, [])
  pass(1)
  assert.deepEqual(proposed, [1])
  const [waiter] = table.waitingOn(['k'])
  waiter?.stillWaits(new Wait(['k'], 0, 'change', 5000))
  wall += 4600
  pass(1001)
  assert.deepEqual(proposed, [1, 1], 'the wall clock went on without it')
  waiter?.stillWaits(new Wait(['k'], 0, 'change', wall + 100))
  waiter?.answer(1, 'entries')
  pass(200)
  assert.deepEqual(proposed, [1, 1], 'answered waiters have no alarm')
  assert.equal(table.count, 1)
})

test('a wait of many days ends after as many, and not before', () => {
  const { clock, advance } = fakeClock()
  const longest = 0x7fff_ffff
  const short: Clock = {
    ...clock,
    after: (delay, callback) => {
      assert.ok(delay <= longest)
      return clock.after(delay, callback)
    },
  }
  const table = new Waiters<string>(short, none)
  const client = new Client()
  table.add(client, 1, new Wait(['k'], 2 * longest + 5), write)
  for (const step of [longest, longest, 4]) advance(step)
  assert.deepEqual(client.heard, [])
  advance(1)
  assert.deepEqual(client.heard, ['1!timeout'])
})

test('keys that are waited on are counted once, and those whose end ends a wait as well', () => {
  const { clock } = fakeClock()
  const waiters = new Waiters<string>(clock, none)
  const client = new Client()
  waiters.add(client, 1, new Wait(['l', 'm'], 0, 'list'), write)
  waiters.add(client, 2, new Wait(['l'], 0, 'list'), write)
  waiters.add(client, 3, new Wait(['s'], 0), query)
  assert.deepEqual(waiters.keys(), { all: 3, onNoKey: 0 })
  waiters.add(client, 4, new Wait(['l'], 0), write)
  assert.deepEqual(waiters.keys(), { all: 3, onNoKey: 1 })
  waiters.forget(client)
  assert.deepEqual(waiters.keys(), { all: 0, onNoKey: 0 })
})
