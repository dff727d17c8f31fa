// The ownership checker: what a consumer group promises, judged from what consumers saw (TESTING 7B).
//
// Each entry is followed by itself: its one first delivery, its claims, its
// acknowledgements, and every sight of it on a pending list. Operations whose
// outcome nobody knows only widen what is allowed.

import {
  type Ack,
  type Add,
  type Anomaly,
  byKey,
  type Claim,
  type Deliver,
  type FinalGroup,
  type History,
  type LogOp,
  type Operation,
  orderOf,
  type Pending,
  type SeenPending,
} from './history.ts'
import { Removals } from './removals.ts'

/** Something that hands an entry to a consumer. */
type Transfer = { readonly op: Deliver | Claim; readonly consumer: string; readonly sure: boolean }

/** What befell one entry. */
class Life {
  readonly delivers: Deliver[] = []
  readonly claims: Claim[] = []
  readonly histories: History[] = []
  readonly acks: Ack[] = []
  /** When it was surely acknowledged. */
  ackedBy = Infinity

  /** Everything that returned the entry to a consumer. */
  get returns(): readonly (Deliver | Claim | History)[] {
    return [...this.delivers, ...this.claims, ...this.histories]
  }
}

export type OwnershipCheckOptions = {
  /** How far the log's time may be off, in ms; null: clocks jumped, idle times mean nothing. */
  readonly clockSlack: number | null
}

/**
 * Checks the operations of groups. A group has the key of its stream: one group a stream.
 *
 * @param history group operations, and the adds, trims and deletes of their streams
 */
export function checkOwnership(
  history: readonly Operation[],
  options: OwnershipCheckOptions = { clockSlack: null },
): Anomaly[] {
  const anomalies: Anomaly[] = []
  for (const [key, ops] of byKey(history)) {
    anomalies.push(...new OwnershipChecker(key, ops, options).check())
  }
  return anomalies
}

class OwnershipChecker {
  readonly #key: string
  readonly #ops: readonly Operation[]
  readonly #options: OwnershipCheckOptions
  readonly #removals: Removals
  readonly #anomalies: Anomaly[] = []
  readonly #lives = new Map<string, Life>()
  readonly #finals: readonly FinalGroup[]
  readonly #unknownDelivers: readonly Deliver[]
  readonly #unknownClaims: readonly Claim[]
  readonly #unknownHistories: readonly History[]

  constructor(key: string, ops: readonly Operation[], options: OwnershipCheckOptions) {
    this.#key = key
    this.#ops = ops
    this.#options = options
    this.#removals = new Removals(ops as readonly LogOp[])
    this.#finals = ops.filter(op => op.op === 'final-group').filter(op => op.outcome === 'ok')
    const unknown = ops.filter(op => op.outcome === 'info')
    this.#unknownDelivers = unknown.filter(op => op.op === 'deliver')
    this.#unknownClaims = unknown.filter(op => op.op === 'claim')
    this.#unknownHistories = unknown.filter(op => op.op === 'history')
  }

  check(): readonly Anomaly[] {
    this.#gather()
    for (const [id, life] of this.#lives) {
      this.#checkDeliveries(id, life)
      this.#checkAcks(id, life)
      this.#checkAcked(id, life)
      this.#checkIdle(id, life)
    }
    this.#checkDeliveryOrder()
    for (const op of this.#ops) {
      if (op.op === 'pending' && op.outcome === 'ok') this.#checkPending(op, op.pending)
      if (op.op === 'history' && op.outcome === 'ok') this.#checkHistory(op)
    }
    for (const final of this.#finals) this.#checkFinal(final)
    this.#checkEqual()
    return this.#anomalies
  }

  #report(name: string, text: string): void {
    this.#anomalies.push({ name, key: this.#key, text })
  }

