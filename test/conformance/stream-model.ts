// A stream as COMMANDS says it works, written for plainness: arrays that are searched, one
// object an entry, no packing. What the state machine does is compared with it, of the
// newest commands too, for which there is no server to ask.
//
// IDs are numbers here, `ms * 1000 + seq`. Only commands that are well formed come here.

export type Plain = string | number | null | readonly Plain[]
type Entry = { readonly id: number; readonly fields: readonly string[] }
/** Nobody's after XNACK, and then of time 0. */
type Pending = { readonly id: number; owner: string; time: number; count: number }
type Group = {
  last: number
  /** In the order in which they are claimed: by time of delivery, what was given back first. */
  pending: Pending[]
}
type Iid = { readonly text: string; readonly id: number }
export type Policy = 'KEEPREF' | 'DELREF' | 'ACKED'
export type Trim = {
  readonly by: 'MAXLEN' | 'MINID'
  readonly bound: number
  readonly policy: Policy
}

const TOP = '!ERR The ID specified in XADD is equal or smaller than the target stream top item'
const FATAL = 9223372036854775807n

export function idText(id: number): string {
  return `${Math.floor(id / 1000)}-${id % 1000}`
}

function noGroup(key: string, name: string): string {
  return `!NOGROUP No such key '${key}' or consumer group '${name}'`
}

function bulkBytes(text: string): number {
  return `$${text.length}\r\n${text}\r\n`.length
}

export class ModelStream {
  entries: Entry[] = []
  last = 0
  readonly groups = new Map<string, Group>()
  #maxIids = 100
  #duration = 100
  #iids = new Map<string, Iid[]>()

