// Shows that each planted bug is caught: runs what the table names for it, and expects a failure.

import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { PLANTED, type Planted } from './planted.ts'

const MAIN = 'test/sim/main.ts'

/** @returns the process's exit code: 0 when every bug was caught */
export function runPlanted(only: readonly string[]): number {
  const missed: string[] = []
  const bugs = PLANTED.filter(bug => only.length === 0 || only.includes(bug.name))
  for (const bug of bugs) {
    const { caught, command, by } = tryOne(bug)
    console.log(`${caught ? 'caught' : 'MISSED'}  ${bug.name}: ${bug.what}`)
    console.log(`        ${command}${by === '' ? '' : `\n        ${by}`}`)
    if (!caught) missed.push(bug.name)
  }
  console.log(`${bugs.length - missed.length} of ${bugs.length} planted bugs caught`)
  if (missed.length > 0) console.log(`missed: ${missed.join(', ')}`)
  return missed.length > 0 ? 1 : 0
}

type Verdict = { readonly caught: boolean; readonly command: string; readonly by: string }

function tryOne(bug: Planted): Verdict {
  return 'seeds' in bug.caughtBy
    ? trySeeds(bug.name, bug.caughtBy.seeds)
    : tryTests(bug.name, bug.caughtBy.tests)
}

/** A seed counts only if it passes without the bug. */
function trySeeds(name: string, seeds: string): Verdict {
  const command = `npm run sim -- --plant ${name} --seeds ${seeds} --stop`
  const [first = 1, last = 1] = seeds.split('..').map(Number)
  let from = first
  let by = 'all seeds pass'
  while (from <= last) {
    const args = ['--plant', name, '--seeds', `${from}..${last}`, '--stop']
    const run = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' })
    const found = run.stdout.match(/^seed (\d+) FAILED.*$/m)
    if (found === null) {
      if (run.status !== 0) by = run.stderr.slice(0, 300)
      break
    }
    by = found[0].slice(0, 200)
    const clean = spawnSync(process.execPath, [MAIN, '--seed', found[1] ?? ''], {
      encoding: 'utf8',
    })
    if (clean.status === 0) return { caught: true, command, by }
    by = `seed ${found[1]} fails without the bug, too`
    from = Number(found[1]) + 1
  }
  return { caught: false, command, by }
}

function tryTests(name: string, tests: string): Verdict {
  const args = ['--import', './test/sim/plant.ts', '--test', ...globSync(tests)]
  const env = { ...process.env, PLANT: name }
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', env })
  const by = run.stdout.match(/^✖ .*$/m)?.[0] ?? run.stderr.slice(0, 300)
  const command = `PLANT=${name} node --import ./test/sim/plant.ts --test '${tests}'`
  return { caught: run.status === 1 && by.startsWith('✖'), command, by }
}
