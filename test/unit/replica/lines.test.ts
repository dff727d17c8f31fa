// Lines of waiters, on a real machine: who is proposed when, behind what, and how often.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import { AGAIN_MARK, PAYLOAD_HEADER_BYTES } from '../../../src/base/payload.ts'
import { Wait } from '../../../src/base/wait.ts'
import { Machine } from '../../../src/machine/machine.ts'
import type { Reply } from '../../../src/machine/reply.ts'
import { Lines } from '../../../src/replica/lines.ts'
import type { Asker } from '../../../src/replica/ports.ts'
import { ProposalBuffer } from '../../../src/replica/proposal-buffer.ts'
import { Waiter, Waiters } from '../../../src/replica/waiters.ts'
import { plain } from '../machine/run.ts'

class Client implements Asker<Reply> {
  closed = false
  readonly heard: string[] = []
  answer(ticket: number, reply: Reply): void {
    this.heard.push(`${ticket}=${JSON.stringify(plain(reply))}`)
  }
  lose(ticket: number, why: string): void {
    this.heard.push(`${ticket}!${why}`)
  }
}

/** What a replica does around lines, with an entry a batch and nothing in between. */
class Rig {
  readonly machine = new Machine()
  readonly client = new Client()
  readonly buffer = new ProposalBuffer<Reply>({ now: () => 0 })
  readonly waiters: Waiters<Reply> = new Waiters<Reply>(
    {
      now: () => 0,
      monotonic: () => 0,
      soon: () => undefined,
      after: () => ({ cancel: () => undefined }),
    },
    waiter => this.lines.proposeDue(waiter),
  )
  readonly lines: Lines<Reply> = new Lines(this.waiters, this.machine, this.buffer)
  /** Commands of each entry. */
  readonly entries: string[][] = []
  #ticket = 0
  #index = 0

