// Who was refused at the door: failed AUTH and HELLO, for ACL LOG.
//
// As Redis groups them: the same user by the same command within a minute is one
// entry with a count. The newest come first, and so many are kept.

import type { Ms } from '../base/types.ts'

const ENTRIES_MAX = 128
const GROUPED_MS: Ms = 60_000

export type AuthFailure = {
  readonly object: 'AUTH' | 'HELLO'
  readonly username: string
  count: number
  /** Monotonic. */
  at: Ms
  /** The line of CLIENT LIST. */
  client: string
}

export class AuthLog {
  #entries: AuthFailure[] = []

  add(object: AuthFailure['object'], username: string, at: Ms, client: string): void {
    const i = this.#entries.findIndex(
      other =>
        other.object === object && other.username === username && at - other.at <= GROUPED_MS,
    )
    const known = i < 0 ? undefined : this.#entries.splice(i, 1)[0]
    const count = (known?.count ?? 0) + 1
    this.#entries.unshift({ object, username, count, at, client })
    if (this.#entries.length > ENTRIES_MAX) this.#entries.pop()
  }

  newest(count: number): readonly AuthFailure[] {
    return this.#entries.slice(0, count)
  }

  reset(): void {
    this.#entries = []
  }
}
