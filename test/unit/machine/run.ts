// A machine to try commands on: entries from words, replies as plain values.

import assert from 'node:assert/strict'
import { Argv } from '../../../src/base/argv.ts'
import { PAYLOAD_HEADER_BYTES, writePayloadHeader } from '../../../src/base/payload.ts'
import { Wait } from '../../../src/base/wait.ts'
import { type CommandSpec, isError } from '../../../src/machine/command.ts'
import { machineTable } from '../../../src/machine/commands/table.ts'
import { Machine } from '../../../src/machine/machine.ts'
import type { Reply } from '../../../src/machine/reply.ts'
import { formatId } from '../../../src/machine/types/stream-id.ts'

export type Word = string | number | Uint8Array

/** An entry's data of the given commands. */
export function entry(now: number, ...commands: readonly (readonly Word[])[]): Buffer {
  const parts: Buffer[] = [Buffer.alloc(PAYLOAD_HEADER_BYTES)]
  for (const words of commands)
    parts.push(Argv.of(...words.map(w => (typeof w === 'number' ? String(w) : w))).buffer)
  const payload = Buffer.concat(parts)
  writePayloadHeader(payload, now, commands.length)
  return payload
}

/** A reply as values that tests compare: text for strings and IDs, `!` before errors. */
export function plain(reply: Reply | Wait): unknown {
  if (reply instanceof Wait) return `wait ${reply.timeout} ${reply.keys.join(',')}`
  switch (reply.kind) {
    case 'error':
      return `!${reply.text}`
    case 'simple':
      return `+${reply.text}`
    case 'integer':
      return reply.value
    case 'bulk':
      return Buffer.from(reply.bytes).toString('latin1')
    case 'text':
    case 'verbatim':
      return reply.text
    case 'id':
      return formatId(reply.id)
    case 'null':
      return null
    case 'null-array':
      return 'null-array'
    case 'bulks':
      return Array.from({ length: reply.bounds.length / 2 }, (_, i) =>
        Buffer.from(reply.bytes.subarray(reply.bounds[i * 2], reply.bounds[i * 2 + 1])).toString(
          'latin1',
        ),
      )
    case 'pushes':
      return reply.pushes.map(items => items.map(plain))
    default:
      return reply.items.map(plain)
  }
}

export class Runner {
  readonly machine = new Machine()
  index = 0
  now = 1000

  /** Runs one command as the desk would, and says what it answers. */
  run(...words: readonly Word[]): unknown {
    return plain(this.reply(...words))
  }

  /** A command that reads, bound to its arguments. */
  parsed(...words: readonly string[]): { spec: CommandSpec; args: unknown } {
    const argv = Argv.of(...words)
    const spec = machineTable.find(argv)
    assert.ok(!isError(spec))
    return { spec, args: spec.parse?.(argv) }
  }

  reply(...words: readonly Word[]): Reply | Wait {
    const argv = Argv.of(...words.map(w => (typeof w === 'number' ? String(w) : w)))
    const spec = machineTable.find(argv)
    if (isError(spec)) return spec
    if (spec.query !== undefined) {
      const args = spec.parse?.(argv)
      return isError(args) ? args : this.machine.query(spec, args, this.now)
    }
    this.index += 1
    const outcomes: (Reply | Wait)[] = []
    this.machine.apply(entry(this.now, words), this.index, outcomes)
    assert.equal(outcomes.length, 1)
    return outcomes[0] as Reply | Wait
  }
}

/** The bytes of a machine's snapshot, read in slices of `bytes`. */
export function snapshotBytes(machine: Machine, bytes = 1 << 20): Buffer {
  const reader = machine.snapshot()
  const chunks: Uint8Array[] = []
  for (let chunk = reader.next(bytes); chunk !== null; chunk = reader.next(bytes))
    chunks.push(Buffer.from(chunk))
  reader.close()
  return Buffer.concat(chunks)
}

/** A machine made of a snapshot's bytes, given in chunks of `size`. */
export function restored(bytes: Buffer, size = bytes.length): Machine {
  const machine = new Machine()
  const writer = machine.restore()
  for (let at = 0; at < bytes.length; at += size) {
    // The writer must not keep what is not its own.
    const chunk = Buffer.from(bytes.subarray(at, at + size))
    writer.write(chunk)
    chunk.fill(0xee)
  }
  writer.finish()
  return machine
}
