// What clients saw: the histories that checkers judge, whoever recorded them.
//
// Times are milliseconds of one clock that all recorders share (virtual in the
// simulator, monotonic between processes). An operation ends in one of three
// ways. `fail` promises that it did not happen and never will. `info` promises
// nothing: it may have happened, may happen yet, or never. Everything else that
// a client could not make sense of is `info`, never `fail`.

export type Outcome = 'ok' | 'fail' | 'info'

/** A stream entry as a client saw it; values are unique: `process:counter`. */
export type SeenEntry = { readonly id: string; readonly value: string }

/** An entry on a pending list. */
export type SeenPending = {
  readonly id: string
  readonly consumer: string
  readonly deliveries: number
}

type Base = {
  readonly process: number
  /** The stream, or stream and group: what is checked by itself. */
  readonly key: string
  readonly t0: number
  /** Infinity while the outcome is `info`: it may take effect at any later time. */
  readonly t1: number
  readonly outcome: Outcome
}

export type Add = Base & {
  readonly op: 'add'
  readonly value: string
  /** How often it may have taken effect: 1, or more after retries without a producer session. */
  readonly attempts: number
  /** The limit of an XADD that also trims, else null. */
  readonly maxlen: number | null
  /** The ID when `ok`. */
  readonly id: string | null
}

/** A linearizable read of the whole stream. */
export type Range = Base & { readonly op: 'range'; readonly entries: readonly SeenEntry[] }

/** XREAD: what follows `after`, at most `count`. An empty list when there was nothing in time. */
export type Read = Base & {
  readonly op: 'read'
  readonly after: string
  readonly count: number | null
  readonly blocking: boolean
  readonly entries: readonly SeenEntry[]
}

/** XTRIM, exact. One of the two limits is null. */
export type Trim = Base & {
  readonly op: 'trim'
  readonly maxlen: number | null
  readonly minid: string | null
}

export type Delete = Base & { readonly op: 'delete'; readonly ids: readonly string[] }

/** What one node's replica holds when all is over. */
export type FinalLog = Base & {
  readonly op: 'final-log'
  readonly node: number
  readonly entries: readonly SeenEntry[]
}

export type LogOp = Add | Range | Read | Trim | Delete | FinalLog

/** XREADGROUP with `>`. */
export type Deliver = Base & {
  readonly op: 'deliver'
  readonly consumer: string
  readonly entries: readonly SeenEntry[]
}

/** XREADGROUP with an ID: the consumer's own pending entries. */
export type History = Base & {
  readonly op: 'history'
  readonly consumer: string
  readonly ids: readonly string[]
}

export type Ack = Base & {
  readonly op: 'ack'
  readonly ids: readonly string[]
  /** How often it may have taken effect. */
  readonly attempts: number
  /** How many it acknowledged, when `ok`. */
  readonly count: number
}

/** XCLAIM, or XAUTOCLAIM when `asked` is null. */
export type Claim = Base & {
  readonly op: 'claim'
  readonly consumer: string
  readonly minIdle: number
  readonly asked: readonly string[] | null
  readonly ids: readonly string[]
}

/** XPENDING of the whole group. */
export type Pending = Base & { readonly op: 'pending'; readonly pending: readonly SeenPending[] }

export type FinalGroup = Base & {
  readonly op: 'final-group'
  readonly node: number
  readonly pending: readonly SeenPending[]
  readonly consumers: readonly string[]
  readonly lastDelivered: string
}

export type GroupOp = Deliver | History | Ack | Claim | Pending | FinalGroup

export type Operation = LogOp | GroupOp

/** Something that must not be. */
export type Anomaly = { readonly name: string; readonly key: string; readonly text: string }

const ORDER_DIGITS = 20
const orders = new Map<string, string>()

/** A form of a stream ID whose order as text is the order of IDs. */
export function orderOf(id: string): string {
  let order = orders.get(id)
  if (order === undefined) {
    const [ms = '0', seq = '0'] = id.split('-')
    order = ms.padStart(ORDER_DIGITS, '0') + seq.padStart(ORDER_DIGITS, '0')
    if (orders.size > 500_000) orders.clear()
    orders.set(id, order)
  }
  return order
}

export function isAfter(a: string, b: string): boolean {
  return orderOf(a) > orderOf(b)
}

/** Operations by key, in the order of the history. */
export function byKey<T extends { readonly key: string }>(ops: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const op of ops) {
    const group = groups.get(op.key)
    if (group === undefined) groups.set(op.key, [op])
    else group.push(op)
  }
  return groups
}
