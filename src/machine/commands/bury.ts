// The entry by which keys whose time has come are removed: proposed by the leader, never by clients.
//
// It names keys, and applying it removes those that are dead at the entry's own time:
// a key that was given more time meanwhile stays.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec } from '../command.ts'
import { OK } from '../reply.ts'
import { keysFrom } from './facts.ts'

const NAME = 'slotcast.bury'

export const buryDead: CommandSpec<Argv> = {
  name: NAME,
  arity: -2,
  flags: ['write'],
  categories: ['write', 'keyspace', 'slow'],
  keys: keysFrom(1, 'RM', 'DELETE'),
  since: '1.0.0',
  group: 'generic',
  summary: 'Removes keys whose time has come.',
  complexity: 'O(N*log(K)) where N is the number of keys named and K that of keys with an expiry.',
  parse: argv => argv,
  apply(state, argv) {
    for (let i = 1; i < argv.count; i += 1) state.bury(argv.latin1(i))
    return OK
  },
}

/** Makes `argv` the command for `keys` (latin1). */
export function buryCommand(argv: Argv, keys: readonly string[]): void {
  argv.assign([NAME, ...keys.map(key => Buffer.from(key, 'latin1'))])
}
