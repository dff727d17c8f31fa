// What the families of desk commands share: their facts, the HELP frame, and text as clients sent it.

import type { CommandFacts } from '../../machine/command.ts'
import { array, bulk, type Reply } from '../../machine/reply.ts'
import type { DeskCommand } from '../desk.ts'

type Shared = Pick<CommandFacts, 'categories' | 'flags' | 'group'>

/** Facts of a command without keys. */
export function keylessFacts(
  name: string,
  arity: number,
  since: string,
  summary: string,
  shared: Shared,
): CommandFacts {
  return { name, arity, since, summary, complexity: 'O(1)', keys: [], ...shared }
}

/** A bulk of text that has one character a byte. */
export function latin1(text: string): Reply {
  return bulk(Buffer.from(text, 'latin1'))
}

/** The frame that Redis puts around the HELP of a container. */
export function helpReply(container: string, lines: readonly string[]): Reply {
  const all = [
    `${container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
    ...lines,
    'HELP',
    '    Print this help.',
  ]
  return array(all.map(text => ({ kind: 'simple', text })))
}

/** The HELP of a container, made from the summaries of its subcommands. */
export function helpCommand(
  container: string,
  since: string,
  shared: Shared,
  others: readonly DeskCommand[],
): DeskCommand {
  const lines = others.flatMap(other => [
    other.name.slice(container.length + 1).toUpperCase(),
    `    ${other.summary}`,
  ])
  return {
    ...keylessFacts(`${container}|help`, 2, since, 'Print this help.', shared),
    run: () => helpReply(container.toUpperCase(), lines),
  }
}

/** The subcommands of a container by their own word. */
export function byWord(container: string, all: readonly DeskCommand[]): Map<string, DeskCommand> {
  return new Map(all.map(command => [command.name.slice(container.length + 1), command]))
}
