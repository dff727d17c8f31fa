// `slotcast ctl`: the words and flags of the commands that look at a running cluster.

import type { Command } from 'commander'
import type { ControlFlags } from './ctl-commands.ts'

const COMMANDS: readonly (readonly [words: string, text: string])[] = [
  ['status', 'one verdict, nodes and shards; exit code 10 when not well'],
  ['nodes', 'nodes, their addresses, what they lead'],
  ['shards', 'shards, their slots, leaders and replicas'],
  ['topology', 'the whole map as JSON'],
  ['keyslot <key>', 'slot of a key, and who serves it'],
  ['exec <word...>', 'send a command, following redirects: ctl exec -- XLEN orders'],
]

export function addControlCommands(program: Command): void {
  const ctl = program.command('ctl').description('look at a running cluster')
  for (const [words, text] of COMMANDS) {
    ctl
      .command(words)
      .description(text)
      .option('--address <host:port>', 'gRPC address of any node', '127.0.0.1:7101')
      .option('--json', 'print JSON')
      // Arguments come first, then the flags, then the command itself.
      .action(async (...parameters: unknown[]) => {
        const { CONTROL_COMMANDS } = await import('./ctl-commands.ts')
        const flags = parameters.at(-2) as ControlFlags
        const given = parameters.slice(0, -2).flat() as string[]
        await CONTROL_COMMANDS[words.split(' ')[0] ?? '']?.(flags, given)
      })
  }
}
