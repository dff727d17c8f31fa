// A Redis client of others: whether it can be had here, how, and how its program is run. Each has a file of its own,
// NAME.test.ts, which describes it and hands it to `livesThrough` (story.ts).

import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { LocalCluster } from '../chaos/cluster.ts'

/** Compilers on a busy machine, with packages that may have to be fetched. */
const BUILD_MS_MAX = 300_000

/** What a program tells, in this order. */
export const STEPS = [
  'streams',
  'lists',
  'transaction',
  'broadcast',
  'patterns',
  'sharded',
  'waiting',
  'streams-again',
  'lists-again',
  'broadcast-again',
  'sharded-again',
  'done',
] as const
export type Step = (typeof STEPS)[number]

export type RedisClient = {
  readonly name: string
  /** Why it cannot be had here, or false. */
  missing(): string | false
  /** Once before the program is first run. */
  build(): void
  /** The program before its arguments: HOST:PORT[,HOST:PORT...] KEY[,KEY...]. */
  readonly command: readonly string[]
  /** What else it is asked while all nodes are there. */
  besides?(cluster: LocalCluster): void | Promise<void>
  /** Steps that the client has no means for, each with the reason. */
  readonly without?: Readonly<Partial<Record<Step, string>>>
}

/** The path of a file or folder of programs/. */
export function programPath(name: string): string {
  return fileURLToPath(new URL(`programs/${name}`, import.meta.url))
}

/** Whether a command ends with status 0. */
export function has(file: string, ...words: readonly string[]): boolean {
  return spawnSync(file, words).status === 0
}

/** Runs a command that builds. @throws with what it printed when it fails */
export function run(cwd: string, file: string, ...words: readonly string[]): void {
  execFileSync(file, [...words], { cwd, stdio: 'pipe', encoding: 'utf8', timeout: BUILD_MS_MAX })
}
