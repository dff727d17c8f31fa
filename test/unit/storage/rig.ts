// A storage on a fake disk, driven by hand: what the tests of this room have in common.

import type { LogFields, Logger } from '../../../src/base/log.ts'
import { Metrics } from '../../../src/base/metrics.ts'
import type { Random } from '../../../src/base/random.ts'
import type { ShardId } from '../../../src/base/types.ts'
import type { ConfState, Entry, HardState, SnapshotMeta } from '../../../src/raft/message.ts'
import type { DiskError } from '../../../src/storage/disk.ts'
import type { ShardLog } from '../../../src/storage/shard-log.ts'
import { type ShardWrite, Storage, type StorageOptions } from '../../../src/storage/storage.ts'
import { FakeDisk } from '../../sim/fake-disk.ts'

export const CONF: ConfState = {
  voters: [1, 2, 3],
  votersOutgoing: [],
  learners: [4],
  learnersNext: [],
  autoLeave: false,
}

/** mulberry32: small, seeded, good enough to choose sectors. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
  return {
    below: bound => next() % bound,
    bytes: count => Uint8Array.from({ length: count }, () => next() & 0xff),
  }
}

/** A queue instead of a loop. */
export class Loop {
  readonly random: Random
  /** Whether what is asked for at the same time may run in any order, as a disk does it. */
  anyOrder = false
  #queue: (() => void)[] = []

  constructor(seed: number) {
    this.random = seeded(seed)
  }

  soon(callback: () => void): void {
    const end = this.#queue.length
    this.#queue.splice(this.anyOrder ? this.random.below(end + 1) : end, 0, callback)
  }

  after(_ms: number, callback: () => void): void {
    this.soon(callback)
  }

  /** Runs until nothing is left. */
  run(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next()
  }

  /** Runs one callback. @returns false when there is none */
  step(): boolean {
    const next = this.#queue.shift()
    next?.()
    return next !== undefined
  }

  clear(): void {
    this.#queue = []
  }
}

export class Lines implements Logger {
  readonly lines: string[] = []
  #add(level: string, fields: LogFields, message: string): void {
    this.lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
  }
  debug(fields: LogFields, message: string): void {
    this.#add('debug', fields, message)
  }
  info(fields: LogFields, message: string): void {
    this.#add('info', fields, message)
  }
  warn(fields: LogFields, message: string): void {
    this.#add('warn', fields, message)
  }
  error(fields: LogFields, message: string): void {
    this.#add('error', fields, message)
  }
  child(): Logger {
    return this
  }
  has(part: string): boolean {
    return this.lines.some(line => line.includes(part))
  }
}

export class Rig {
  readonly loop: Loop
  disk: FakeDisk
  logger = new Lines()
  metrics = new Metrics()
  alive = new Set<number>()
  options: StorageOptions
  #storage: Storage | null = null

  constructor(options: Partial<StorageOptions> = {}, seed = 1) {
    this.loop = new Loop(seed)
    this.disk = new FakeDisk(this.loop)
    this.options = {
      directory: '/n1',
      nodeId: 1,
      cluster: 'test',
      segmentBytes: 4096,
      cacheBytesPerShard: 1 << 20,
      reserveBytes: 0,
      random: this.loop.random,
      processes: { pid: 100, alive: pid => this.alive.has(pid) },
      ...options,
    }
  }

  get storage(): Storage {
    if (this.#storage === null) throw new Error('not open')
    return this.#storage
  }

  open(): Storage {
    this.logger = new Lines()
    this.metrics = new Metrics()
    this.#storage = Storage.open(this.disk.view(), this.options, this.logger, this.metrics)
    return this.#storage
  }

  /** Ends this life as power failure does, and begins the next. */
  crash(): Storage {
    this.loop.clear()
    this.disk.crash()
    return this.open()
  }

  /** Ends this life as kill -9 does, and begins the next. */
  restart(): Storage {
    this.loop.clear()
    this.disk.kill()
    return this.open()
  }

  /** Writes a batch and waits for it. */
  write(...batch: ShardWrite[]): void {
    const error = this.tryWrite(...batch)
    if (error !== null) throw error
  }

  tryWrite(...batch: ShardWrite[]): DiskError | null {
    let result: DiskError | null | undefined
    this.storage.write(batch, error => {
      result = error
    })
    this.loop.run()
    if (result === undefined) throw new Error('the write never ended')
    return result
  }

  /** Takes, commits and records a snapshot of `state` at an index. */
  snapshot(
    shard: ShardId,
    index: number,
    state: Uint8Array,
    hardState: HardState | null = null,
  ): void {
    const term = this.storage.shard(shard).term(index)
    const meta: SnapshotMeta = { index, term: typeof term === 'number' ? term : 1, conf: CONF }
    this.file(shard, meta, state)
    this.write({ shard, hardState, entries: [], snapshot: meta })
  }

  /** Writes a snapshot's file. */
  file(shard: ShardId, meta: SnapshotMeta, state: Uint8Array): void {
    const file = this.storage.snapshots.create(shard, meta)
    let error: DiskError | null | undefined
    file.append(state, failure => {
      if (failure !== null) throw failure
      file.commit(result => {
        error = result
      })
    })
    this.loop.run()
    if (error !== null) throw error ?? new Error('the snapshot never ended')
  }

  /** The last segment's path. */
  segment(back = 0): string {
    const paths = this.disk.paths().filter(path => path.endsWith('.wal'))
    const used = paths.filter(path =>
      this.disk
        .bytes(path)
        .subarray(0, 80)
        .some(byte => byte !== 0),
    )
    const path = used.at(-1 - back)
    if (path === undefined) throw new Error('no such segment')
    return path
  }
}

export function entry(
  index: number,
  term: number,
  data: string | Uint8Array = `e${index}.${term}`,
): Entry {
  const bytes = Buffer.from(data)
  const exact = new Uint8Array(bytes.length)
  exact.set(bytes)
  return { index, term, kind: 'normal', data: exact }
}

export function entries(first: number, count: number, term: number, size = 0): Entry[] {
  return Array.from({ length: count }, (_, i) =>
    size === 0 ? entry(first + i, term) : entry(first + i, term, Buffer.alloc(size, first + i)),
  )
}

export function append(
  shard: ShardId,
  list: readonly Entry[],
  hardState: HardState | null = null,
): ShardWrite {
  return { shard, hardState, entries: list, snapshot: null }
}

/** Everything in a log as text: index.term, and the data where it is in memory. */
export function contentOf(log: ShardLog): string[] {
  const content: string[] = []
  for (let index = log.firstIndex(); index <= log.lastIndex(); index += 1) {
    const found = log.entries(index, index + 1, 1e9)
    const data =
      typeof found === 'string' ? found : Buffer.from(found[0]?.data ?? []).toString('latin1')
    content.push(`${index}.${log.term(index)}:${data}`)
  }
  return content
}
