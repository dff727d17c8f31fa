// A program that keeps the client contract, as a process: it is told `stop` and `end` on its
// input, and tells what happens as lines of JSON.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { ChannelTale, StreamTale } from './tale.ts'

const POLL_MS = 20
const ERROR_LINES_KEPT = 40

/** What a program tells. Which of the values there are is the event's. */
type Told = {
  readonly event: string
  /** Of a stream or a channel. */
  readonly key: string
  readonly id: string
  readonly value: string
  readonly redelivered: boolean
  /** Of an ack: how many entries were still pending, 1 or 0. Of what was published: how many received it. */
  readonly count: number
  readonly redirects: number
  readonly text: string
}

export class Program {
  readonly #name: string
  readonly #child: ChildProcessWithoutNullStreams
  readonly #errors: string[] = []
  readonly streams = new Map<string, StreamTale>()
  readonly channels = new Map<string, ChannelTale>()
  readonly faults: string[] = []
  #ended: string | null = null
  hasStopped = false
  /** Set by its last line. */
  redirects: number | null = null

  /** @param name how the values begin that it appends and publishes */
  constructor(
    name: string,
    command: readonly string[],
    streams: readonly string[],
    channels: readonly string[],
  ) {
    this.#name = name
    const [file = '', ...words] = command
    for (const key of streams) this.streams.set(key, new StreamTale())
    for (const key of channels) this.channels.set(key, new ChannelTale())
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

  /** Waits until `holds`, which the program must live to see, without a fault. */
  async until(what: string, msMax: number, holds: () => boolean): Promise<void> {
    const end = performance.now() + msMax
    while (!holds()) {
      if (this.faults.length > 0) throw this.#failure(`before ${what}`)
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
    const wrong = this.#of(told)
    if (wrong !== null) this.faults.push(`${wrong}: ${line}`)
  }

  /** @returns what is wrong with it */
  #of(told: Told): string | null {
    switch (told.event) {
      case 'stopped':
        this.hasStopped = true
        return null
      case 'done':
        this.redirects = told.redirects
        return null
      case 'failed':
        return 'a failure'
      case 'appended':
      case 'entry':
      case 'settled':
        return this.#ofStream(told)
      case 'subscribed':
      case 'published':
      case 'message':
        return this.#ofChannel(told)
      default:
        return 'an event that there is not'
    }
  }

  #ofStream({ event, key, id, value, redelivered, count }: Told): string | null {
    const tale = this.streams.get(key)
    if (tale === undefined) return 'a stream that is none of its'
    if (event === 'appended') tale.appended.set(value, id)
    else if (event === 'entry') tale.take(id, redelivered)
    else tale.settle(id, count)
    return null
  }

  #ofChannel({ event, key, value, count }: Told): string | null {
    const tale = this.channels.get(key)
    if (tale === undefined) return 'a channel that is none of its'
    if (event === 'subscribed') {
      tale.subscribed()
      return null
    }
    // Messages go round robin over the channels, so that one on another's channel shows.
    const [name, text = ''] = value.split('-')
    const number = name === this.#name ? Number.parseInt(text, 10) : Number.NaN
    const turn = [...this.channels.keys()][number % this.channels.size]
    if (turn !== key) return 'never published on this channel'
    return event === 'published' ? tale.published(value, number, count) : tale.hear(value, number)
  }

  #failure(text: string): Error {
    return new Error([text, ...this.faults, ...this.#errors].join('\n  '))
  }
}
