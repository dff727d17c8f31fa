// Whoever can be asked, and how a transcript's case is played to it.

import { matches, printWire } from './notation.ts'
import type { Case } from './transcript.ts'
import type { Protocol, Wire } from './wire.ts'

export interface Target {
  /** Sends a command on a connection, which is opened when it is first used. */
  send(connection: number, words: readonly string[]): Promise<void>
  /** The next reply on a connection. */
  receive(connection: number): Promise<Wire>
  pause(ms: number): Promise<void>
  close(): Promise<void>
}

export type Mismatch = {
  readonly line: number
  readonly command: string
  readonly got: string
}

/** Plays `steps` to an empty target. @returns what was answered otherwise than expected */
export async function play(target: Target, play: Case, protocol: Protocol): Promise<Mismatch[]> {
  const mismatches: Mismatch[] = []
  for (const step of play.steps) {
    if (step.waitMs > 0) await target.pause(step.waitMs)
    if (step.words.length > 0) await target.send(step.connection, step.words)
    if (step.expected === null) continue
    const wire = await target.receive(step.connection)
    if (!matches(step.expected, wire, protocol))
      mismatches.push({ line: step.line, command: step.text, got: printWire(wire) })
  }
  return mismatches
}
