// Waits for what happens on real sockets.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

const WITHIN_MS = 5_000

export async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + WITHIN_MS
  while (!holds()) {
    assert.ok(performance.now() < end, 'it never came true')
    await sleep(5)
  }
}
