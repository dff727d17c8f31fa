// The fake disk: each thing that a real one may do does happen, and nothing that none may do.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DiskFile } from '../../../src/storage/disk.ts'
import { FakeDisk } from '../../sim/fake-disk.ts'
import { Loop } from '../storage/rig.ts'

const PATH = '/d/f'
const OLD = 0x11
const NEW = 0x22
const SECTOR = 512
const SECTORS = 16

class Rig {
  readonly loop: Loop
  readonly disk: FakeDisk
  readonly file: DiskFile
  ended = false

  /** A file of `sectors` old, durable ones. */
  constructor(seed: number, sectors = SECTORS) {
    this.loop = new Loop(seed)
    this.disk = new FakeDisk(this.loop)
    this.disk.plant(PATH, Buffer.alloc(sectors * SECTOR, OLD))
    this.file = this.disk.view().open(PATH, 'write')
  }

  /** Begins to replace the file's content from `position` on. */
  begin(length: number, position = 0): void {
    const bytes = Buffer.alloc(length, NEW)
    const middle = Math.floor(length / 2)
    this.file.writeDurably([bytes.subarray(0, middle), bytes.subarray(middle)], position, error => {
      assert.equal(error, null)
      this.ended = true
    })
  }

  /** Whole sectors as a text: o old, n new, 0 zeros, ? a mixture. */
  get sectors(): string {
    const bytes = this.disk.bytes(PATH)
    let text = ''
    for (let at = 0; at < bytes.length; at += SECTOR) {
      const sector = bytes.subarray(at, at + SECTOR)
      const is = (value: number): boolean => sector.every(byte => byte === value)
      text += is(OLD) ? 'o' : is(NEW) ? 'n' : is(0) ? '0' : '?'
    }
    return text
  }
}

/** What is left of the same story over many seeds. */
function outcomes(story: (rig: Rig) => void, seeds = 200): Set<string> {
  const seen = new Set<string>()
  for (let seed = 1; seed <= seeds; seed += 1) {
    const rig = new Rig(seed)
    story(rig)
    seen.add(rig.sectors)
  }
  return seen
}

test('a power cut between a write and its sync leaves any subset of the sectors, none of them torn', () => {
  const seen = outcomes(rig => {
    rig.begin(SECTORS * SECTOR)
    rig.loop.step()
    assert.equal(rig.sectors, 'n'.repeat(SECTORS))
    rig.disk.crash()
  })
  assert.ok(seen.size > 150, `only ${seen.size} outcomes`)
  assert.ok([...seen].every(each => /^[on]+$/.test(each)))
  assert.ok(
    [...seen].some(each => /on/.test(each)),
    'a later sector without an earlier one',
  )
})

test('a crash says how many files it tore, and zeros where zeros were are not torn', () => {
  const torn = new Set<number>()
  for (let seed = 1; seed <= 30; seed += 1) {
    const rig = new Rig(seed)
    rig.disk.plant(PATH, Buffer.alloc(SECTORS * SECTOR))
    const file = rig.disk.view().open(PATH, 'write')
    file.writeDurably([Buffer.alloc(2 * SECTOR, NEW)], 0, () => {})
    rig.loop.step()
    const count = rig.disk.crash()
    assert.equal(count, /^(0n|n0)/.test(rig.sectors) ? 1 : 0)
    torn.add(count)
  }
  assert.equal(torn.size, 2)
})

test('a power cut before a write took place may leave parts of it, too', () => {
  const seen = outcomes(rig => {
    rig.begin(SECTORS * SECTOR)
    rig.disk.crash()
  })
  assert.ok(seen.has('o'.repeat(SECTORS)))
  assert.ok([...seen].some(each => each.includes('n')))
})

test('a kill leaves of a write that was under way its first blocks, and all of one that took place', () => {
  const seen = outcomes(rig => {
    rig.begin(SECTORS * SECTOR)
    rig.disk.kill()
  })
  assert.deepEqual([...seen].sort(), [
    'n'.repeat(16),
    `${'n'.repeat(8)}${'o'.repeat(8)}`,
    'o'.repeat(16),
  ])
  const whole = outcomes(rig => {
    rig.begin(SECTORS * SECTOR)
    rig.loop.step()
    rig.disk.kill()
  })
  assert.deepEqual([...whole], ['n'.repeat(16)])
})

test('no crash takes back what a callback called durable', () => {
  const seen = outcomes(rig => {
    rig.begin(8 * SECTOR)
    rig.loop.run()
    assert.ok(rig.ended)
    rig.disk.crash()
  })
  assert.deepEqual([...seen], [`${'n'.repeat(8)}${'o'.repeat(8)}`])
})

test('behind a write stand now and then zeros up to the next 4 KiB, and nothing else changes', () => {
  const seen = outcomes(rig => {
    rig.begin(2 * SECTOR, SECTOR)
    rig.loop.run()
  })
  assert.deepEqual([...seen].sort(), ['onn00000oooooooo', `onn${'o'.repeat(13)}`])
})

test('zeros behind a write at the end of a file make it longer', () => {
  const sizes = new Set<number>()
  for (let seed = 1; seed <= 30; seed += 1) {
    const rig = new Rig(seed, 1)
    rig.begin(100, SECTOR)
    rig.loop.run()
    rig.disk.crash()
    sizes.add(rig.disk.bytes(PATH).length)
  }
  assert.deepEqual(
    [...sizes].sort((a, b) => a - b),
    [SECTOR + 100, 4096],
  )
})
