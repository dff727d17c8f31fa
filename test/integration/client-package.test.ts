// What `npm run build` makes is a package that plain Node and a strict compiler take.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = resolve(import.meta.dirname, '../..')
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')

const PROGRAM = `
import { type Client, connect, DeadlineError, type Gap, type Message } from 'slotcast/client'

export async function read(client: Client): Promise<string[]> {
  const found: string[] = []
  for await (const event of client.subscribe({ channels: ['a'] })) found.push(told(event))
  return found
}
const told = (event: Message | Gap): string => (event.type === 'gap' ? event.reason : event.text)
const failure: unknown = await connect({ seeds: ['127.0.0.1:1'], deadlineMs: 200 }).catch(error => error)
console.log(failure instanceof DeadlineError)
`

test('the built package is imported by Node, and its declarations by a strict compiler', {
  timeout: 120_000,
}, async () => {
  await run(process.execPath, [join(ROOT, 'test/lint/package.mjs')])
  const directory = mkdtempSync(join(tmpdir(), 'slotcast-package-'))
  try {
    mkdirSync(join(directory, 'node_modules'))
    symlinkSync(join(ROOT, 'dist/package'), join(directory, 'node_modules/slotcast'))
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(directory, 'program.ts'), PROGRAM)
    const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')]
    const words = ['--strict', '--module', 'nodenext', '--target', 'es2023', ...types]
    await run(process.execPath, [TSC, ...words, 'program.ts'], { cwd: directory }).catch(error =>
      assert.fail(`${error.stdout}`),
    )
    const { stdout } = await run(process.execPath, ['program.js'], { cwd: directory })
    assert.equal(stdout.trim(), 'true')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
