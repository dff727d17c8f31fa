// Lists, sets and strings as plain as can be: what a command may answer, and what it leaves.
//
// More than one thing may be right: a random member, and a key whose time may or may
// not have come. The clocks of leaders differ by `slack`; where they jump nobody can
// say when a key dies, but one that was told to live must.

export type Answer = string | number | null | readonly Answer[] | object

type ListValue = { readonly kind: 'list'; readonly items: readonly string[] }
/** Members in order, so that equal sets are equal texts. */
type SetValue = { readonly kind: 'set'; readonly items: readonly string[] }
type TextValue = { readonly kind: 'text'; readonly text: string; readonly dies: Death | null }
type Value = ListValue | SetValue | TextValue

/** When a key's time comes: not before, and not after. */
type Death = { readonly from: number; readonly to: number }

/** When a deed took effect: not before, and not after. */
export type Moment = { readonly from: number; readonly to: number }

export type Result = { readonly answer: Answer; readonly state: State }

/** Never changes. */
export class State {
  readonly #values: ReadonlyMap<string, Value>
  #text: string | null = null

  constructor(values: ReadonlyMap<string, Value>) {
    this.#values = values
  }

  get(key: string): Value | null {
    return this.#values.get(key) ?? null
  }

  list(key: string): readonly string[] {
    const value = this.get(key)
    return value?.kind === 'list' ? value.items : []
  }

  set(key: string): readonly string[] {
    const value = this.get(key)
    return value?.kind === 'set' ? value.items : []
  }

  with(key: string, value: Value | null): State {
    const values = new Map(this.#values)
    const isEmpty = value === null || (value.kind !== 'text' && value.items.length === 0)
    if (isEmpty) values.delete(key)
    else values.set(key, value)
    return new State(values)
  }

  /** Equal for equal states. */
  text(): string {
    this.#text ??= JSON.stringify([...this.#values].sort(([a], [b]) => (a < b ? -1 : 1)))
    return this.#text
  }
}

export function isSame(a: Answer, b: Answer): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}

type Handler = (state: State, words: readonly string[], moment: Moment, wanted?: Answer) => Result[]

const OK = 'OK'

function only(answer: Answer, state: State): Result[] {
  return [{ answer, state }]
}

function combinations(items: readonly string[], count: number): string[][] {
  if (count === 0) return [[]]
  return items.flatMap((item, i) =>
    combinations(items.slice(i + 1), count - 1).map(rest => [item, ...rest]),
  )
}

/** `LEFT` or `RIGHT`. */
function taken(items: readonly string[], side: string, count: number) {
  const n = Math.min(count, items.length)
  if (side === 'LEFT') return { got: items.slice(0, n), rest: items.slice(n) }
  const got = items.slice(items.length - n).reverse()
  return { got, rest: items.slice(0, items.length - n) }
}

function put(items: readonly string[], side: string, values: readonly string[]): string[] {
  return side === 'LEFT' ? [...[...values].reverse(), ...items] : [...items, ...values]
}

function listOf(items: readonly string[]): ListValue {
  return { kind: 'list', items }
}

function setOf(items: readonly string[]): SetValue {
  return { kind: 'set', items: [...new Set(items)].sort() }
}

function push(side: string, onlyThere: boolean): Handler {
  return (state, [, key = '', ...values]) => {
    const items = state.list(key)
    if (onlyThere && items.length === 0) return only(0, state)
    const now = put(items, side, values)
    return only(now.length, state.with(key, listOf(now)))
  }
}

function pop(side: string): Handler {
  return (state, [, key = '', count]) => {
    const { got, rest } = taken(state.list(key), side, Number(count ?? 1))
    if (state.list(key).length === 0) return only(null, state)
    const answer = count === undefined ? (got[0] ?? null) : got
    return only(answer, state.with(key, listOf(rest)))
  }
}

/** BLPOP, BRPOP: what it was answered when it was served, or when it gave up. */
function waitingPop(side: string): Handler {
  return (state, words) => {
    const key = words.slice(1, -1).find(each => state.list(each).length > 0)
    if (key === undefined) return only(null, state)
    const { got, rest } = taken(state.list(key), side, 1)
    return only([key, got[0] ?? null], state.with(key, listOf(rest)))
  }
}

/** LMPOP, and with `first` of 2 BLMPOP: numkeys keys LEFT|RIGHT [COUNT n]. */
function multiPop(first: number): Handler {
  return (state, words) => {
    const numkeys = Number(words[first])
    const keys = words.slice(first + 1, first + 1 + numkeys)
    const side = words[first + 1 + numkeys] ?? ''
    const count = Number(words[first + 3 + numkeys] ?? 1)
    const key = keys.find(each => state.list(each).length > 0)
    if (key === undefined) return only(null, state)
    const { got, rest } = taken(state.list(key), side, count)
    return only([key, got], state.with(key, listOf(rest)))
  }
}

function move(state: State, from: string, to: string, side: string, toSide: string): Result[] {
  const { got, rest } = taken(state.list(from), side, 1)
  const [value] = got
  if (value === undefined) return only(null, state)
  const without = state.with(from, listOf(rest))
  return only(value, without.with(to, listOf(put(without.list(to), toSide, [value]))))
}

const lmove: Handler = (state, [, from = '', to = '', side = '', toSide = '']) =>
  move(state, from, to, side, toSide)
const rpoplpush: Handler = (state, [, from = '', to = '']) => move(state, from, to, 'RIGHT', 'LEFT')

function lrem(state: State, [, key = '', , value = '']: readonly string[]): Result[] {
  const items = state.list(key)
  const rest = items.filter(item => item !== value)
  return only(items.length - rest.length, state.with(key, listOf(rest)))
}

