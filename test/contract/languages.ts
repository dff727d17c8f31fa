// The client in each language: whether it can be built here, how, and how it is run.

import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Compilers on a busy machine, with packages that may have to be fetched. */
const BUILD_MS_MAX = 240_000

export type Language = {
  readonly name: string
  /** Why it cannot be had here, or false. */
  missing(): string | false
  build(): void
  /** The program before its arguments. */
  readonly command: readonly string[]
}

function directory(language: string): string {
  return fileURLToPath(new URL(`../../examples/${language}/`, import.meta.url))
}

function has(file: string, ...words: readonly string[]): boolean {
  return spawnSync(file, words).status === 0
}

function make(language: string, ...words: readonly string[]): void {
  const cwd = directory(language)
  const options = { cwd, stdio: 'pipe', encoding: 'utf8', timeout: BUILD_MS_MAX } as const
  execFileSync('make', [...words], options)
}

/** Debian's, which has grpcio from Debian, unless another is named. */
const { SLOTCAST_PYTHON: PYTHON = '/usr/bin/python3' } = process.env

const python: Language = {
  name: 'python',
  missing() {
    if (!has('make', '--version')) return 'there is no make'
    if (!has(PYTHON, '-c', 'import asyncio, grpc.aio, google.protobuf; asyncio.TaskGroup'))
      return `${PYTHON} is not there, is older than 3.11, or has no grpcio`
    const canMake = has(PYTHON, '-c', 'import grpc_tools') || has('which', 'grpc_python_plugin')
    return canMake ? false : 'neither grpcio-tools nor protoc with grpc_python_plugin is here'
  },
  build: () => make('python', `PYTHON=${PYTHON}`, 'gen'),
  command: [PYTHON, `${directory('python')}main.py`],
}

export const LANGUAGES: readonly Language[] = [python]
