// What the machine costs: ns an XADD, bytes an entry, and the longest slice of a snapshot.
//
//   node --expose-gc bench/machine.ts [entries]
//
// Batches of 256 XADDs with one field of 128 bytes, as a follower applies them (nobody
// asks for replies) and as a leader does; to one key, and to 1,000 keys in turn.

import { Argv } from '../src/base/argv.ts'
import { PAYLOAD_HEADER_BYTES, writePayloadHeader } from '../src/base/payload.ts'
import { Machine } from '../src/machine/machine.ts'

const BATCH = 256
const VALUE_BYTES = 128
const BATCHES = 2000
const SLICE_BYTES = 256 * 1024

declare const gc: (() => void) | undefined

function payload(now: number, key: (i: number) => string): Buffer {
  const value = Buffer.alloc(VALUE_BYTES, 'x')
  const commands: Buffer[] = [Buffer.alloc(PAYLOAD_HEADER_BYTES)]
  for (let i = 0; i < BATCH; i += 1)
    commands.push(Argv.of('XADD', key(i), '*', 'field', value).buffer)
  const bytes = Buffer.concat(commands)
  writePayloadHeader(bytes, now, BATCH)
  return bytes
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function applied(name: string, key: (i: number) => string, asked: boolean): void {
  const machine = new Machine()
  const bytes = payload(1_700_000_000_000, key)
  let index = 0
  const run = (batches: number) => {
    for (let i = 0; i < batches; i += 1) {
      index += 1
      // Few milliseconds for many batches, as under load.
      bytes.writeDoubleLE(1_700_000_000_000 + (index >> 2), 8)
      machine.apply(bytes, index, asked ? [] : null)
      if (index % 8 === 0) machine.takeReadyKeys()
    }
  }
  run(BATCHES / 4)
  const from = process.cpuUsage()
  run(BATCHES)
  const { user, system } = process.cpuUsage(from)
  const ns = (user + system) * 1000
  say(`${name}: ${(ns / (BATCHES * BATCH)).toFixed(0)} ns of CPU an XADD`)
}

function memory(entries: number): Machine {
  if (typeof gc === 'function') gc()
  const before = process.memoryUsage.rss()
  const machine = new Machine()
  for (let index = 1; index <= entries / BATCH; index += 1)
    machine.apply(
      payload(1_700_000_000_000 + index, () => 'stream'),
      index,
      null,
    )
  const busy = process.memoryUsage.rss()
  if (typeof gc === 'function') gc()
  const after = process.memoryUsage.rss()
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1)
  say(
    `${entries} entries: ${mib(after - before)} MiB resident (${mib(busy - before)} before a collection)`,
  )
  return machine
}

function snapshot(machine: Machine): void {
  const reader = machine.snapshot()
  const copy = new Machine()
  const writer = copy.restore()
  let bytes = 0
  let longestRead = 0
  let longestWrite = 0
  for (;;) {
    const from = process.hrtime.bigint()
    const chunk = reader.next(SLICE_BYTES)
    const middle = process.hrtime.bigint()
    longestRead = Math.max(longestRead, Number(middle - from))
    if (chunk === null) break
    bytes += chunk.length
    writer.write(chunk)
    longestWrite = Math.max(longestWrite, Number(process.hrtime.bigint() - middle))
  }
  writer.finish()
  const ms = (ns: number) => (ns / 1e6).toFixed(2)
  say(
    `snapshot: ${(bytes / 2 ** 20).toFixed(1)} MiB, longest slice ${ms(longestRead)} ms to read, ${ms(longestWrite)} ms to restore`,
  )
}

const entries = Number(process.argv[2] ?? 1_000_000)
const machine = memory(entries)
snapshot(machine)
applied('follower, one key', () => 'stream', false)
applied('leader, one key', () => 'stream', true)
applied('follower, 1000 keys', i => `stream:{${i * 4}}`, false)
