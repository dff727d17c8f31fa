// The machine's own fdatasync: 4 KiB appended to a file whose blocks are there already, as the log does it.

import { closeSync, fdatasyncSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { medianOf } from './statistics.ts'

const BLOCK = Buffer.alloc(4096, 1)
const ZEROS = Buffer.alloc(1024 * 1024)
const WRITES = 500

/** Median in ms. */
export function fdatasyncMs(directory: string): number {
  const path = join(directory, 'fdatasync.probe')
  const file = openSync(path, 'w')
  try {
    for (let at = 0; at < WRITES * BLOCK.length; at += ZEROS.length)
      writeSync(file, ZEROS, 0, ZEROS.length, at)
    fsyncSync(file)
    const took: number[] = []
    for (let i = 0; i < WRITES; i += 1) {
      const from = performance.now()
      writeSync(file, BLOCK, 0, BLOCK.length, i * BLOCK.length)
      fdatasyncSync(file)
      took.push(performance.now() - from)
    }
    return medianOf(took)
  } finally {
    closeSync(file)
    unlinkSync(path)
  }
}
