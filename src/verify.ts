// `slotcast verify`: reads all of a stopped node's data as a start would, and says what it found.
//
// A start repairs what it can, so it is done on a copy, and the data stay as they are.

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { OperationalError } from './base/errors.ts'
import type { LogFields, Logger } from './base/log.ts'
import { Metrics } from './base/metrics.ts'
import { parseIdentity } from './storage/data-dir.ts'
import { NodeDisk } from './storage/node-disk.ts'
import { Storage } from './storage/storage.ts'
import { systemProcesses, systemRandom } from './system.ts'

/** Data that a start would have to repair from peers. */
const EXIT_DAMAGED = 10
/** Of the write-ahead log that the copy would go on with; nothing is written to it. */
const SEGMENT_BYTES = 1024 * 1024
const CACHE_BYTES = 1024 * 1024

type ShardReport = {
  readonly shard: number
  readonly first: number
  readonly last: number
  readonly term: number
  readonly commit: number
  /** Last entry of the newest snapshot; 0: none. */
  readonly snapshot: number
  readonly damaged: string | null
}

type Report = {
  readonly node: string
  readonly incarnation: string
  readonly shards: readonly ShardReport[]
  /** What recovery had to say. */
  readonly faults: readonly string[]
}

/** @returns the exit code: 0 when all is whole, 10 when not */
export function verifyDataDir(path: string, json: boolean): number {
  const directory = resolve(path)
  refuseIfInUse(directory)
  const copy = mkdtempSync(join(tmpdir(), 'slotcast-verify-'))
  try {
    cpSync(directory, copy, {
      recursive: true,
      filter: source => !source.endsWith('node.pid'),
    })
    const report = read(copy, directory)
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : print(report, directory))
    const whole = report.faults.length === 0 && report.shards.every(shard => shard.damaged === null)
    return whole ? 0 : EXIT_DAMAGED
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function refuseIfInUse(directory: string): void {
  if (!existsSync(join(directory, 'identity'))) {
    throw new OperationalError('CONFIG', `${directory} is no node's data directory`)
  }
  const lock = join(directory, 'node.pid')
  const pid = existsSync(lock) ? Number(readFileSync(lock, 'latin1').trim()) : 0
  if (pid > 0 && systemProcesses.alive(pid)) {
    throw new OperationalError('LOCKED', `${directory} is in use by process ${pid}`)
  }
}

function read(copy: string, original: string): Report {
  const identity = parseIdentity(readFileSync(join(copy, 'identity'), 'utf8'))
  if (identity === null) throw new OperationalError('CORRUPT', `${original}/identity is damaged`)
  const faults: string[] = []
  const { nodeId, cluster, incarnation } = identity
  const storage = Storage.open(
    new NodeDisk(),
    {
      directory: copy,
      nodeId,
      cluster,
      segmentBytes: SEGMENT_BYTES,
      cacheBytesPerShard: CACHE_BYTES,
      reserveBytes: 0,
      random: systemRandom,
      processes: systemProcesses,
    },
    faultLogger(faults, copy, original),
    new Metrics(),
  )
  const shards = storage.shards().map((id): ShardReport => {
    const log = storage.shard(id)
    const { hardState } = log.initialState()
    return {
      shard: id,
      first: log.firstIndex(),
      last: log.lastIndex(),
      term: hardState.term,
      commit: hardState.commit,
      snapshot: storage.snapshots.newest(id)?.index ?? 0,
      damaged: log.damaged,
    }
  })
  storage.close()
  return { node: `n${nodeId}`, incarnation, shards, faults }
}

/** Keeps what recovery warns of, with the paths that the user knows. */
function faultLogger(faults: string[], copy: string, original: string): Logger {
  const keep = (fields: LogFields, message: string): void => {
    faults.push(`${message} ${JSON.stringify(fields)}`.replaceAll(copy, original))
  }
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: keep,
    error: keep,
    child: () => logger,
  }
  return logger
}

function print(report: Report, directory: string): string {
  const lines = [`${directory}: node ${report.node}, incarnation ${report.incarnation}`]
  for (const { shard, first, last, term, commit, snapshot, damaged } of report.shards) {
    const name = shard === 0 ? 'meta shard' : `shard ${shard}`
    const entries = last < first ? 'no entries' : `entries ${first}..${last}`
    lines.push(
      `  ${name}: ${entries}, term ${term}, commit ${commit}, snapshot ${snapshot || 'none'}, ${damaged ?? 'whole'}`,
    )
  }
  for (const fault of report.faults) lines.push(`  ${fault}`)
  const damaged = report.shards.filter(shard => shard.damaged !== null).length
  lines.push(
    damaged === 0 && report.faults.length === 0
      ? 'ok: all records and snapshots are whole'
      : `damaged: ${damaged} of ${report.shards.length} shards; a start repairs them from their leaders`,
  )
  return `${lines.join('\n')}\n`
}
