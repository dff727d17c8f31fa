// SCRIPT FLUSH and FUNCTION FLUSH: there are no scripts and no functions, so both are done at once.
//
// Test suites and frameworks empty a server with them before anything else, and give
// up on one that does not know them. Nothing else of scripting is known here.

import type { Argv } from '../../base/argv.ts'
import { fail, OK, type Reply } from '../../machine/reply.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import type { Session } from '../session.ts'
import { byWord, helpCommand, keylessFacts } from './help.ts'

const SHARED = {
  categories: ['slow', 'scripting'],
  flags: ['noscript'],
  group: 'scripting',
} as const

function container(name: string, since: string, flushed: DeskCommand): DeskCommand {
  return {
    ...keylessFacts(name, -2, since, `A container for ${name} commands.`, { ...SHARED, flags: [] }),
    subcommands: byWord(name, [flushed, helpCommand(name, since, SHARED, [flushed])]),
  }
}

/** One word more may say how; there is nothing that could take long. */
function flush(verb: string): NonNullable<DeskCommand['run']> {
  return (_desk: Desk, _session: Session, argv: Argv): Reply => {
    const known =
      argv.count === 2 || (argv.count === 3 && (argv.is(2, 'SYNC') || argv.is(2, 'ASYNC')))
    return known ? OK : fail(`ERR ${verb} SYNC|ASYNC option`)
  }
}

export const SCRIPTING_COMMANDS: readonly DeskCommand[] = [
  container('script', '2.6.0', {
    ...keylessFacts('script|flush', -2, '2.6.0', 'Removes all scripts: there are none.', SHARED),
    run: flush('SCRIPT FLUSH only support'),
  }),
  container('function', '7.0.0', {
    ...keylessFacts(
      'function|flush',
      -2,
      '7.0.0',
      'Removes all functions: there are none.',
      SHARED,
    ),
    run: flush('FUNCTION FLUSH only supports'),
  }),
]
