#!/usr/bin/env node
// The package's bin. Runs on whatever Node.js the machine has, and hands over to
// the pinned one when that is too old to run the sources as they are.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** From here on Node.js strips types by itself. */
const MAJOR = 22
const MINOR = 18

const root = fileURLToPath(new URL('..', import.meta.url))
const main = join(root, 'src', 'main.ts')
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major > MAJOR || (major === MAJOR && minor >= MINOR)) {
  await import(main)
} else {
  const pinned = join(root, 'node_modules', 'node', 'bin', 'node')
  if (!existsSync(pinned)) {
    console.error(
      `slotcast: needs Node.js ${MAJOR}.${MINOR} or newer; this is ${process.version}. Run npm ci.`,
    )
    process.exit(1)
  }
  // The channel says nothing; its end tells the child that this process is gone.
  const child = spawn(pinned, [main, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)))
}
