// The simulator's command line: npm run sim -- ...
//
//   --seed N [--trace]        repeats one run exactly; --trace tells the whole story
//   --seeds A..B              runs many on two processes; a failure prints its seed and last events
//   --plant NAME              with a planted bug (planted.ts), together with either of the above
//   --planted [--plant NAME]  every planted bug in turn, or one: each must be caught
//   --workers N               processes for --seeds
//   --stop                    ends at the first failure
//
// Exits with 1 when anything failed.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import type { RunResult } from './run.ts'

const DETERMINISM_EVERY = 100

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    plant: { type: 'string' },
    planted: { type: 'boolean', default: false },
    workers: { type: 'string', default: '2' },
    part: { type: 'string' },
    trace: { type: 'boolean', default: false },
    stop: { type: 'boolean', default: false },
  },
})

/** What a worker tells of one seed. */
type Report = Omit<RunResult, 'counts'> & {
  readonly counts: [string, number][]
  readonly cpuMs: number
}

async function main(): Promise<number> {
  if (values.planted) {
    const { runPlanted } = await import('./planted-gate.ts')
    return runPlanted(values.plant === undefined ? [] : [values.plant])
  }
  if (values.plant !== undefined) {
    const { plant } = await import('./plant.ts')
    plant(values.plant)
  }
  if (values.seeds !== undefined) {
    const [first, last] = rangeOf(values.seeds)
    if (values.part !== undefined) return await runPart(first, last, values.part)
    return await runMany(first, last, Number(values.workers))
  }
  return await runOne(Number(values.seed ?? 1))
}

function rangeOf(text: string): [number, number] {
  const [first, last] = text.split('..').map(Number)
  if (first === undefined || last === undefined || !(last >= first))
    throw new Error(`--seeds ${text} is not like 1..500`)
  return [first, last]
}

async function runOne(seed: number): Promise<number> {
  const { runSeed } = await import('./run.ts')
  const { formatTrace } = await import('./scheduler.ts')
  const started = process.cpuUsage()
  const result = runSeed(
    seed,
    values.trace ? { onTrace: line => console.log(formatTrace(line)) } : {},
  )
  const { user } = process.cpuUsage(started)
  print({ ...result, counts: [...result.counts], cpuMs: user / 1000 }, !values.trace)
  for (const [what, count] of result.counts) console.log(`  ${what}: ${count}`)
  return result.failure === null ? 0 : 1
}

function print(report: Report, withStory: boolean): void {
  const { seed, failure, events, virtualMs, operations, succeeded, digest, cpuMs } = report
  if (failure !== null) {
    console.log(`seed ${seed}\n  ${report.knobs}`)
    if (withStory) console.log(report.story.join('\n'))
    console.log(`seed ${seed} FAILED: ${failure}`)
    const plant = values.plant === undefined ? '' : ` --plant ${values.plant}`
    console.log(`repeat with: npm run sim -- --seed ${seed} --trace${plant}`)
  } else {
    console.log(
      `seed ${seed} ok: ${operations} operations, ${succeeded} succeeded, ${events} events, ` +
        `${(virtualMs / 1000).toFixed(1)} s, ${cpuMs.toFixed(0)} ms of CPU, ${digest}`,
    )
  }
}

/** One worker's part of the seeds: every `of`th from `index` on, a line of JSON each. */
async function runPart(first: number, last: number, part: string): Promise<number> {
  const { runSeed } = await import('./run.ts')
  const [index = 0, of = 1] = part.split('/').map(Number)
  for (let seed = first + index; seed <= last; seed += of) {
    const started = process.cpuUsage()
    let result = runSeed(seed)
    if (result.failure === null && seed % DETERMINISM_EVERY === 0) {
      const again = runSeed(seed)
      if (again.digest !== result.digest)
        result = { ...again, failure: `two runs differ: ${result.digest} and ${again.digest}` }
    }
    const cpuMs = process.cpuUsage(started).user / 1000
    const report: Report = { ...result, counts: [...result.counts], cpuMs }
    process.stdout.write(`${JSON.stringify(report)}\n`)
  }
  return 0
}

async function runMany(first: number, last: number, workers: number): Promise<number> {
  const failed: number[] = []
  const totals = new Map<string, number>()
  const children: ReturnType<typeof spawn>[] = []
  let ok = 0
  const take = (report: Report): void => {
    for (const [what, count] of report.counts) totals.set(what, (totals.get(what) ?? 0) + count)
    if (report.failure === null) {
      ok += 1
      if (ok % 50 === 0) console.log(`${ok} seeds ok`)
      return
    }
    failed.push(report.seed)
    print(report, true)
    if (values.stop) for (const child of children) child.kill()
  }
  const parts = Array.from({ length: workers }, (_, i) => {
    const plant = values.plant === undefined ? [] : ['--plant', values.plant]
    const args = ['--seeds', `${first}..${last}`, '--part', `${i}/${workers}`, ...plant]
    const child = spawn(process.execPath, [process.argv[1] ?? '', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    const lines = createInterface({ input: child.stdout })
    lines.on('line', line => take(JSON.parse(line) as Report))
    return new Promise<number>(resolve => lines.on('close', () => resolve(child.exitCode ?? 0)))
  })
  const codes = await Promise.all(parts)
  console.log([...totals].map(([what, count]) => `${what} ${count}`).join(', '))
  console.log(`${ok} seeds ok, ${failed.length} failed${failed.length > 0 ? `: ${failed}` : ''}`)
  const broken = !values.stop && ok + failed.length !== last - first + 1
  if (broken) console.log(`a worker ended early: ${codes}`)
  return failed.length > 0 || broken ? 1 : 0
}

process.exitCode = await main()
