// The bytes of our files, frozen: what a released version wrote, every later one must read.
//
// The expected bytes are in storage.hex, a title and its bytes in hex. A change
// of a format shows here, needs a new format version, and a reader for the old
// one. Made anew, on purpose: GOLDEN_WRITE=1 npx node --test test/golden/formats/storage.test.ts

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { BatchEncoder, type BatchItem } from '../../../src/storage/batch-encoder.ts'
import { checkRecord } from '../../../src/storage/record.ts'
import {
  putSegmentHeader,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
} from '../../../src/storage/segment.ts'
import { ShardLog } from '../../../src/storage/shard-log.ts'
import { encodeSnapshotHeader } from '../../../src/storage/snapshot-file.ts'
import { CONF, entry, Rig } from '../../unit/storage/rig.ts'

const PATH = new URL('./storage.hex', import.meta.url)
/** Header, one frame and the trailer. */
const SNAPSHOT_BYTES = 128
const HEADER = {
  nodeId: 2,
  number: 7,
  base: 0x1_0000_0000,
  allocated: 67_108_864,
  incarnation: '000102030405060708090a0b0c0d0e0f',
  mark: 0xffff_fff0,
  predecessor: 0xdeadbeef,
}

function encoded(item: BatchItem): Buffer {
  const encoder = new BatchEncoder()
  encoder.begin({ number: 7, base: 0x1_0000_0000 }, 80, 0x12345678, 0x1_0000_0000, 4096)
  encoder.put(item)
  return Buffer.concat(encoder.finish())
}

function samples(): Map<string, Buffer> {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  putSegmentHeader(header, HEADER)
  const log = new ShardLog(3, 1000, { segmentFile: () => null, stateChanged: () => {} })
  const conf = { ...CONF, votersOutgoing: [1, 2], learnersNext: [5], autoLeave: true }
  const rig = new Rig()
  rig.open()
  rig.file(4, { index: 9, term: 2, conf: CONF }, Buffer.from('the state of a shard'))
  return new Map([
    ['segment header', header],
    [
      'write record: hard state, snapshot that replaces the log, two entries',
      encoded({
        kind: 'write',
        log,
        hardState: { term: 5, vote: 2, commit: 8 },
        snapshot: { meta: { index: 9, term: 4, conf }, filed: true },
        replacesLog: true,
        entries: [entry(10, 5, 'payload'), { ...entry(11, 5, 'x'), kind: 'conf-change-v2' }],
        isCarried: false,
        checksums: [],
        segment: 0,
        offset: 0,
      }),
    ],
    [
      'state record',
      encoded({
        kind: 'state',
        shard: 3,
        state: {
          hardState: { term: 5, vote: 0, commit: 8 },
          start: { index: 6, term: 3 },
          last: 12,
          conf: CONF,
          confIndex: 4,
          snapshot: { meta: { index: 7, term: 3, conf: CONF }, filed: false },
          damaged: 'why',
        },
      }),
    ],
    ['drop record', encoded({ kind: 'drop', shard: 3 })],
    ['node record', encoded({ kind: 'node', reason: 'the log is gone' })],
    ['mark record', encoded({ kind: 'mark' })],
    ['snapshot header', encodeSnapshotHeader(4, 2, { index: 9, term: 2, conf: CONF })],
    // Up to its trailer: what a disk may put behind it is no part of the format.
    ['snapshot file', rig.disk.bytes('/n1/snapshots/4-9-2.snap').subarray(0, SNAPSHOT_BYTES)],
  ])
}

function format(all: ReadonlyMap<string, Buffer>): string {
  const parts: string[] = []
  for (const [title, bytes] of all) {
    parts.push(`# ${title}`)
    for (let at = 0; at < bytes.length; at += 16) {
      parts.push(bytes.subarray(at, at + 16).toString('hex'))
    }
  }
  return `${parts.join('\n')}\n`
}

test('the formats of segments, records and snapshots are the ones that were released', () => {
  const text = format(samples())
  const { GOLDEN_WRITE } = process.env
  if (GOLDEN_WRITE === '1') writeFileSync(PATH, text)
  assert.equal(text, readFileSync(PATH, 'utf8'))
})

test('the frozen bytes read back', () => {
  const all = samples()
  assert.deepEqual(readSegmentHeader(all.get('segment header') ?? Buffer.alloc(0)), {
    header: HEADER,
    checksum: all.get('segment header')?.readUInt32LE(SEGMENT_HEADER_BYTES - 4),
  })
  for (const [title, bytes] of all) {
    if (!title.includes('record')) continue
    const record = checkRecord(bytes, 0, bytes.length, 0x1_0000_0000 + 80)
    assert.equal(record?.previous, 0x12345678, title)
    assert.equal(record?.mark, 0x1_0000_0000, title)
    assert.equal(record?.next, bytes.length, title)
    // The same record at another place is none.
    assert.equal(checkRecord(bytes, 0, bytes.length, 80), null, title)
  }
})
