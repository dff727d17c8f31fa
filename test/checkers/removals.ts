// Which entries of a stream may be gone, or surely are, by what was asked for.

import { type Add, type Delete, type LogOp, orderOf, type Trim } from './history.ts'

/** The trims and deletes of one stream. */
export class Removals {
  readonly #deletes: readonly Delete[]
  readonly #trims: readonly (Trim | Add)[]

  constructor(ops: readonly LogOp[]) {
    this.#deletes = ops.filter(op => op.op === 'delete').filter(op => op.outcome !== 'fail')
    this.#trims = ops.filter(
      (op): op is Trim | Add =>
        (op.op === 'trim' || (op.op === 'add' && op.maxlen !== null)) && op.outcome !== 'fail',
    )
  }

  get any(): boolean {
    return this.#deletes.length > 0 || this.#trims.length > 0
  }

  /** Whether an XDEL that began before `time` named `id`. */
  mayDelete(id: string, time: number): boolean {
    return this.#deletes.some(op => op.t0 < time && op.ids.includes(id))
  }

  /**
   * Whether a trim that began before `time` could have taken `id`.
   *
   * @param behind how many entries may stand behind it at most
   */
  mayTrim(id: string, behind: number, time: number): boolean {
    const order = orderOf(id)
    for (const op of this.#trims) {
      if (op.t0 >= time) continue
      if (op.op === 'trim' && op.minid !== null && order < orderOf(op.minid)) return true
      if (op.maxlen !== null && behind >= op.maxlen) return true
    }
    return false
  }

  /** Whether anything may ever take `id`. */
  mayRemove(id: string): boolean {
    return this.mayDelete(id, Infinity) || this.mayTrim(id, Infinity, Infinity)
  }

  /** When `id` was surely gone, Infinity when that is not known. */
  surelyGoneBy(id: string): number {
    let by = Infinity
    for (const op of this.#deletes) {
      if (op.outcome === 'ok' && op.ids.includes(id)) by = Math.min(by, op.t1)
    }
    for (const op of this.#trims) {
      if (op.op !== 'trim' || op.outcome !== 'ok' || op.minid === null) continue
      if (orderOf(id) < orderOf(op.minid)) by = Math.min(by, op.t1)
    }
    return by
  }
}
