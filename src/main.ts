// The command line: `slotcast dev`, `node`, `ctl`, `bench`, `verify`.
//
// Each command is a file of its own, loaded when asked for, so that a node does not
// load tables and `ctl` does not load a storage engine. A failure of the world ends
// with one line on standard error and exit code 1.

import { enableCompileCache } from 'node:module'
import { Command, InvalidArgumentError, Option } from 'commander'
import { OperationalError } from './base/errors.ts'
import { addBenchCommand } from './bench.ts'
import { configurationHelp } from './config-page.ts'
import { environmentName } from './config-table.ts'
import { addControlCommands } from './ctl.ts'

const VERSION = '0.1.0'
const NODES_MAX = 99

function whole(least: number, most: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`A whole number in ${least}..${most} is needed.`)
    }
    return value
  }
}

/** Redis' setting of the same name. */
function debugOption(): Option {
  return new Option('--enable-debug-command [who]', 'let clients use DEBUG')
    .choices(['yes', 'local', 'no'])
    .preset('yes')
}

function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value]
}

type DevFlags = {
  nodes: number
  dataDir: string
  portBase: number
  host: string
  restart: boolean
  cluster?: boolean
  enableDebugCommand?: string
}

function makeProgram(): Command {
  const program = new Command('slotcast')
  program
    .description("A message broker with Redis' vocabulary and a database's promise.")
    .version(VERSION)
    .showHelpAfterError('(slotcast --help shows the commands)')
  program
    .command('dev')
    .description('run a local cluster, each node a process, until Ctrl-C')
    .option('--nodes <n>', 'number of nodes; 1: a standalone node', whole(1, NODES_MAX), 3)
    .option('--data-dir <dir>', "directory of the nodes' data", './data')
    .option(
      '--port-base <p>',
      'node i: RESP p+i, gRPC p+100+i, peers p+200+i, HTTP p+300+i',
      whole(1, 65_000),
      7000,
    )
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--no-restart', 'leave a node dead that died')
    .addOption(debugOption())
    .option('--cluster', 'with one node: show slots and redirects to clients all the same')
    .action(async (flags: DevFlags) => {
      const { Supervisor } = await import('./supervisor.ts')
      await new Supervisor({ ...flags, cluster: flags.cluster ?? flags.nodes > 1 }).run()
      // The channel of a parent that handed over to this process would keep it alive.
      if (process.connected) process.disconnect()
    })
  program
    .command('node')
    .description('run one node')
    .option('--config <file>', 'YAML file, may be repeated; later ones win', collect, [])
    .addOption(debugOption())
    .addHelpText('after', configurationHelp())
    .action(async (flags: { config: readonly string[]; enableDebugCommand?: string }) => {
      const { serveNode } = await import('./serve.ts')
      const { enableDebugCommand: debug } = flags
      const name = environmentName('node.enable_debug_command')
      serveNode(flags.config, debug === undefined ? {} : { [name]: debug })
    })
  program
    .command('verify')
    .description('check the data of a stopped node, changing nothing')
    .requiredOption('--data-dir <dir>', "the node's data directory, such as ./data/n1")
    .option('--json', 'print JSON')
    .action(async (flags: { dataDir: string; json?: boolean }) => {
      const { verifyDataDir } = await import('./verify.ts')
      process.exitCode = verifyDataDir(flags.dataDir, flags.json ?? false)
    })
  return program
}

async function main(): Promise<void> {
  // Compiled code is kept for the next start: loading a node takes 0.35 s instead of 1.1 s.
  enableCompileCache()
  const program = makeProgram()
  addControlCommands(program)
  addBenchCommand(program)
  try {
    await program.parseAsync()
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error
    process.stderr.write(`slotcast: ${error.message}\n`)
    process.exitCode = 1
  }
}

await main()
