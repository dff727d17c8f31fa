// What a blocking command answers when there is nothing for it yet.

import type { Ms } from './types.ts'

export class Wait {
  /** Keys whose change may serve the command, as latin1 text. */
  readonly keys: readonly string[]
  /** How long to wait at most, from the first call on; 0 waits for ever. */
  readonly timeout: Ms
  /** Which change: any at all, or only that a list is there. */
  readonly needs: 'change' | 'list'
  /** When time alone may serve the command, Unix ms; 0: only a key can. */
  readonly dueAt: Ms
  /** How many commands the machine had run when it answered so: what changed before them is known. */
  seen = 0

  constructor(
    keys: readonly string[],
    timeout: Ms,
    needs: 'change' | 'list' = 'change',
    dueAt: Ms = 0,
  ) {
    this.keys = keys
    this.timeout = timeout
    this.needs = needs
    this.dueAt = dueAt
  }
}
