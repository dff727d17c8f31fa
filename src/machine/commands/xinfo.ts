// What streams, groups and consumers tell of themselves.

import type { CommandSpec } from '../command.ts'

export const xinfoCommands: readonly CommandSpec[] = []
