// What the commands on strings may answer, and what they leave, once it is settled which keys live.

import type { Answer, Death, Moment, State, TextValue } from './plain-state.ts'

const OK = 'OK'

/** What strings do once it is settled which of them live. */
export type TextHandler = (texts: Texts, words: readonly string[], moment: Moment) => Answer

/** The strings of a state, for one command. */
export class Texts {
  state: State

  constructor(state: State) {
    this.state = state
  }

  find(key: string): TextValue | null {
    const value = this.state.get(key)
    return value?.kind === 'text' ? value : null
  }

  get(key: string): string | null {
    return this.find(key)?.text ?? null
  }

  set(key: string, text: string, dies: Death | null = null): void {
    this.state = this.state.with(key, { kind: 'text', text, dies })
  }

  /** Another text under the same expiry. */
  change(key: string, text: string): void {
    this.set(key, text, this.find(key)?.dies ?? null)
  }

  delete(key: string): void {
    this.state = this.state.with(key, null)
  }
}

function deathOf(moment: Moment, px: string): Death {
  return { from: moment.from + Number(px), to: moment.to + Number(px) }
}

/** Options: any of NX, XX, GET, KEEPTTL, PX ms. */
const set: TextHandler = (texts, [, key = '', text = '', ...options], moment) => {
  const before = texts.find(key)
  const old = before?.text ?? null
  const refused =
    (options.includes('NX') && before !== null) || (options.includes('XX') && before === null)
  const px = options.indexOf('PX')
  if (!refused && px >= 0) texts.set(key, text, deathOf(moment, options[px + 1] ?? ''))
  else if (!refused)
    texts.set(key, text, options.includes('KEEPTTL') ? (before?.dies ?? null) : null)
  if (options.includes('GET')) return old
  return refused ? null : OK
}

function add(sign: number): TextHandler {
  return (texts, [, key = '', by = '1']) => {
    const sum = Number(texts.get(key) ?? 0) + sign * Number(by)
    texts.change(key, String(sum))
    return sum
  }
}

function setAll(texts: Texts, words: readonly string[]): void {
  for (let i = 1; i + 1 < words.length; i += 2) texts.set(words[i] ?? '', words[i + 1] ?? '')
}

const getex: TextHandler = (texts, [, key = '', option = '', px = ''], moment) => {
  const text = texts.get(key)
  if (text !== null && option === 'PERSIST') texts.set(key, text)
  if (text !== null && option === 'PX') texts.set(key, text, deathOf(moment, px))
  return text
}

const pexpire: TextHandler = (texts, [, key = '', px = '', when = ''], moment) => {
  const found = texts.find(key)
  if (found === null) return 0
  if ((when === 'NX' && found.dies !== null) || (when === 'XX' && found.dies === null)) return 0
  texts.set(key, found.text, deathOf(moment, px))
  return 1
}

const persist: TextHandler = (texts, [, key = '']) => {
  const found = texts.find(key)
  if (found === null || found.dies === null) return 0
  texts.set(key, found.text)
  return 1
}

const copy: TextHandler = (texts, [, from = '', to = '']) => {
  const found = texts.find(from)
  if (found === null) return 0
  texts.set(to, found.text, found.dies)
  return 1
}

/** How long a key lives is not looked at: that it will die, or not, or is not there. */
const pttl: TextHandler = (texts, [, key = '']) => {
  const found = texts.find(key)
  if (found === null) return -2
  return found.dies === null ? -1 : SOME_TIME
}
const SOME_TIME = 1

const getdel: TextHandler = (texts, [, key = '']) => {
  const text = texts.get(key)
  texts.delete(key)
  return text
}

const append: TextHandler = (texts, [, key = '', more = '']) => {
  texts.change(key, `${texts.get(key) ?? ''}${more}`)
  return texts.get(key)?.length ?? 0
}

const del: TextHandler = (texts, [, ...keys]) => {
  const there = keys.filter(key => texts.find(key) !== null)
  for (const key of there) texts.delete(key)
  return there.length
}

export const textHandlers: Readonly<Record<string, TextHandler>> = {
  SET: set,
  SETNX: (texts, [, key = '', text = '']) => {
    if (texts.find(key) !== null) return 0
    texts.set(key, text)
    return 1
  },
  GET: (texts, [, key = '']) => texts.get(key),
  GETSET: (texts, [, key = '', text = '']) => {
    const old = texts.get(key)
    texts.set(key, text)
    return old
  },
  GETDEL: getdel,
  GETEX: getex,
  APPEND: append,
  INCR: add(1),
  INCRBY: add(1),
  DECR: add(-1),
  DECRBY: add(-1),
  STRLEN: (texts, [, key = '']) => texts.get(key)?.length ?? 0,
  MSET: (texts, words) => {
    setAll(texts, words)
    return OK
  },
  MSETNX: (texts, words) => {
    for (let i = 1; i < words.length; i += 2) if (texts.find(words[i] ?? '') !== null) return 0
    setAll(texts, words)
    return 1
  },
  MGET: (texts, [, ...keys]) => keys.map(key => texts.get(key)),
  DEL: del,
  EXISTS: (texts, [, ...keys]) => keys.filter(key => texts.find(key) !== null).length,
  PEXPIRE: pexpire,
  PERSIST: persist,
  PTTL: pttl,
  COPY: copy,
}
/** Reads find no dead key and leave it where it is: to a leader whose clock is behind it may live. */
export const TEXT_READS = new Set(['GET', 'STRLEN', 'MGET', 'EXISTS', 'PTTL'])
