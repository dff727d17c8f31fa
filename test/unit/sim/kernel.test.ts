// The simulator's own ground: order, chance, pauses and clocks. What stands on it trusts it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Envelope } from '../../../src/replica/ports.ts'
import { MachineClock, Process } from '../../sim/host.ts'
import { Links } from '../../sim/links.ts'
import { SimNetwork } from '../../sim/network.ts'
import { Prng } from '../../sim/prng.ts'
import { Scheduler } from '../../sim/scheduler.ts'

const EMPTY: Envelope = {
  messages: [],
  chunks: [],
  acks: [],
  leads: [],
  facts: Buffer.alloc(0),
  pubsub: Buffer.alloc(0),
}

test('events run by time, and at one time in the order they were asked for', () => {
  const scheduler = new Scheduler()
  const prng = new Prng('order')
  const ran: { time: number; i: number }[] = []
  for (let i = 0; i < 500; i += 1) {
    const time = prng.below(40)
    scheduler.at(time, 0, 'x', () => ran.push({ time, i }))
  }
  scheduler.runUntil(100)
  assert.equal(ran.length, 500)
  const sorted = [...ran].sort((a, b) => a.time - b.time || a.i - b.i)
  assert.deepEqual(ran, sorted)
  assert.equal(scheduler.now, 100)
})

test('a cancelled event does not run', () => {
  const scheduler = new Scheduler()
  const event = scheduler.at(5, 0, 'x', () => assert.fail('ran'))
  scheduler.cancel(event)
  scheduler.runUntil(10)
})

test('a fork depends on its name and not on what others drew', () => {
  const one = new Prng('7')
  const two = new Prng('7')
  two.bytes(100)
  assert.equal(one.fork('disk').word(), two.fork('disk').word())
  assert.notEqual(one.fork('disk').word(), one.fork('network').word())
})

test('equal seeds have equal digests and other seeds others', () => {
  const run = (seed: string): string => {
    const scheduler = new Scheduler()
    const prng = new Prng(seed)
    for (let i = 0; i < 50; i += 1) scheduler.at(prng.below(1000), 1, 'x', () => {})
    scheduler.runUntil(1000)
    return scheduler.digest
  }
  assert.equal(run('a'), run('a'))
  assert.notEqual(run('a'), run('b'))
})

test('a paused process runs nothing, and its timers fire late and once', () => {
  const scheduler = new Scheduler()
  const process = new Process(scheduler, 1, new MachineClock())
  const ran: string[] = []
  let ticks = 0
  const tick = (): void => {
    ticks += 1
    process.after(10, tick)
  }
  process.after(10, tick)
  scheduler.runUntil(35_000)
  assert.equal(ticks, 3)
  process.pause()
  process.deliver(10, 'a', () => ran.push('a'))
  process.deliver(20, 'b', () => ran.push('b'))
  scheduler.runUntil(1_000_000)
  assert.deepEqual(ran, [])
  assert.equal(ticks, 3)
  process.resume()
  scheduler.runUntil(1_000_001)
  assert.deepEqual(ran, ['a', 'b'])
  assert.equal(ticks, 4)
})

test('a busy process takes its events one after the other, in the order of arrival', () => {
  const scheduler = new Scheduler()
  const process = new Process(scheduler, 1, new MachineClock())
  process.eventCost = 100
  const ran: [string, number][] = []
  for (const [name, at] of [
    ['a', 0],
    ['b', 10],
    ['c', 100],
    ['d', 200],
  ] as const) {
    scheduler.at(at, 0, 'send', () =>
      process.deliver(0, name, () => ran.push([name, scheduler.now])),
    )
  }
  scheduler.runUntil(1000)
  assert.deepEqual(ran, [
    ['a', 0],
    ['b', 100],
    ['c', 200],
    ['d', 300],
  ])
})

test('nothing of a killed process runs again', () => {
  const scheduler = new Scheduler()
  const process = new Process(scheduler, 1, new MachineClock())
  process.after(1, () => assert.fail('ran'))
  process.kill()
  scheduler.runUntil(10_000)
})

test('a wall clock jumps, a monotonic one does not', () => {
  const scheduler = new Scheduler()
  const machine = new MachineClock()
  const process = new Process(scheduler, 1, machine)
  const [wall, monotonic] = [process.now(), process.monotonic()]
  machine.offset = -3_600_000
  assert.equal(process.now(), wall - 3_600_000)
  assert.equal(process.monotonic(), monotonic)
})

function pair() {
  const scheduler = new Scheduler()
  const prng = new Prng('network')
  const links = new Links(scheduler, prng.fork('links'))
  const network = new SimNetwork(scheduler, links, prng.fork('network'), [1, 2])
  const heard: string[] = []
  const incarnations = new Map<number, string>()
  const known = new Map<number, string>()
  const start = (node: number) => {
    const process = new Process(scheduler, node, new MachineClock())
    const identity = {
      id: node,
      incarnation: incarnations.get(node) ?? '',
      clusterName: 'sim',
      fingerprint: '',
      incarnationOf: (peer: number) => known.get(peer) ?? null,
    }
    const listener = {
      receive: (from: number) => heard.push(`${node}<${from}`),
      up: (peer: number) => heard.push(`${node} up ${peer}`),
      down: (peer: number) => heard.push(`${node} down ${peer}`),
      unreachable: (peer: number) => heard.push(`${node} unreachable ${peer}`),
    }
    const port = network.attach(process, listener, identity)
    return { process, port }
  }
  const pass = (ms: number): string[] => {
    scheduler.runUntil(scheduler.now + ms * 1000)
    return heard.splice(0).sort()
  }
  return { network, start, pass, incarnations, known }
}

test('ends learn of each other, of a death, of a silence and of a return', () => {
  const { network, start, pass } = pair()
  const one = start(1)
  assert.deepEqual(pass(1000), ['1 down 2'])
  start(2)
  assert.deepEqual(pass(1000), ['1 up 2', '2 up 1'])
  assert.equal(one.port.send(2, EMPTY), true)
  assert.deepEqual(pass(1000), ['2<1'])
  network.detach(2, false)
  assert.deepEqual(pass(1000), ['1 down 2'])
  assert.equal(one.port.send(2, EMPTY), false)
  start(2)
  assert.deepEqual(pass(1000), ['1 up 2', '2 up 1'])
  network.cutOneWay(1, 2)
  assert.equal(one.port.send(2, EMPTY), true)
  assert.deepEqual(pass(2000), ['1 unreachable 2', '2 unreachable 1'])
  network.heal()
  assert.deepEqual(pass(1000), ['1 up 2', '2 up 1'])
  network.detach(2, true)
  assert.deepEqual(pass(2000), ['1 unreachable 2'])
})

test('a peer that restarted before anyone looked is a new connection', () => {
  const { network, start, pass } = pair()
  const one = start(1)
  start(2)
  pass(1000)
  network.detach(2, false)
  start(2)
  assert.equal(one.port.send(2, EMPTY), true)
  const heard = pass(1000)
  assert.ok(!heard.includes('2<1'), 'the new process got what was sent to the old one')
  assert.ok(heard.includes('1 up 2'))
})

test('a peer with another data directory than the cluster knows is not spoken to', () => {
  const { network, start, pass, incarnations, known } = pair()
  incarnations.set(2, 'old')
  known.set(2, 'old')
  start(1)
  start(2)
  assert.deepEqual(pass(1000), ['1 up 2', '2 up 1'])
  network.detach(2, false)
  incarnations.set(2, 'new')
  start(2)
  assert.ok(!pass(5000).includes('1 up 2'))
})