  #life(id: string): Life {
    let life = this.#lives.get(id)
    if (life === undefined) {
      life = new Life()
      this.#lives.set(id, life)
    }
    return life
  }

  #gather(): void {
    for (const op of this.#ops) {
      if (op.op === 'ack' && op.outcome !== 'fail') {
        for (const id of op.ids) this.#life(id).acks.push(op)
      }
      if (op.outcome !== 'ok') continue
      if (op.op === 'deliver') {
        for (const entry of op.entries) this.#life(entry.id).delivers.push(op)
      } else if (op.op === 'claim') {
        for (const id of op.ids) this.#life(id).claims.push(op)
      } else if (op.op === 'history') {
        for (const id of op.ids) this.#life(id).histories.push(op)
      }
    }
    for (const [id, life] of this.#lives) life.ackedBy = ackedBy(id, life)
  }

  /** New entries go to one consumer, once. */
  #checkDeliveries(id: string, life: Life): void {
    const [first, second] = life.delivers
    if (first !== undefined && second !== undefined)
      this.#report('delivered-twice', `${id} to ${first.consumer} and ${second.consumer}`)
  }

  /** XACK answers 1 once, and not 0 for what is pending. */
  #checkAcks(id: string, life: Life): void {
    const counted = life.acks.filter(ack => ack.outcome === 'ok' && ack.count === ack.ids.length)
    if (counted.length > 1) this.#report('acked-twice', `${id} counted by ${counted.length} acks`)
    for (const ack of life.acks) {
      if (ack.outcome !== 'ok' || ack.ids.length !== 1 || ack.count !== 0) continue
      const delivered = life.returns.some(op => op.t1 < ack.t0)
      const others = life.acks.some(other => other !== ack && other.t0 < ack.t1)
      if (delivered && !others && ack.attempts === 1 && !this.#removals.mayRemove(id))
        this.#report('ack-ignored', `${id} was pending, its ack [${ack.t0}, ${ack.t1}] answered 0`)
    }
  }

  /** What is acknowledged stays so. */
  #checkAcked(id: string, life: Life): void {
    for (const op of life.returns) {
      if (op.t0 > life.ackedBy)
        this.#report('acked-came-back', `${id} acked by ${life.ackedBy}, ${op.op} at ${op.t0}`)
    }
  }

  /** Nobody takes an entry before its idle time, so of two concurrent claims one wins. */
  #checkIdle(id: string, life: Life): void {
    const slack = this.#options.clockSlack
    if (slack === null) return
    for (const claim of life.claims) {
      for (const other of [...life.delivers, ...life.claims]) {
        if (other === claim) continue
        const otherFirst = claim.t1 - other.t0 + slack >= claim.minIdle && other.t0 <= claim.t1
        const claimFirst =
          other.op === 'claim' &&
          other.t1 - claim.t0 + slack >= other.minIdle &&
          claim.t0 <= other.t1
        if (!otherFirst && !claimFirst)
          this.#report('claimed-early', `${id} by ${claim.consumer} beside ${other.consumer}`)
      }
    }
  }

  /** New entries come in the order of their IDs. */
  #checkDeliveryOrder(): void {
    const done: { time: number; id: string }[] = []
    const begun: Deliver[] = []
    for (const op of this.#ops) {
      if (op.outcome !== 'ok') continue
      if (op.op === 'deliver') {
        begun.push(op)
        this.#checkOneOrder(op)
      }
      const ids = idsOf(op)
      for (const id of ids) done.push({ time: op.t1, id })
    }
    done.sort((a, b) => a.time - b.time)
    begun.sort((a, b) => a.t0 - b.t0)
    let next = 0
    let highest = ''
    for (const op of begun) {
      while (next < done.length && (done[next] as { time: number }).time < op.t0) {
        const order = orderOf((done[next] as { id: string }).id)
        if (order > highest) highest = order
        next += 1
      }
      for (const entry of op.entries) {
        if (orderOf(entry.id) <= highest)
          this.#report('delivery-went-back', `${entry.id} to ${op.consumer} at ${op.t0}`)
      }
    }
  }

  #checkOneOrder(op: Deliver): void {
    let before = ''
    for (const entry of op.entries) {
      const order = orderOf(entry.id)
      if (order <= before) this.#report('delivery-disorder', `${entry.id} to ${op.consumer}`)
      before = order
    }
  }

  /** Whoever is seen to own an entry got it, and nobody surely took it away since. */
  #mayOwn(id: string, consumer: string, t0: number, t1: number): boolean {
    const life = this.#life(id)
    const transfers: Transfer[] = []
    for (const op of life.delivers) transfers.push({ op, consumer: op.consumer, sure: true })
    for (const op of life.claims) transfers.push({ op, consumer: op.consumer, sure: true })
    if (life.delivers.length === 0) {
      for (const op of this.#unknownDelivers)
        transfers.push({ op, consumer: op.consumer, sure: false })
    }
    for (const op of this.#unknownClaims) {
      if (op.asked === null || op.asked.includes(id))
        transfers.push({ op, consumer: op.consumer, sure: false })
    }
    return transfers.some(
      mine =>
        mine.consumer === consumer &&
        mine.op.t0 < t1 &&
        !transfers.some(
          taken =>
            taken.sure &&
            taken.consumer !== consumer &&
            mine.sure &&
            taken.op.t0 > mine.op.t1 &&
            taken.op.t1 < t0,
        ),
    )
  }

  #checkHistory(op: History): void {
    for (const id of op.ids) {
      if (!this.#mayOwn(id, op.consumer, op.t0, op.t1))
        this.#report('wrong-owner', `${op.consumer} has ${id} at ${op.t0} without a claim`)
    }
  }

  #checkPending(at: Pending | FinalGroup, pending: readonly SeenPending[]): void {
    for (const seen of pending) {
      const life = this.#life(seen.id)
      if (life.ackedBy < at.t0)
        this.#report('acked-came-back', `${seen.id} acked by ${life.ackedBy}, pending at ${at.t0}`)
      if (!this.#mayOwn(seen.id, seen.consumer, at.t0, at.t1))
        this.#report('wrong-owner', `${seen.id} is pending for ${seen.consumer} at ${at.t0}`)
      this.#checkCount(seen, life, at)
    }
  }

  /** The delivery counter rises by one for each delivery. */
  #checkCount(seen: SeenPending, life: Life, at: Pending | FinalGroup): void {
    const returns = life.returns
    const sure = returns.filter(op => op.t1 < at.t0).length
    const possible =
      returns.filter(op => op.t0 < at.t1).length +
      (life.delivers.length === 0 ? Math.min(1, this.#unknownDelivers.length) : 0) +
      this.#unknownClaims.filter(op => op.asked === null || op.asked.includes(seen.id)).length +
      this.#unknownHistories.length
    if (seen.deliveries < sure || seen.deliveries > possible)
      this.#report(
        'delivery-count',
        `${seen.id} says ${seen.deliveries}, was delivered ${sure} to ${possible} times`,
      )
  }

  /** Added = acknowledged + pending + not yet delivered, as sets, disjoint. */
  #checkFinal(final: FinalGroup): void {
    this.#checkPending(final, final.pending)
    const pending = new Set(final.pending.map(seen => seen.id))
    const last = orderOf(final.lastDelivered)
    for (const id of this.#knownIds()) {
      const life = this.#life(id)
      if (orderOf(id) > last) {
        if (life.returns.length > 0 || pending.has(id))
          this.#report('last-delivered-went-back', `${id} was delivered, node ${final.node}`)
        continue
      }
      if (pending.has(id) || this.#removals.mayRemove(id)) continue
      const delivered = life.returns.length > 0 || this.#unknownDelivers.length > 0
      if (!delivered) this.#report('skipped', `${id} was never delivered, node ${final.node}`)
      else if (life.acks.length === 0)
        this.#report('pending-lost', `${id} is neither acked nor pending, node ${final.node}`)
    }
    const consumers = new Set(final.consumers)
    for (const seen of final.pending) {
      if (!consumers.has(seen.consumer))
        this.#report('orphan', `${seen.id} is pending for ${seen.consumer}, who is not there`)
    }
  }

  #knownIds(): Set<string> {
    const ids = new Set<string>()
    for (const op of this.#ops) {
      if (op.outcome !== 'ok') continue
      if (op.op === 'add') ids.add((op as Add).id ?? '0-0')
      else if (op.op === 'final-log') for (const entry of op.entries) ids.add(entry.id)
    }
    ids.delete('0-0')
    return ids
  }

  #checkEqual(): void {
    const [first, ...others] = this.#finals
    if (first === undefined) return
    const expected = formatGroup(first)
    for (const other of others) {
      if (formatGroup(other) !== expected)
        this.#report('diverged', `node ${first.node} and node ${other.node} differ`)
    }
  }
}

function ackedBy(id: string, life: Life): number {
  let by = Infinity
  for (const ack of life.acks) {
    if (ack.outcome !== 'ok') continue
    // Whatever it answered: what was delivered before the ack is not pending after it.
    const delivered = life.returns.some(op => op.t1 < ack.t0)
    const counted = ack.count === ack.ids.length
    if ((counted || delivered) && ack.ids.includes(id)) by = Math.min(by, ack.t1)
  }
  return by
}

function idsOf(op: Operation): readonly string[] {
  if (op.op === 'deliver') return op.entries.map(entry => entry.id)
  if (op.op === 'claim' || op.op === 'history') return op.ids
  return op.op === 'pending' ? op.pending.map(seen => seen.id) : []
}

function formatGroup(final: FinalGroup): string {
  const pending = final.pending.map(seen => `${seen.id}:${seen.consumer}:${seen.deliveries}`)
  return [final.lastDelivered, [...final.consumers].sort().join(','), ...pending].join(' ')
}
