// Every command that the desk answers itself.

import type { DeskCommand } from '../desk.ts'
import { CLIENT_COMMAND } from './client.ts'
import { CLUSTER_COMMAND } from './cluster.ts'
import { COMMAND_COMMAND } from './command.ts'
import { CONFIG_COMMAND } from './config.ts'
import { CONNECTION_COMMANDS } from './connection.ts'
import { INFO_COMMAND } from './info.ts'
import { SERVER_COMMANDS } from './server.ts'
import { TRANSACTION_COMMANDS } from './transactions.ts'

export const DESK_COMMANDS: readonly DeskCommand[] = [
  ...CONNECTION_COMMANDS,
  ...SERVER_COMMANDS,
  ...TRANSACTION_COMMANDS,
  CLIENT_COMMAND,
  CLUSTER_COMMAND,
  COMMAND_COMMAND,
  CONFIG_COMMAND,
  INFO_COMMAND,
]
