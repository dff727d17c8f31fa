// The real disk keeps the port's promises, as far as one can see without pulling a plug.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Metrics } from '../../../src/base/metrics.ts'
import { DiskError } from '../../../src/storage/disk.ts'
import { NodeDisk } from '../../../src/storage/node-disk.ts'
import { Storage } from '../../../src/storage/storage.ts'
import { append, contentOf, entries, Lines, Rig } from './rig.ts'

const root = mkdtempSync(join(tmpdir(), 'slotcast-disk-'))
after(() => rmSync(root, { recursive: true }))

test('names: made, listed, renamed, removed', () => {
  const disk = new NodeDisk()
  const dir = join(root, 'a', 'b')
  disk.makeDirectory(dir)
  disk.makeDirectory(dir)
  assert.deepEqual(disk.list(join(root, 'none')), [])
  disk.open(join(dir, 'y'), 'create').close()
  disk.open(join(dir, 'x'), 'create').close()
  assert.throws(() => disk.open(join(dir, 'x'), 'create'), DiskError)
  assert.throws(() => disk.open(join(dir, 'z'), 'read'), DiskError)
  disk.rename(join(dir, 'x'), join(dir, 'w'))
  disk.syncDirectory(dir)
  assert.deepEqual(disk.list(dir), ['w', 'y'])
  disk.remove(join(dir, 'w'))
  assert.equal(disk.exists(join(dir, 'w')), false)
  assert.equal(disk.readFile(join(dir, 'w')), null)
  assert.ok(disk.freeBytes(dir) > 0)
})

test('bytes: many parts are written in order, and reads end where the file does', (_t, done) => {
  const disk = new NodeDisk()
  const file = disk.open(join(root, 'bytes'), 'create')
  const parts = Array.from({ length: 2500 }, (_, i) => Buffer.from([i & 0xff, (i >> 8) & 0xff]))
  let isReturned = false
  file.writeDurably(parts, 10, error => {
    assert.equal(error, null)
    assert.ok(isReturned)
    const [written, behind] = [file.read(10, 5000), file.read(5010, 10_000)]
    assert.deepEqual(written, Buffer.concat(parts))
    assert.ok(behind.length < 4096 && behind.every(byte => byte === 0))
    const into = Buffer.alloc(100)
    assert.equal(file.read(12, 4, into).buffer, into.buffer)
    assert.equal(file.read(99_999, 4).length, 0)
    file.readLater(file.size() - 2, 100, (failure, bytes) => {
      assert.equal(failure, null)
      assert.equal(bytes.length, 2)
      file.truncate(20)
      assert.equal(file.size(), 20)
      disk.syncDirectoryLater(root, late => {
        assert.equal(late, null)
        done()
      })
    })
    // Closed while the read is in flight: the read still ends well.
    setTimeout(() => file.close(), 50)
  })
  isReturned = true
})

test('a storage on the real disk: written, closed, opened, the same', (_t, done) => {
  const options = { ...new Rig().options, directory: join(root, 'node') }
  const open = (): Storage => Storage.open(new NodeDisk(), options, new Lines(), new Metrics())
  const storage = open()
  let next = 1
  const write = (): void => {
    storage.write([append(1, entries(next, 10, 1, 100))], error => {
      assert.equal(error, null)
      next += 10
      if (next < 200) {
        write()
        return
      }
      const before = contentOf(storage.shard(1)).length
      storage.close()
      const again = open()
      assert.equal(again.shard(1).lastIndex(), next - 1)
      assert.equal(contentOf(again.shard(1)).length, before)
      assert.equal(again.shard(1).damaged, null)
      again.close()
      done()
    })
  }
  write()
})
