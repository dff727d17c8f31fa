// What the commands on sets may answer, and what they leave.

import { type Answer, type Handler, isSame, only, type SetValue } from './plain-state.ts'

function combinations(items: readonly string[], count: number): string[][] {
  if (count === 0) return [[]]
  return items.flatMap((item, i) =>
    combinations(items.slice(i + 1), count - 1).map(rest => [item, ...rest]),
  )
}

function setOf(items: readonly string[]): SetValue {
  return { kind: 'set', items: [...new Set(items)].sort() }
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

export const setHandlers: Readonly<Record<string, Handler>> = {
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
