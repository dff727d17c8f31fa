// The table of commands as text: the page docs/commands.md.

import { DESK_COMMANDS } from './broker/commands/table.ts'
import { DIFFERENCES } from './command-differences.ts'
import type { CommandFacts } from './machine/command.ts'
import { COMMANDS } from './machine/commands/table.ts'

const INTRODUCTION = `# Commands

Made from the tables of commands by \`npm run docs\`; change it there, and what differs from Redis in
\`src/command-differences.ts\`.

Names, words, replies and errors are Redis' own. *Since* is the Redis that brought the command. *Words* counts
the name; a minus says "at least". What is not listed is answered with \`ERR unknown command\`, as Redis answers
what it does not know. Where a command does otherwise than Redis, a note below its table says so, and why.

All nodes answer commands without keys for themselves. Commands with keys go to the leader of their slot; another
node answers \`MOVED\`.
`

/** Headings, in the order of the page. A group without one stands at the end under its own name. */
const TITLES: ReadonlyMap<string, string> = new Map([
  ['stream', 'Streams'],
  ['list', 'Lists'],
  ['string', 'Strings'],
  ['set', 'Sets'],
  ['generic', 'Keys'],
  ['transactions', 'Transactions'],
  ['pubsub', 'Publish and subscribe'],
  ['scripting', 'Scripting'],
  ['connection', 'Connections'],
  ['server', 'Server'],
  ['cluster', 'Cluster'],
])

/** Every command there is by name, subcommands in place of their containers. */
export function documentedCommands(): readonly CommandFacts[] {
  const all = [...COMMANDS, ...DESK_COMMANDS].flatMap((facts: CommandFacts) => {
    const subs = [...(facts.subcommands?.values() ?? [])]
    // Of containers only COMMAND does something by itself.
    return facts.subcommands === undefined || facts.arity === -1 ? [facts, ...subs] : subs
  })
  return all.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The whole of docs/commands.md. */
export function commandsPage(): string {
  const groups = new Map<string, CommandFacts[]>([...TITLES.keys()].map(group => [group, []]))
  for (const facts of documentedCommands()) {
    const members = groups.get(facts.group)
    if (members === undefined) groups.set(facts.group, [facts])
    else members.push(facts)
  }
  const parts = [INTRODUCTION]
  for (const [group, members] of groups)
    if (members.length > 0) parts.push(groupText(TITLES.get(group) ?? group, members))
  return parts.join('\n')
}

function groupText(title: string, members: readonly CommandFacts[]): string {
  const rows = members.map(
    ({ name, arity, since, summary }) =>
      `| \`${shown(name)}\` | ${arity} | ${since} | ${summary.replaceAll('|', '\\|')} |\n`,
  )
  const notes = members.flatMap(({ name }) => {
    const note = DIFFERENCES.get(name)
    return note === undefined ? [] : [`- \`${shown(name)}\`: ${note}\n`]
  })
  const table = `## ${title}\n\n| Command | Words | Since | What it does |\n| --- | --- | --- | --- |\n${rows.join('')}`
  return notes.length === 0 ? table : `${table}\nOtherwise than in Redis:\n\n${notes.join('')}`
}

function shown(name: string): string {
  return name.replace('|', ' ').toUpperCase()
}
