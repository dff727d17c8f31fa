// One version of Redis' own suite, run over a socket against a standalone node of ours.

import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LocalCluster } from '../chaos/cluster.ts'
import { type Skip, skipFor } from './skip-list.ts'
import type { Source } from './sources.ts'

const STANDALONE = { enabled: false, shards: 1, replicas_per_shard: 1 }
/** The suite ends itself when nothing happens for so long, in seconds. */
const SILENCE_MAX = 60
/** Where the suite's own processes begin to look for a free port; versions may run side by side. */
const PORT_BASE = 19_000
const PORTS_APART = 200

/** Files of the suite: what they ask for is what we have, but for what skipped.txt lists. */
export const UNITS: readonly string[] = [
  'unit/type/stream',
  'unit/type/stream-cgroups',
  'unit/type/list',
  'unit/type/list-2',
  'unit/type/list-3',
  'unit/type/incr',
  'unit/type/string',
  'unit/type/set',
  'unit/expire',
  'unit/multi',
  'unit/keyspace',
  'unit/scan',
  'unit/info-command',
  'unit/introspection',
  'unit/introspection-2',
  'unit/slowlog',
  'unit/latency-monitor',
  'unit/pause',
  'unit/protocol',
  'unit/quit',
  'unit/other',
]

/** Tags of the suite that are left out as a whole, and why. */
export const TAGS: ReadonlyMap<string, string> = new Map([
  ['needs:repl', 'what replicas of Redis get to read is a stream of their own; here it is the log'],
])

export type Outcome = {
  readonly unit: string
  readonly test: string
  readonly kind: 'ok' | 'err' | 'exception' | 'skip' | 'ignore'
  /** What went wrong. */
  readonly text: string
}

/** Reads what the suite prints, from the first unit to its own summary. */
export function readOutcomes(output: string): readonly Outcome[] {
  const outcomes: Outcome[] = []
  let unit = ''
  let more: string[] | null = null
  const wrong = (kind: 'err' | 'exception', title: string, text: readonly string[]) =>
    outcomes.push({
      unit,
      test: title.replace(/ in tests\/\S+\.tcl$/, ''),
      kind,
      text: text.join('\n').trim(),
    })
  let last: { kind: 'err' | 'exception'; title: string } | null = null
  const end = () => {
    if (last !== null && more !== null) wrong(last.kind, last.title, more)
    last = null
    more = null
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are made of them
  for (const line of output.replace(/\x1b\[[0-9;]*m/g, '').split('\n')) {
    const found = /^\[(ok|err|exception|skip|ignore)\]: (.*)$/.exec(line)
    const begun = /^Testing (unit\/\S+)$/.exec(line)?.[1]
    const isOver = line.trim() === 'The End'
    if (found !== null || begun !== undefined || isOver || /^\[\d+\/\d+ done\]/.test(line)) end()
    if (isOver) break
    if (begun !== undefined) unit = begun
    if (found === null) {
      more?.push(line)
      continue
    }
    const [, kind = '', title = ''] = found
    if (kind === 'err' || kind === 'exception') {
      last = { kind, title }
      more = []
    } else if (kind === 'ok') {
      outcomes.push({ unit, test: title.replace(/ \(\d+ ms\)$/, ''), kind, text: '' })
    } else if (kind === 'skip' || kind === 'ignore') {
      outcomes.push({ unit, test: title, kind, text: '' })
    }
  }
  end()
  return outcomes
}

/** How long each unit took, in seconds, as the suite says. */
function readSeconds(output: string): ReadonlyMap<string, number> {
  const times = output.matchAll(/^ {2}(\d+) seconds - (\S+)$/gm)
  return new Map([...times].map(([, seconds, unit]) => [unit ?? '', Number(seconds)]))
}

export type SuiteRun = {
  readonly outcomes: readonly Outcome[]
  readonly seconds: ReadonlyMap<string, number>
  readonly output: string
}

/**
 * @param units the files to run
 * @param directory takes a copy of the suite, which writes beside itself
 */
export async function runSuite(
  source: Source,
  units: readonly string[],
  number: number,
  skips: readonly Skip[],
  directory: string,
): Promise<SuiteRun> {
  mkdirSync(directory)
  cpSync(join(source.directory, 'tests'), join(directory, 'tests'), { recursive: true })
  const skipFile = join(directory, 'skipped')
  writeFileSync(skipFile, skips.map(({ pattern }) => `${pattern}\n`).join(''))
  let output = ''
  await LocalCluster.run({ nodes: 1, settings: STANDALONE }, async cluster => {
    output = await tclsh(directory, [
      'tests/test_helper.tcl',
      ...['--host', '127.0.0.1', '--port', String(cluster.respPort(1))],
      ...['--baseport', String(PORT_BASE + number * PORTS_APART)],
      ...['--portcount', String(PORTS_APART - 1), '--timeout', String(SILENCE_MAX)],
      '--singledb',
      '--durable',
      // How values are kept, and the hash of all of them, are Redis' own.
      '--ignore-encoding',
      '--ignore-digest',
      ...['--skipfile', skipFile],
      ...['--tags', [...TAGS.keys()].map(tag => `-${tag}`).join(' ')],
      ...units.flatMap(unit => ['--single', unit]),
    ])
  })
  return { outcomes: readOutcomes(output), seconds: readSeconds(output), output }
}

function tclsh(cwd: string, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('tclsh', words, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    const parts: Buffer[] = []
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => parts.push(bytes))
    child.once('error', reject)
    child.once('close', () => resolve(Buffer.concat(parts).toString('latin1')))
  })
}

/** Entries of the list that no test of this run is skipped by. */
export function unusedSkips(skips: readonly Skip[], outcomes: readonly Outcome[]): readonly Skip[] {
  const used = new Set<Skip | null>()
  for (const { kind, test } of outcomes) if (kind === 'skip') used.add(skipFor(skips, test))
  return skips.filter(skip => !skip.mayLack && !used.has(skip))
}
