// What a blocking command answers when there is nothing for it yet.

import type { Ms } from './types.ts'

export class Wait {
  /** Keys whose change may serve the command, as latin1 text. */
  readonly keys: readonly string[]
  /** How long to wait at most, from the first call on; 0 waits for ever. */
  readonly timeout: Ms

  constructor(keys: readonly string[], timeout: Ms) {
    this.keys = keys
    this.timeout = timeout
  }
}
