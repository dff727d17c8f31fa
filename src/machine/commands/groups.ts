// Consumer group commands.

import type { CommandSpec } from '../command.ts'

export const groupCommands: readonly CommandSpec[] = []