  say(...words: readonly string[]): number {
    this.#ticket += 1
    const argv = Argv.of(...words)
    this.buffer.add(this.client, this.#ticket, argv, null)
    this.lines.accompany(argv)
    return this.#ticket
  }

  apply(): void {
    this.buffer.seal()
    const sealed = this.buffer.next()
    assert.ok(sealed !== null)
    this.buffer.proposed()
    const { payload, askers, tickets, starts } = sealed
    const outcomes: (Reply | Wait)[] = []
    this.#index += 1
    this.machine.apply(payload, this.#index, outcomes)
    this.entries.push(
      starts.map((start, i) => {
        const end = starts[i + 1] ?? payload.length + 1
        const words = payload.toString('latin1', start, end).split('\r\n')
        const mark = payload[start - 1] === AGAIN_MARK && start > PAYLOAD_HEADER_BYTES ? '~' : ''
        return `${mark}${words.filter((_, k) => k > 0 && k % 2 === 0).join(' ')}`
      }),
    )
    for (const [i, outcome] of outcomes.entries()) {
      const asker = askers[i] as Asker<Reply>
      const ticket = tickets[i] as number
      const argv = Argv.of(...(this.entries.at(-1)?.[i] ?? '').split(' '))
      if (!(outcome instanceof Wait)) asker.answer(ticket, outcome)
      else if (asker instanceof Waiter) asker.stillWaits(outcome)
      else this.waiters.add(asker, ticket, outcome, { argv, producer: null })
    }
    this.lines.move(0, true)
  }

  /** Applies until nothing is left to apply. */
  settle(): void {
    while (this.buffer.size > 0) this.apply()
  }
}

test('who waits for a list goes right behind the push, as many as it has elements', () => {
  const rig = new Rig()
  for (let i = 0; i < 3; i += 1) rig.say('BLPOP', 'l', '0')
  rig.apply()
  rig.say('RPUSH', 'l', 'a', 'b')
  rig.say('LLEN', 'l')
  rig.apply()
  assert.deepEqual(rig.entries[1], ['RPUSH l a b', '~BLPOP l 0', '~BLPOP l 0', 'LLEN l'])
  assert.deepEqual(rig.client.heard.slice(0, 3), ['4=2', '1=["l","a"]', '2=["l","b"]'])
  rig.settle()
  assert.equal(rig.entries.length, 2)
  assert.equal(rig.waiters.count, 1)
})

test('the first who waits to read a stream for a group goes right behind the XADD', () => {
  const rig = new Rig()
  rig.say('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM')
  rig.apply()
  for (const name of ['a', 'b'])
    rig.say('XREADGROUP', 'GROUP', 'g', name, 'BLOCK', '0', 'STREAMS', 's', '>')
  rig.apply()
  rig.say('XADD', 's', '1-1', 'f', 'v')
  rig.say('XLEN', 's')
  rig.apply()
  assert.deepEqual(rig.entries[2], [
    'XADD s 1-1 f v',
    '~XREADGROUP GROUP g a BLOCK 0 STREAMS s >',
    'XLEN s',
  ])
  assert.equal(rig.client.heard.at(1), '4="1-1"')
  assert.equal(rig.client.heard.at(2), '2=["s",[["1-1",["f","v"]]]]')
  rig.settle()
  assert.equal(rig.waiters.count, 1, 'b waits on')
  rig.say('XADD', 's', '1-1', 'f', 'v')
  rig.settle()
  assert.equal(rig.waiters.count, 1, 'a refused XADD serves nobody')
  rig.say('XADD', 's', '1-2', 'f', 'v')
  rig.apply()
  assert.match(rig.client.heard.at(-1) ?? '', /^3=.*1-2/)
})

test('what moves on by a move takes those behind it along', () => {
  const rig = new Rig()
  rig.say('BLPOP', 'c', '0')
  rig.say('BLMOVE', 'b', 'c', 'LEFT', 'LEFT', '0')
  rig.say('BLMOVE', 'a', 'b', 'LEFT', 'LEFT', '0')
  rig.apply()
  rig.say('RPUSH', 'a', 'x')
  rig.apply()
  assert.deepEqual(rig.entries[1], [
    'RPUSH a x',
    '~BLMOVE a b LEFT LEFT 0',
    '~BLMOVE b c LEFT LEFT 0',
    '~BLPOP c 0',
  ])
  assert.deepEqual(rig.client.heard, ['4=1', '3="x"', '2="x"', '1=["c","x"]'])
  assert.equal(rig.waiters.count, 0)
})

test('a circle of moves ends', () => {
  const rig = new Rig()
  rig.say('BLMOVE', 'l', 'l', 'LEFT', 'RIGHT', '0')
  rig.say('BLMOVE', 'l', 'l', 'LEFT', 'RIGHT', '0')
  rig.apply()
  rig.say('RPUSH', 'l', 'x')
  rig.settle()
  assert.deepEqual(rig.client.heard, ['3=1', '1="x"', '2="x"'])
})

test('who begins to wait while the push is on the way is served once it is applied', () => {
  const rig = new Rig()
  rig.say('BLPOP', 'l', '0')
  rig.say('BLPOP', 'l', '0')
  rig.say('RPUSH', 'l', 'a')
  rig.settle()
  assert.deepEqual(rig.entries, [['BLPOP l 0', 'BLPOP l 0', 'RPUSH l a'], ['~BLPOP l 0']])
  assert.deepEqual(rig.client.heard, ['3=1', '1=["l","a"]'])
})

test('who looked after the change is not tried again', () => {
  const rig = new Rig()
  rig.say('RPUSH', 'l', 'a')
  rig.say('LPOP', 'l')
  rig.say('BLPOP', 'l', '0')
  rig.settle()
  assert.equal(rig.entries.length, 1)
  assert.equal(rig.waiters.count, 1)
})

test('who cannot be served does not keep those behind from it', () => {
  const rig = new Rig()
  rig.say('BLMOVEM', 'l', 'm', 'LEFT', 'LEFT', '0', 'EXACTLY', '3', 'OBO')
  rig.say('BLMOVEM', 'l', 'm', 'LEFT', 'LEFT', '0', 'EXACTLY', '3', 'OBO')
  rig.say('BLPOP', 'l', '0')
  rig.apply()
  rig.say('RPUSH', 'l', 'a')
  rig.settle()
  assert.deepEqual(rig.client.heard, ['4=1', '3=["l","a"]'])
  rig.say('RPUSH', 'l', 'a', 'b')
  rig.say('RPUSH', 'l', 'c')
  rig.settle()
  assert.deepEqual(rig.client.heard.slice(2), ['5=2', '6=3', '1=["c","b","a"]'])
  assert.equal(rig.waiters.count, 1)
})

test('a push that is refused serves nobody, and leaves them waiting', () => {
  const rig = new Rig()
  rig.say('BLPOP', 'l', '0')
  rig.apply()
  rig.say('XADD', 'l', '1-1', 'f', 'v')
  rig.say('RPUSH', 'l', 'a')
  rig.settle()
  assert.equal(rig.waiters.count, 1)
  assert.equal(rig.client.heard.length, 2)
  rig.say('DEL', 'l')
  rig.say('RPUSH', 'l', 'a')
  rig.settle()
  assert.equal(rig.client.heard.at(-1), '1=["l","a"]')
})

test('many who wait for few elements cost few proposals, whatever brings them', () => {
  const rig = new Rig()
  for (let i = 0; i < 500; i += 1) rig.say('BLPOP', 'l', '0')
  // Pushed behind them in their own entry: nobody could go along.
  rig.say('RPUSH', 'l', 'a', 'b', 'c')
  rig.settle()
  assert.equal(rig.entries.length, 2)
  assert.equal(rig.entries[1]?.length, 3)
  assert.equal(rig.waiters.count, 497)
})

test('who waits for any change of a stream is tried at each', () => {
  const rig = new Rig()
  rig.say('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM')
  rig.say('XREADGROUP', 'GROUP', 'g', 'a', 'BLOCK', '0', 'STREAMS', 's', '>')
  rig.say('XREADGROUP', 'GROUP', 'g', 'b', 'BLOCK', '0', 'STREAMS', 's', '>')
  rig.apply()
  rig.say('XADD', 's', '1-1', 'f', 'v')
  rig.settle()
  assert.equal(rig.entries[1]?.length, 2)
  assert.equal(rig.entries[2]?.length, 1)
  assert.equal(rig.waiters.count, 1)
  rig.say('DEL', 's')
  rig.settle()
  assert.match(String(rig.client.heard.at(-1)), /NOGROUP/)
})

test('what waited is not run for a client that went before its entry was sealed', () => {
  const rig = new Rig()
  const gone = new Client()
  const argv = Argv.of('BLPOP', 'l', '0')
  const wait = new Wait(['l'], 0, 'list')
  const producer = (sequence: number) => ({ id: 'p', epoch: 1, sequence })
  rig.waiters.add(gone, 1, wait, { argv, producer: producer(1) })
  rig.waiters.add(rig.client, 2, wait, { argv, producer: producer(2) })
  rig.waiters.add(gone, 3, wait, { argv, producer: null })
  rig.say('RPUSH', 'l', 'a', 'b', 'c')
  rig.say('RPUSH', 'm', 'd')
  gone.closed = true
  rig.waiters.forget(gone)
  rig.settle()
  assert.deepEqual(rig.entries[0], ['RPUSH l a b c', '~BLPOP l 0', 'RPUSH m d'])
  assert.deepEqual(gone.heard, [])
  assert.deepEqual(rig.client.heard, ['1=3', '2=["l","a"]', '2=1'])
  assert.equal(rig.machine.servable('l'), 2)
})

test('what waited keeps its number of its producer: asked once more it takes nothing more', () => {
  const rig = new Rig()
  const argv = Argv.of('BLPOP', 'l', '0')
  const producer = { id: 'p', epoch: 3, sequence: 7 }
  rig.waiters.add(rig.client, 1, new Wait(['l'], 0, 'list'), { argv, producer })
  rig.say('RPUSH', 'l', 'a', 'b')
  rig.settle()
  rig.buffer.add(rig.client, 9, argv, producer)
  rig.settle()
  assert.deepEqual(rig.client.heard, ['1=2', '1=["l","a"]', '9=["l","a"]'])
  assert.equal(rig.machine.servable('l'), 1)
})
