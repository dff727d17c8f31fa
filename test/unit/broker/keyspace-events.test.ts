// notify-keyspace-events, and client-output-buffer-limit: read and written as Redis does.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readKeyEvents, showKeyEvents } from '../../../src/broker/keyspace-events.ts'
import {
  OUTPUT_LIMITS,
  readOutputLimits,
  showOutputLimits,
  unlimitedBytes,
} from '../../../src/broker/output-limits.ts'

test('classes of events are written in the order of Redis, whatever order they came in', () => {
  const cases: [string, string][] = [
    ['', ''],
    ['AKE', 'AKE'],
    ['KEA', 'AKE'],
    ['AKEm', 'AKEm'],
    ['AKEn', 'AKE'],
    ['nE', 'nE'],
    ['g$lshzxetdKE', 'AKE'],
    ['Kx', 'xK'],
    ['KKxx', 'xK'],
    ['EtKsl', 'lstKE'],
  ]
  for (const [given, shown] of cases) {
    const flags = readKeyEvents(given)
    assert.equal(typeof flags, 'number', given)
    assert.equal(showKeyEvents(flags as number), shown, given)
  }
  assert.equal(readKeyEvents('KEq'), "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
})

test('limits on output name the classes that change, and only good ones count', () => {
  const bytes = (word: string) => (/^\d+$/.test(word) ? Number(word) : null)
  const changes = readOutputLimits('pubsub 100 50 3 NORMAL 7 0 0', bytes)
  assert.deepEqual(changes, {
    pubsub: { hardBytes: 100, softBytes: 50, softFor: 3000 },
    normal: { hardBytes: 7, softBytes: 0, softFor: 0 },
  })
  assert.equal(
    showOutputLimits(OUTPUT_LIMITS),
    'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
  )
  assert.match(String(readOutputLimits('pubsub 1 2', bytes)), /^Wrong number/)
  assert.match(String(readOutputLimits('clients 1 2 3', bytes)), /^Invalid client class/)
  assert.match(String(readOutputLimits('pubsub x 2 3', bytes)), /^Error in hard/)
  assert.match(String(readOutputLimits('pubsub 1 2 -3', bytes)), /^Error in hard/)
})

test('what no limit minds is below the least of them', () => {
  assert.equal(unlimitedBytes(OUTPUT_LIMITS), OUTPUT_LIMITS.pubsub.softBytes)
  const none = { hardBytes: 0, softBytes: 0, softFor: 0 }
  assert.equal(unlimitedBytes({ normal: none, replica: none, pubsub: none }), Infinity)
})
