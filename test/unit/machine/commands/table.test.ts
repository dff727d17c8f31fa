import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../../src/base/argv.ts'
import { type CommandSpec, isError } from '../../../../src/machine/command.ts'
import { COMMANDS, CommandTable, machineTable } from '../../../../src/machine/commands/table.ts'
import { OK } from '../../../../src/machine/reply.ts'

function find(...words: (string | Uint8Array)[]): string {
  const found = machineTable.find(Argv.of(...words))
  return isError(found) ? `!${found.text}` : found.name
}

test('commands are found in any case, and every one is complete', () => {
  assert.equal(find('XaDd', 'k', '*', 'f', 'v'), 'xadd')
  assert.equal(find('xlen', 'k'), 'xlen')
  assert.ok(COMMANDS.length > 15)
  for (const spec of COMMANDS) {
    const all = spec.subcommands === undefined ? [spec] : [...spec.subcommands.values()]
    for (const one of all) {
      assert.notEqual(one.apply === undefined, one.query === undefined, one.name)
      assert.equal(one.flags.includes('write'), one.apply !== undefined, one.name)
      assert.match(one.since, /^\d+\.\d+\.\d+$/, one.name)
      assert.ok(one.summary.length > 5 && one.complexity.length > 3, one.name)
    }
  }
})

test('what is unknown is repeated, cut and on one line', () => {
  assert.equal(find('FOO'), "!ERR unknown command 'FOO'")
  assert.equal(
    find('FOO', 'a', 'b\r\nc'),
    "!ERR unknown command 'FOO', with args beginning with: 'a' 'b  c' ",
  )
  const long = find('x'.repeat(200), 'y'.repeat(100), 'z'.repeat(100), 'never')
  assert.equal(
    long,
    `!ERR unknown command '${'x'.repeat(128)}', with args beginning with: '${'y'.repeat(100)}' '${'z'.repeat(25)}' `,
  )
})

test('a wrong number of words is an error with the full name', () => {
  assert.equal(find('XADD', 'k', '*', 'f'), "!ERR wrong number of arguments for 'xadd' command")
  assert.equal(find('XLEN'), "!ERR wrong number of arguments for 'xlen' command")
  assert.equal(find('XLEN', 'a', 'b'), "!ERR wrong number of arguments for 'xlen' command")
})

test('subcommands are found in their containers', () => {
  const facts = { flags: [], categories: [], keys: [], since: '1.0.0', group: 'stream' } as const
  const texts = { summary: '', complexity: '' }
  const sub: CommandSpec = { ...facts, ...texts, name: 'box|open', arity: 3, apply: () => OK }
  const box: CommandSpec = {
    ...facts,
    ...texts,
    name: 'box',
    arity: -2,
    subcommands: new Map([['OPEN', sub]]),
  }
  const table = new CommandTable([box])
  const said = (...words: string[]) => {
    const found = table.find(Argv.of(...words))
    return isError(found) ? found.text : found.name
  }
  assert.equal(said('BOX', 'Open', 'x'), 'box|open')
  assert.equal(said('box', 'OPEN'), "ERR wrong number of arguments for 'box|open' command")
  assert.equal(said('box'), "ERR wrong number of arguments for 'box' command")
  assert.equal(said('box', 'shut'), "ERR unknown subcommand 'shut'. Try BOX HELP.")
  assert.equal(table.named('Box|OPEN'), sub)
  assert.equal(table.named('box'), box)
  assert.equal(table.named('box|shut'), null)
  assert.equal(table.named('none'), null)
})
