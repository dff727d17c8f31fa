// The list of tests that are not run (skipped.txt): what stands in it, and what of it is stale.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const LIST = join(import.meta.dirname, 'skipped.txt')

export type Skip = {
  /** A test's name, or `/` and a regular expression: as the suite's --skiptest takes it. */
  readonly pattern: string
  readonly reason: string
  /** `7.0`, or `all`. */
  readonly version: string
  /** Not every patch release has it. */
  readonly mayLack: boolean
}

/** What the list holds for one version of the suite. */
export function skipsOf(version: string): readonly Skip[] {
  return readSkips(readFileSync(LIST, 'utf8')).filter(
    skip => skip.version === 'all' || skip.version === version,
  )
}

export function readSkips(text: string): readonly Skip[] {
  const skips: Skip[] = []
  let version = 'all'
  let reason: string | null = null
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    const section = /^\[(\S+)\]$/.exec(line)?.[1]
    if (section !== undefined) {
      version = section
      reason = null
    } else if (line.startsWith('- ')) {
      reason = line.slice(2)
    } else if (line !== '' && !line.startsWith('#')) {
      if (reason === null)
        throw new Error(`skipped.txt:${i + 1}: a test is skipped without a reason`)
      const mayLack = line.startsWith('? ')
      skips.push({ pattern: mayLack ? line.slice(2) : line, reason, version, mayLack })
    }
  }
  return skips
}

/** The first entry that covers the test, by the rules of the suite. */
export function skipFor(skips: readonly Skip[], test: string): Skip | null {
  const covers = ({ pattern }: Skip) =>
    pattern.startsWith('/') ? new RegExp(pattern.slice(1)).test(test) : pattern === test
  return skips.find(covers) ?? null
}