  #isReferenced(id: number): boolean {
    const groups = [...this.groups.values()]
    return (
      groups.some(({ last }) => last < id) ||
      groups.some(({ pending }) => pending.some(one => one.id === id))
    )
  }

  #dropReferences(id: number): void {
    for (const group of this.groups.values())
      group.pending = group.pending.filter(one => one.id !== id)
  }

  has(id: number): boolean {
    return this.entries.some(entry => entry.id === id)
  }

  #remove(id: number): boolean {
    const had = this.has(id)
    this.entries = this.entries.filter(entry => entry.id !== id)
    return had
  }

  trim({ by, bound, policy }: Trim): number {
    let removed = 0
    for (const { id } of [...this.entries]) {
      if (by === 'MAXLEN' ? this.entries.length <= bound : id >= bound) break
      if (policy === 'ACKED' && this.#isReferenced(id)) continue
      if (policy === 'DELREF') this.#dropReferences(id)
      this.#remove(id)
      removed += 1
    }
    return removed
  }

  /** @param id 0: by the clock */
  add(
    id: number,
    now: number,
    fields: readonly string[],
    trim: Trim | null,
    iid: [string, string] | null,
  ): Plain {
    const known = iid === null ? null : this.#iids.get(iid[0])?.find(({ text }) => text === iid[1])
    if (known) return idText(known.id)
    const given = id > 0 ? id : Math.max(now * 1000, this.last + 1)
    if (given <= this.last) return TOP
    this.last = given
    this.entries.push({ id: given, fields })
    if (iid !== null) {
      const row = this.#iids.get(iid[0]) ?? []
      row.push({ text: iid[1], id: given })
      if (row.length > this.#maxIids) row.shift()
      this.#iids.set(iid[0], row)
    }
    if (trim !== null) this.trim(trim)
    return idText(given)
  }

  configure(maxIids: number | null, duration: number | null): void {
    const isOther =
      (maxIids ?? this.#maxIids) !== this.#maxIids ||
      (duration ?? this.#duration) !== this.#duration
    if (isOther) this.#iids = new Map()
    this.#maxIids = maxIids ?? this.#maxIids
    this.#duration = duration ?? this.#duration
  }

  delete(ids: readonly number[]): number {
    return ids.filter(id => this.#remove(id)).length
  }

  deleteEx(policy: Policy, ids: readonly number[]): Plain {
    return ids.map(id => {
      if (policy === 'ACKED' && this.#isReferenced(id)) return 2
      if (policy === 'DELREF') this.#dropReferences(id)
      return this.#remove(id) ? 1 : -1
    })
  }

  acknowledge(name: string, ids: readonly number[]): number {
    const group = this.groups.get(name)
    if (group === undefined) return 0
    const before = group.pending.length
    group.pending = group.pending.filter(({ id }) => !ids.includes(id))
    return before - group.pending.length
  }

  acknowledgeDelete(name: string, policy: Policy, ids: readonly number[]): Plain {
    return ids.map(id => {
      if (this.acknowledge(name, [id]) === 0) return -1
      if (policy === 'ACKED' && this.#isReferenced(id)) return 2
      if (policy === 'DELREF') this.#dropReferences(id)
      this.#remove(id)
      return 1
    })
  }

  /** Gives entries back, behind those that were given back before. */
  release(
    key: string,
    name: string,
    mode: string,
    ids: readonly number[],
    retries: number | null,
    force: boolean,
  ): Plain {
    const group = this.groups.get(name)
    if (group === undefined) return noGroup(key, name)
    let released = 0
    for (const id of ids) {
      const one = group.pending.find(other => other.id === id)
      if (one === undefined && !(force && this.has(id))) continue
      const before = one?.count ?? 0
      const fatal = Number(FATAL)
      const isLess = mode === 'SILENT' && one !== undefined && before < fatal
      const count =
        retries ?? (mode === 'FATAL' ? fatal : Math.max(0, isLess ? before - 1 : before))
      group.pending = group.pending.filter(other => other.id !== id)
      const at = group.pending.filter(({ time }) => time === 0).length
      group.pending.splice(at, 0, { id, owner: '', time: 0, count })
      released += 1
    }
    return released
  }

  #give(group: Group, id: number, owner: string, time: number, count: number): void {
    group.pending = group.pending.filter(one => one.id !== id)
    group.pending.push({ id, owner, time, count })
  }

  #fieldsOf(id: number): readonly string[] | null {
    return this.entries.find(entry => entry.id === id)?.fields ?? null
  }

  /** What `>` delivers, at most `count` entries; with `minIdle` also what may be claimed. */
  deliver(
    name: string,
    owner: string,
    now: number,
    count: number,
    noAck: boolean,
    minIdle: number | null,
  ): Plain[] {
    const group = this.groups.get(name) as Group
    const out: Plain[] = []
    const due = group.pending.filter(
      ({ id, time }) => minIdle !== null && (time === 0 || now - time >= minIdle) && this.has(id),
    )
    // Of one moment the lower ID goes first, but what was given back waits in line.
    due.sort((a, b) => a.time - b.time || (a.time === 0 ? 0 : a.id - b.id))
    for (const { id, time, count: before } of due.slice(0, count)) {
      out.push([idText(id), this.#fieldsOf(id), now - time, before])
      this.#give(group, id, owner, now, Math.min(before + 1, Number(FATAL)))
    }
    for (const { id, fields } of this.entries) {
      if (out.length >= count) break
      if (id <= group.last) continue
      group.last = id
      out.push(minIdle === null ? [idText(id), fields] : [idText(id), fields, 0, 0])
      if (!noAck) this.#give(group, id, owner, now, 1)
    }
    return out
  }

  history(name: string, owner: string, now: number, count: number, after: number): Plain[] {
    const group = this.groups.get(name) as Group
    const own = group.pending
      .filter(one => one.owner === owner && one.id > after)
      .sort((a, b) => a.id - b.id)
    return own.slice(0, count).map(one => {
      const fields = this.#fieldsOf(one.id)
      if (fields === null) return [idText(one.id), 'null-array']
      this.#give(group, one.id, owner, now, one.count + 1)
      return [idText(one.id), fields]
    })
  }

  claim(
    key: string,
    name: string,
    owner: string,
    now: number,
    minIdle: number,
    id: number,
    force: boolean,
    justId: boolean,
  ): Plain {
    const group = this.groups.get(name)
    if (group === undefined) return noGroup(key, name)
    const one = group.pending.find(other => other.id === id)
    if (!this.has(id)) {
      this.acknowledge(name, [id])
      return []
    }
    if (one === undefined && !force) return []
    if (one !== undefined && one.time > 0 && now - one.time < minIdle) return []
    // What was pending nowhere counts as delivered once.
    const before = one?.count ?? 1
    this.#give(group, id, owner, now, justId ? before : before + 1)
    return [justId ? idText(id) : [idText(id), this.#fieldsOf(id)]]
  }

  pendingOf(key: string, name: string, now: number): Plain {
    const group = this.groups.get(name)
    if (group === undefined) return noGroup(key, name)
    return [...group.pending]
      .sort((a, b) => a.id - b.id)
      .map(({ id, owner, time, count }) => [idText(id), owner, time === 0 ? -1 : now - time, count])
  }

  range(): Plain {
    return this.entries.map(({ id, fields }) => [idText(id), fields])
  }

  /** Entries behind `after` within what is left of the limits; `budget` is used up. */
  read(
    key: string,
    after: number,
    count: number,
    budget: { entries: number; bytes: number; taken: number },
  ): Plain[] {
    const found = this.entries.filter(({ id }) => id > after)
    const isSpent = (): boolean => budget.entries <= 0 || (budget.taken > 0 && budget.bytes <= 0)
    const out: Plain[] = []
    if (found.length === 0 || isSpent()) return out
    budget.bytes -= 8 + bulkBytes(key)
    for (const { id, fields } of found.slice(0, count)) {
      if (isSpent()) break
      budget.entries -= 1
      budget.taken += 1
      budget.bytes -=
        8 + bulkBytes(idText(id)) + fields.reduce((sum, text) => sum + bulkBytes(text), 0)
      out.push([idText(id), fields])
    }
    return out
  }
}
