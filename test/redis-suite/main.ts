// Redis' own test suite, over a socket: npm run test:redis-suite.
//
// SLOTCAST_REDIS_SOURCES names unpacked sources of Redis, with colons between them;
// without it they come from Debian. Words behind `--` name files of the suite to run alone. Exit code 1: a test that applies failed; 3: there is
// nothing to run (no sources, no Tcl).

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Skip, skipsOf } from './skip-list.ts'
import { type Source, sourcesAt, sourcesFromDebian } from './sources.ts'
import { type Outcome, runSuite, type SuiteRun, TAGS, UNITS, unusedSkips } from './suite.ts'

const NOTHING_TO_RUN = 3
const MEMORY_DISK = '/dev/shm'
const { SLOTCAST_REDIS_SOURCES: named = '' } = process.env
const given = process.argv.slice(2)
/** Files of the suite as words on the command line, else all. */
const units = given.length > 0 ? given : UNITS

function count(outcomes: readonly Outcome[], kind: Outcome['kind']): number {
  return outcomes.filter(outcome => outcome.kind === kind).length
}

function printUnits(source: Source, { outcomes, seconds }: SuiteRun): void {
  console.log(`Redis ${source.full}`)
  for (const unit of new Set(outcomes.map(outcome => outcome.unit))) {
    const own = outcomes.filter(outcome => outcome.unit === unit)
    const failed = count(own, 'err') + count(own, 'exception')
    const skipped = count(own, 'skip')
    const tagged = count(own, 'ignore')
    console.log(
      `  ${unit.padEnd(26)} ${String(count(own, 'ok')).padStart(4)} passed ${String(failed).padStart(3)} failed ${String(skipped).padStart(3)} skipped ${String(tagged).padStart(3)} by tag ${String(seconds.get(unit) ?? 0).padStart(4)} s`,
    )
  }
}

/** @returns whether all is well */
async function runOne(source: Source, number: number, directory: string): Promise<boolean> {
  const skips = skipsOf(source.version)
  const run = await runSuite(source, units, number, skips, directory)
  const { outcomes, output } = run
  printUnits(source, run)
  const wrong = outcomes.filter(({ kind }) => kind === 'err' || kind === 'exception')
  for (const { unit, test, text } of wrong) console.log(`FAILED ${unit}: ${test}\n${text}\n`)
  // Of some files alone, most of the list is about others.
  const unused = units === UNITS ? unusedSkips(skips, outcomes) : []
  for (const { pattern } of unused) console.log(`skipped.txt: no test is named ${pattern}`)
  const ended = /The End/.test(output)
  if (!ended) console.log(`the suite did not come to its end:\n${output.slice(-2_000)}`)
  return ended && wrong.length === 0 && unused.length === 0 && count(outcomes, 'ok') > 0
}

function printReasons(versions: readonly string[]): void {
  const byReason = new Map<string, Skip[]>()
  for (const version of versions)
    for (const skip of skipsOf(version)) {
      const known = byReason.get(skip.reason) ?? []
      if (!known.some(({ pattern }) => pattern === skip.pattern)) known.push(skip)
      byReason.set(skip.reason, known)
    }
  console.log('Left out:')
  for (const [tag, reason] of TAGS) console.log(`  tag ${tag}: ${reason}`)
  for (const [reason, skips] of byReason) console.log(`  ${reason} (${skips.length})`)
}

async function main(): Promise<number> {
  if (spawnSync('tclsh', [], { input: '' }).error !== undefined) {
    console.log('Redis’ suite is skipped: tclsh is not installed')
    return NOTHING_TO_RUN
  }
  const directory = mkdtempSync(join(tmpdir(), 'slotcast-redis-suite-'))
  try {
    const sources = named === '' ? sourcesFromDebian(directory) : sourcesAt(named)
    if (typeof sources === 'string') {
      console.log(`Redis’ suite is skipped: ${sources}`)
      return NOTHING_TO_RUN
    }
    // What is compared is replies: data that goes nowhere saves minutes of waiting for disks.
    if (existsSync(MEMORY_DISK)) Object.assign(process.env, { TMPDIR: MEMORY_DISK })
    // Nodes that this process starts get their settings from its environment.
    Object.assign(process.env, { SLOTCAST_NODE_ENABLE_DEBUG_COMMAND: 'yes' })
    const runs = sources.map((source, i) => runOne(source, i, join(directory, `run-${i}`)))
    const results = await Promise.all(runs)
    printReasons(sources.map(({ version }) => version))
    return results.every(Boolean) ? 0 : 1
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

process.exitCode = await main()
