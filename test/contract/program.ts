// A program that keeps the client contract, as a process: it is told `stop` and `end` on its
// input, and tells what happens as lines of JSON.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 20
const ERROR_LINES_KEPT = 40

/** What a program tells. Which of the values there are is the event's. */
export type Told = {
  readonly event: 'appended' | 'entry' | 'settled' | 'stopped' | 'failed' | 'done'
  readonly key: string
  readonly id: string
  readonly value: string
  readonly redelivered: boolean
  /** Of an ack: how many entries were still pending, 1 or 0. */
  readonly count: number
  readonly redirects: number
  readonly text: string
}

/** What was told of one stream. */
export class StreamTale {
  /** ID by value. */
  readonly appended = new Map<string, string>()
  /** How often each ID came. */
  readonly processed = new Map<string, number>()
  /** The sum of the counts of the acks of each ID. */
  readonly acknowledged = new Map<string, number>()
  /** IDs whose acks were settled. */
  readonly settled = new Set<string>()
}

export class Program {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #errors: string[] = []
  readonly streams = new Map<string, StreamTale>()
  readonly faults: string[] = []
  #ended: string | null = null
  hasStopped = false
  /** Set by its last line. */
  redirects: number | null = null

  constructor(command: readonly string[], keys: readonly string[]) {
    const [file = '', ...words] = command
    for (const key of keys) this.streams.set(key, new StreamTale())
    this.#child = spawn(file, words, { stdio: 'pipe' })
    createInterface(this.#child.stdout).on('line', line => this.#take(line))
    createInterface(this.#child.stderr).on('line', line => {
      this.#errors.push(line)
      if (this.#errors.length > ERROR_LINES_KEPT) this.#errors.shift()
    })
    this.#child.stdin.on('error', () => {})
    this.#child.on('error', error => {
      this.#ended = error.message
    })
    this.#child.on('close', (code, signal) => {
      this.#ended ??= `ended with ${signal ?? code}`
    })
  }

  say(word: 'stop' | 'end'): void {
    this.#child.stdin.write(`${word}\n`)
  }

  /** Waits until `holds`, which the program must live to see. */
  async until(what: string, msMax: number, holds: () => boolean): Promise<void> {
    const end = performance.now() + msMax
    while (!holds()) {
      if (this.#ended !== null) throw this.#failure(`${what}: ${this.#ended}`)
      if (performance.now() > end) throw this.#failure(`${what}: not within ${msMax} ms`)
      await sleep(POLL_MS)
    }
  }

  /** Its last line, and its end by itself with status 0. */
  async ends(msMax: number): Promise<void> {
    this.say('end')
    await this.until('the last line', msMax, () => this.redirects !== null)
    const end = performance.now() + msMax
    while (this.#ended === null && performance.now() < end) await sleep(POLL_MS)
    if (this.#ended !== 'ended with 0') throw this.#failure(`the end: ${this.#ended}`)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #take(line: string): void {
    let told: Told
    try {
      told = JSON.parse(line)
    } catch {
      this.faults.push(`not JSON: ${line}`)
      return
    }
    const { event, key, id } = told
    if (event === 'stopped') this.hasStopped = true
    else if (event === 'done') this.redirects = told.redirects
    else if (event === 'failed') this.faults.push(told.text)
    else {
      const tale = this.streams.get(key)
      if (tale === undefined) this.faults.push(`a stream that is none of its: ${line}`)
      else if (event === 'appended') tale.appended.set(told.value, id)
      else if (event === 'entry') tale.processed.set(id, (tale.processed.get(id) ?? 0) + 1)
      else if (event === 'settled') {
        tale.settled.add(id)
        tale.acknowledged.set(id, (tale.acknowledged.get(id) ?? 0) + told.count)
      } else this.faults.push(`an event that there is not: ${line}`)
    }
  }

  #failure(text: string): Error {
    return new Error([text, ...this.faults, ...this.#errors].join('\n  '))
  }
}
