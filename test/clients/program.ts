// The program of a client, as a process: it tells its steps as lines of JSON, and is told on its input when a leader
// was killed.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 20
const LINES_KEPT = 60

export class Program {
  readonly #child: ChildProcessWithoutNullStreams
  /** What it printed that is no step. */
  readonly #printed: string[] = []
  /** The steps it told, in order, and when. */
  readonly steps: { readonly step: string; readonly at: number }[] = []
  #ended: string | null = null

  constructor(command: readonly string[]) {
    const [file = '', ...words] = command
    this.#child = spawn(file, words, { stdio: 'pipe' })
    createInterface(this.#child.stdout).on('line', line => this.#take(line))
    createInterface(this.#child.stderr).on('line', line => this.#keep(line))
    this.#child.stdin.on('error', () => {})
    this.#child.on('error', error => {
      this.#ended = error.message
    })
    this.#child.on('close', (code, signal) => {
      this.#ended ??= `ended with ${signal ?? code}`
    })
  }

  say(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  /** Waits for its next step, which must be this one. @returns when it was told */
  async tells(index: number, step: string, msMax: number): Promise<number> {
    await this.#until(step, msMax, () => this.steps.length > index)
    const told = this.steps[index]
    if (told?.step !== step) throw this.#failure(`${step}: it told ${told?.step} instead`)
    return told.at
  }

  /** Waits for its end by itself with status 0. */
  async ends(msMax: number): Promise<void> {
    const end = performance.now() + msMax
    while (this.#ended === null && performance.now() < end) await sleep(POLL_MS)
    if (this.#ended !== 'ended with 0') throw this.#failure(`the end: ${this.#ended}`)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async #until(what: string, msMax: number, holds: () => boolean): Promise<void> {
    const end = performance.now() + msMax
    while (!holds()) {
      if (this.#ended !== null) throw this.#failure(`${what}: ${this.#ended}`)
      if (performance.now() > end) throw this.#failure(`${what}: not within ${msMax} ms`)
      await sleep(POLL_MS)
    }
  }

  #take(line: string): void {
    try {
      const { step } = JSON.parse(line)
      if (typeof step === 'string') {
        this.steps.push({ step, at: performance.now() })
        return
      }
    } catch {
      // Kept with the rest.
    }
    this.#keep(line)
  }

  #keep(line: string): void {
    this.#printed.push(line)
    if (this.#printed.length > LINES_KEPT) this.#printed.shift()
  }

  #failure(text: string): Error {
    const steps = this.steps.map(({ step }) => step).join(', ')
    return new Error([text, `steps: ${steps}`, ...this.#printed].join('\n  '))
  }
}
