// All transcripts, as cases by file.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Case, parseTranscript } from './transcript.ts'

const FOLDER = join(import.meta.dirname, 'transcripts')

/** File name without ending, and its cases. */
export function transcripts(): (readonly [string, Case[]])[] {
  return readdirSync(FOLDER)
    .filter(name => name.endsWith('.txt'))
    .sort()
    .map(name => [name.slice(0, -4), parseTranscript(readFileSync(join(FOLDER, name), 'latin1'))])
}
