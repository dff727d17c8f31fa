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

function tryOne(bug: Planted): { caught: boolean; command: string; by: string } {
  if ('seeds' in bug.caughtBy) {
    const args = ['--plant', bug.name, '--seeds', bug.caughtBy.seeds, '--stop']
    const run = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' })
    const by = run.stdout.match(/^seed \d+ FAILED.*$/m)?.[0] ?? run.stderr.slice(0, 300)
    const caught = run.status === 1 && by.startsWith('seed')
    return { caught, command: `npm run sim -- ${args.join(' ')}`, by: by.slice(0, 200) }
  }
  const { tests } = bug.caughtBy
  const args = ['--import', './test/sim/plant.ts', '--test', ...globSync(tests)]
  const env = { ...process.env, PLANT: bug.name }
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', env })
  const by = run.stdout.match(/^✖ .*$/m)?.[0] ?? run.stderr.slice(0, 300)
  const command = `PLANT=${bug.name} node --import ./test/sim/plant.ts --test '${tests}'`
  return { caught: run.status === 1 && by.startsWith('✖'), command, by }
}
