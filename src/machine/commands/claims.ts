// Commands on pending entries.

import type { CommandSpec } from '../command.ts'

export const claimCommands: readonly CommandSpec[] = []
