// What the contract asks of a language: whether its client can be built here, how, and how it is run.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Compilers on a busy machine, with packages that may have to be fetched. */
const BUILD_MS_MAX = 240_000

export type Language = {
  /** The folder in examples/, the consumer's name, and how the values of its program begin. */
  readonly name: string
  /** Why it cannot be had here, or false. */
  missing(): string | false
  build(): void
  /** The program before its arguments. */
  readonly command: readonly string[]
}

/** With a slash at the end. */
export function directory(language: string): string {
  return fileURLToPath(new URL(`../../../examples/${language}/`, import.meta.url))
}

export function exists(language: string, file: string): boolean {
  return existsSync(directory(language) + file)
}

export function has(file: string, ...words: readonly string[]): boolean {
  return spawnSync(file, words).status === 0
}

export function make(language: string, ...words: readonly string[]): void {
  const cwd = directory(language)
  const options = { cwd, stdio: 'pipe', encoding: 'utf8', timeout: BUILD_MS_MAX } as const
  execFileSync('make', [...words], options)
}