const spop: Handler = (state, [, key = '', count], _moment, wanted) => {
  const items = state.set(key)
  const n = Math.min(Number(count ?? 1), items.length)
  if (n === 0) return only(count === undefined ? null : [], state)
  const choices = wanted === undefined ? combinations(items, n) : [namesOf(wanted)]
  return choices
    .filter(names => names.length === n && names.every(name => items.includes(name)))
    .map(names => {
      const rest = items.filter(item => !names.includes(item))
      return { answer: wanted ?? null, state: state.with(key, setOf(rest)) }
    })
}

function namesOf(answer: Answer): string[] {
  return (Array.isArray(answer) ? answer : [answer]).map(String)
}

const srandmember: Handler = (state, [, key = ''], _moment, wanted) => {
  const items = state.set(key)
  if (items.length === 0) return only(null, state)
  return items.includes(String(wanted)) ? only(String(wanted), state) : []
}

const smove: Handler = (state, [, from = '', to = '', member = '']) => {
  if (!state.set(from).includes(member)) return only(0, state)
  const without = state.with(from, setOf(state.set(from).filter(each => each !== member)))
  return only(1, without.with(to, setOf([...without.set(to), member])))
}

/** How many of `members` are in the set at `key`, and the set as `change` leaves it. */
function counted(
  change: (items: readonly string[], members: readonly string[]) => string[],
): Handler {
  return (state, [, key = '', ...members]) => {
    const before = state.set(key)
    const after = setOf(change(before, members))
    return only(Math.abs(after.items.length - before.length), state.with(key, after))
  }
}

const HANDLERS: Readonly<Record<string, Handler>> = {
  RPUSH: push('RIGHT', false),
  LPUSH: push('LEFT', false),
  RPUSHX: push('RIGHT', true),
  LPUSHX: push('LEFT', true),
  LPOP: pop('LEFT'),
  RPOP: pop('RIGHT'),
  BLPOP: waitingPop('LEFT'),
  BRPOP: waitingPop('RIGHT'),
  LMPOP: multiPop(1),
  BLMPOP: multiPop(2),
  LMOVE: lmove,
  BLMOVE: lmove,
  RPOPLPUSH: rpoplpush,
  BRPOPLPUSH: rpoplpush,
  LREM: lrem,
  LLEN: (state, [, key = '']) => only(state.list(key).length, state),
  LRANGE: (state, [, key = '']) => only(state.list(key), state),

  SADD: counted((items, members) => [...items, ...members]),
  SREM: counted((items, members) => items.filter(item => !members.includes(item))),
  SPOP: spop,
  SRANDMEMBER: srandmember,
  SMOVE: smove,
  SCARD: (state, [, key = '']) => only(state.set(key).length, state),
  SISMEMBER: (state, [, key = '', member = '']) =>
    only(state.set(key).includes(member) ? 1 : 0, state),
  SMISMEMBER: (state, [, key = '', ...members]) =>
    only(
      members.map(member => (state.set(key).includes(member) ? 1 : 0)),
      state,
    ),
  SMEMBERS: (state, [, key = ''], _moment, wanted) => {
    const same = wanted !== undefined && isSame(setOf(namesOf(wanted)).items, state.set(key))
    return same ? only(wanted, state) : []
  },
}

/** What strings do once it is settled which of them live. */
type TextHandler = (texts: Texts, words: readonly string[], moment: Moment) => Answer

/** The strings of a state, for one command. */
class Texts {
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

const TEXT_HANDLERS: Readonly<Record<string, TextHandler>> = {
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
const TEXT_READS = new Set(['GET', 'STRLEN', 'MGET', 'EXISTS', 'PTTL'])

export class Model {
  readonly #slack: number

  /** @param slack how far the clocks of leaders are apart, in ms; Infinity where they jump */
  constructor(slack: number) {
    this.#slack = slack
  }

  /** No keys. */
  empty(): State {
    return new State(new Map())
  }

  /**
   * All that `words` may have answered, each with the state behind it.
   *
   * @param wanted what was answered, where that is known: what is random need not be tried in vain
   */
  run(state: State, words: readonly string[], moment: Moment, wanted?: Answer): Result[] {
    const [name = ''] = words
    const plain = HANDLERS[name]
    if (plain !== undefined) return plain(state, words, moment, wanted)
    const handler = TEXT_HANDLERS[name]
    if (handler === undefined) throw new Error(`the model does not know ${name}`)
    const keys = keysOf(words)
    return this.#lives(state, keys, moment).map(alive => {
      const texts = new Texts(alive)
      const answer = handler(texts, words, moment)
      return { answer, state: TEXT_READS.has(name) ? state : texts.state }
    })
  }

  /** The state with and without those of `keys` whose time may have come. */
  #lives(state: State, keys: readonly string[], moment: Moment): State[] {
    let states = [state]
    for (const key of new Set(keys)) {
      const value = state.get(key)
      if (value?.kind !== 'text' || value.dies === null) continue
      const { from, to } = value.dies
      const without =
        moment.to + this.#slack >= from ? states.map(each => each.with(key, null)) : []
      states = moment.from - this.#slack <= to ? [...states, ...without] : without
    }
    return states
  }
}

function keysOf(words: readonly string[]): readonly string[] {
  const [name = '', ...rest] = words
  if (name.startsWith('MSET')) return rest.filter((_, i) => i % 2 === 0)
  if (name === 'MGET' || name === 'DEL' || name === 'EXISTS') return rest
  if (name === 'COPY') return rest.slice(0, 2)
  return rest.slice(0, 1)
}
