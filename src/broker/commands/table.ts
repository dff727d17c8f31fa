// Every command that the desk answers itself.

import type { DeskCommand } from '../desk.ts'
import { ACL_COMMAND } from './acl.ts'
import { CLIENT_COMMAND } from './client.ts'
import { CLUSTER_COMMAND } from './cluster.ts'
import { COMMAND_COMMAND } from './command.ts'
import { CONFIG_COMMAND } from './config.ts'
import { CONNECTION_COMMANDS } from './connection.ts'
import { DEBUG_COMMAND } from './debug.ts'
import { INFO_COMMAND } from './info.ts'
import { LATENCY_COMMAND } from './latency.ts'
import { MEMORY_COMMAND } from './memory.ts'
import { PERSISTENCE_COMMANDS } from './persistence.ts'
import { PUBSUB_COMMANDS } from './pubsub.ts'
import { SCRIPTING_COMMANDS } from './scripting.ts'
import { SERVER_COMMANDS } from './server.ts'
import { SLOWLOG_COMMAND } from './slowlog.ts'
import { TRANSACTION_COMMANDS } from './transactions.ts'
import { WAITING_COMMANDS } from './waiting.ts'

export const DESK_COMMANDS: readonly DeskCommand[] = [
  ...CONNECTION_COMMANDS,
  ...SERVER_COMMANDS,
  ...WAITING_COMMANDS,
  ...PUBSUB_COMMANDS,
  ...PERSISTENCE_COMMANDS,
  ...SCRIPTING_COMMANDS,
  ACL_COMMAND,
  ...TRANSACTION_COMMANDS,
  CLIENT_COMMAND,
  CLUSTER_COMMAND,
  COMMAND_COMMAND,
  CONFIG_COMMAND,
  DEBUG_COMMAND,
  INFO_COMMAND,
  LATENCY_COMMAND,
  MEMORY_COMMAND,
  SLOWLOG_COMMAND,
]
