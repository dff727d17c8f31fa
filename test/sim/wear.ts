// Which bytes of a disk are old enough to be damaged at rest.
//
// The newest batch of the log is left alone, and the one before: until a later
// batch vouches that they were synced, damage in them looks like a torn write,
// and no node alone can tell (RAFT 4.2). So the lengths of the files are watched,
// and only what stood there two lengths ago may rot.

import type { NodeId } from '../../src/base/types.ts'
import { DATA_DIR, type SimNode } from './cluster.ts'
import type { Prng } from './prng.ts'

const LENGTHS_KEPT = 4
const OLD_BYTES_MIN = 64

export class Wear {
  /** The last lengths of each file of the log, newest last. */
  readonly #lengths = new Map<string, number[]>()

  sample(machine: SimNode): void {
    for (const path of logPaths(machine)) {
      const key = keyOf(machine.id, path)
      const lengths = this.#lengths.get(key) ?? []
      const length = contentLength(machine, path)
      if (lengths.at(-1) === length) continue
      lengths.push(length)
      if (lengths.length > LENGTHS_KEPT) lengths.shift()
      this.#lengths.set(key, lengths)
    }
  }

  /** A bit that may flip, or null. */
  pick(prng: Prng, machine: SimNode): { path: string; bit: number } | null {
    const logs = logPaths(machine)
    const snapshots = machine.disk.paths().filter(path => path.startsWith(`${DATA_DIR}/snap`))
    if (snapshots.length > 0 && prng.chance(0.3)) {
      const path = prng.pick(snapshots)
      return bitOf(prng, path, machine.disk.bytes(path).length)
    }
    if (logs.length === 0) return null
    const path = prng.pick(logs)
    const lengths = this.#lengths.get(keyOf(machine.id, path)) ?? []
    // A segment that has a successor two segments on was vouched for by both.
    const isOld = logs.indexOf(path) < logs.length - 2
    const old = isOld
      ? contentLength(machine, path)
      : lengths.length < LENGTHS_KEPT
        ? 0
        : lengths[0]
    return bitOf(prng, path, old ?? 0)
  }
}

function bitOf(prng: Prng, path: string, length: number): { path: string; bit: number } | null {
  return length < OLD_BYTES_MIN ? null : { path, bit: prng.below(length * 8) }
}

function keyOf(node: NodeId, path: string): string {
  return `${node}:${path}`
}

/** Files of the log, oldest first. */
function logPaths(machine: SimNode): readonly string[] {
  return machine.disk.paths().filter(path => /^\/data\/wal\/\d+\.wal$/.test(path))
}

/** Segments are preallocated: what counts ends at the last byte that is not zero. */
function contentLength(machine: SimNode, path: string): number {
  const bytes = machine.disk.bytes(path)
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return end
}
