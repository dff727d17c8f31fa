// Two servers that are played the same script a move at a time: after each move all
// connections must have been answered the same, and the same must be blocked.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Crowd } from './crowd.ts'
import { isRefusedOtherwise } from './differences.ts'
import { printWire } from './notation.ts'
import type { Pair } from './pair.ts'
import type { Move } from './random-waiting.ts'
import type { Protocol, Wire } from './wire.ts'

type Words = readonly string[]

/** Life of a key that expires by the clock. */
const LIFE_MS = 8
/** Redis looks at keys that expire ten times a second; EXISTS makes it look. */
const LIFE_OVER_MS = LIFE_MS + 4

/** Both servers, spoken to in one protocol. */
export class Duel {
  readonly #ours: Crowd
  readonly #theirs: Crowd
  /** What happened, for messages. */
  #story: string[] = []
  readonly #compared: number[] = []
  readonly #said: Words[][] = []

  constructor(ours: Crowd, theirs: Crowd) {
    this.#ours = ours
    this.#theirs = theirs
  }

  /** @param count connections to each */
  static async open(pair: Pair, count: number, protocol: Protocol): Promise<Duel> {
    return new Duel(
      await Crowd.open(pair.ours, count, protocol),
      await Crowd.open(pair.theirs, count, protocol),
    )
  }

  get #everyone(): Iterable<number> {
    return this.#ours.members.keys()
  }

  close(): void {
    this.#ours.close()
    this.#theirs.close()
  }

  /** @param ending what shows the state in the end */
  async play(script: readonly Move[], ending: readonly Words[]): Promise<void> {
    await Promise.all([this.#ours.restart(), this.#theirs.restart()])
    this.#story = [`in RESP${this.#ours.protocol}:`]
    for (const on of this.#everyone) {
      this.#compared[on] = 0
      this.#said[on] = []
    }
    let blocked = new Set<number>()
    for (const move of script) blocked = await this.#move(move, blocked)
    this.#story.push('everyone is unblocked')
    for (; blocked.size > 0; blocked = await this.#settle())
      for (const on of blocked) await this.#unblock(on)
    for (const on of this.#everyone) this.#say(on, [['DISCARD'], ['PING']])
    await this.#settle()
    for (const words of ending) {
      this.#say(0, [words])
      await this.#settle()
    }
  }

  async #move(move: Move, blocked: Set<number>): Promise<Set<number>> {
    if (move.kind === 'expiry') return this.#expire(move.key)
    if (move.kind !== 'queue' && blocked.has(move.on)) return blocked
    this.#say(move.on, move.kind === 'say' ? move.commands : [move.words])
    return this.#settle(move.kind === 'brief' ? move.on : -1)
  }

  async #expire(key: string): Promise<Set<number>> {
    await this.#askBoth(['PEXPIRE', key, String(LIFE_MS)])
    await this.#settle()
    this.#story.push(`wait ${LIFE_OVER_MS}`)
    await sleep(LIFE_OVER_MS)
    await this.#askBoth(['EXISTS', key])
    return this.#settle()
  }

  /** On connections besides those of the script, which may be in transactions. */
  async #askBoth(words: Words): Promise<void> {
    this.#story.push(`@9 ${words.join(' ')}`)
    const got = await this.#ours.ask(words)
    const want = await this.#theirs.ask(words)
    this.#story.push(`  ${printWire(want)}`)
    assert.deepEqual(got, want, this.#story.join('\n'))
  }

  async #unblock(on: number): Promise<void> {
    for (const crowd of [this.#ours, this.#theirs])
      await crowd.ask(['CLIENT', 'UNBLOCK', crowd.member(on).id])
  }

  #say(on: number, commands: readonly Words[]): void {
    for (const words of commands) this.#story.push(`@${on} ${words.map(quoted).join(' ')}`)
    this.#said[on]?.push(...commands)
    this.#ours.say(on, commands)
    this.#theirs.say(on, commands)
  }

  async #settle(answered = -1): Promise<Set<number>> {
    const blocked = await this.#theirs.settle(answered)
    const strange = await this.#ours.settleAs(this.#theirs, blocked)
    for (const [on, { heard }] of this.#theirs.members.entries()) this.#compare(on, heard)
    if (strange !== null) assert.fail(`${strange}\n${this.#story.join('\n')}`)
    return blocked
  }

  #compare(on: number, theirs: readonly Wire[]): void {
    const mine = this.#ours.member(on).heard
    for (let i = this.#compared[on] as number; i < theirs.length; i += 1) {
      const [got, want] = [mine[i], theirs[i] as Wire]
      this.#story.push(`@${on}\n  ${printWire(want)}`)
      if (got === undefined) return
      this.#compared[on] = i + 1
      if (JSON.stringify(got) === JSON.stringify(want)) continue
      if (isRefusedOtherwise(this.#said[on]?.[i] ?? [], got, want)) continue
      assert.fail(
        `${this.#story.join('\n')}\nours:\n  ${printWire(got)}\n  ${got.type}, ${want.type} there`,
      )
    }
  }
}

function quoted(word: string): string {
  return /^[!-~]+$/.test(word) ? word : JSON.stringify(word)
}
