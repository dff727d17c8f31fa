// What the commands on lists may answer, and what they leave.

import { type Handler, type ListValue, only, type Result, type State } from './plain-state.ts'

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

export const listHandlers: Readonly<Record<string, Handler>> = {
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
}
