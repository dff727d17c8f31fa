// `npm run bench`: our cluster beside Redis, NATS and RabbitMQ on this machine, in one run, as ratios.
//
// How to read what it prints is told in docs/benchmarks.md. A phase whose rival is
// not installed says so and is left out.

import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import type { Context } from './bench-context.ts'
import { brokersPhase } from './phase-brokers.ts'
import { clientPhase } from './phase-client.ts'
import { groupsPhase } from './phase-groups.ts'
import { growthPhase } from './phase-growth.ts'
import { sessionPhase, unaryPhase } from './phase-grpc.ts'
import { handoffPhase } from './phase-handoff.ts'
import { MILLION_PHASES, millionPhase } from './phase-million.ts'
import { pendingPhase } from './phase-pending.ts'
import { pubsubPhase } from './phase-pubsub.ts'
import { listsPhase, readsPhase } from './phase-reads.ts'
import { latencyPhase, redisPhase } from './phase-redis.ts'
import { weightPhase } from './phase-weight.ts'
import { stopAll } from './processes.ts'
import { holds, machineFacts, printRows, type Row } from './report.ts'

/** A cold node is slow: the warm-up is long enough for its code to be compiled. */
const PLAN = { rounds: 5, seconds: 3, warmUpSeconds: 6 }
const QUICK = { rounds: 2, seconds: 1, warmUpSeconds: 3 }
const ENTRIES = 1_000_000
const QUICK_ENTRIES = 200_000

type Flags = {
  json?: boolean
  only: readonly string[]
  quick?: boolean
  dir: string
  rounds?: number
}

const PHASES: Readonly<Record<string, (context: Context) => Promise<void>>> = {
  redis: redisPhase,
  latency: latencyPhase,
  brokers: brokersPhase,
  session: sessionPhase,
  client: clientPhase,
  unary: unaryPhase,
  reads: readsPhase,
  lists: listsPhase,
  handoff: handoffPhase,
  pubsub: pubsubPhase,
  groups: groupsPhase,
  pending: pendingPhase,
  growth: growthPhase,
  weight: weightPhase,
}
const NAMES: readonly string[] = [...Object.keys(PHASES), ...MILLION_PHASES]

function phaseName(text: string, before: readonly string[]): string[] {
  const names = text.split(',')
  const unknown = names.find(name => !NAMES.includes(name))
  if (unknown !== undefined) throw new InvalidArgumentError(`one of ${NAMES.join(', ')}`)
  return [...before, ...names]
}

function flagsOf(): Flags {
  return new Command('npm run bench --')
    .description('our cluster beside Redis, NATS and RabbitMQ, as ratios')
    .option('--only <phase>', `of ${NAMES.join(', ')}; may be repeated`, phaseName, [])
    .option('--quick', 'few and short rounds: to see that it runs')
    .option('--rounds <n>', 'rounds of each measurement', Number)
    .option('--dir <dir>', 'on the filesystem to be measured', tmpdir())
    .option('--json', 'print JSON')
    .parse()
    .opts<Flags>()
}

async function main(): Promise<void> {
  const flags = flagsOf()
  const wanted = new Set(flags.only.length === 0 ? NAMES : flags.only)
  const plan = flags.quick === true ? QUICK : PLAN
  const rows: Row[] = []
  const context: Context = {
    directory: mkdtempSync(join(flags.dir, 'slotcast-bench-')),
    plan: { ...plan, rounds: flags.rounds ?? plan.rounds },
    entries: flags.quick === true ? QUICK_ENTRIES : ENTRIES,
    say: text => process.stderr.write(`  ${text}\n`),
    row: row => rows.push(row),
  }
  const clean = async (): Promise<void> => {
    await stopAll()
    rmSync(context.directory, { recursive: true, force: true })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void clean().then(() => process.exit(1)))
  }
  const machine = machineFacts()
  const failures: string[] = []
  const phase = async (name: string, run: () => Promise<void>): Promise<void> => {
    process.stderr.write(`${name} (load average ${loadavg()[0]?.toFixed(1)})\n`)
    try {
      await run()
    } catch (error) {
      failures.push(`${name}: ${(error as Error).message}`)
      await stopAll()
    }
  }
  try {
    for (const [name, run] of Object.entries(PHASES)) {
      if (wanted.has(name)) await phase(name, () => run(context))
    }
    if (MILLION_PHASES.some(name => wanted.has(name))) {
      await phase('million', () => millionPhase(context, wanted))
    }
  } finally {
    await clean()
  }
  const after = loadavg().map(load => Number(load.toFixed(2)))
  if (flags.json === true) {
    const judged = rows.map(row => ({ ...row, holds: holds(row) }))
    const facts = { machine: { ...machine, loadAverageAfter: after }, plan: context.plan }
    process.stdout.write(`${JSON.stringify({ ...facts, rows: judged, failures }, null, 2)}\n`)
  } else {
    process.stdout.write(`${JSON.stringify({ ...machine, loadAverageAfter: after })}\n`)
    process.stdout.write(`${printRows(rows)}\n`)
    for (const failure of failures) process.stdout.write(`FAILED ${failure}\n`)
  }
  if (failures.length > 0) process.exitCode = 1
}

await main()
