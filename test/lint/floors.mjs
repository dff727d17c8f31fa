// Writes the floor rules into biome.json from one table, so that the table is
// the only place to change. Run: npm run floors
import { readFileSync, writeFileSync } from 'node:fs'

const floors = {
  base: [],
  raft: ['base'],
  machine: ['base'],
  topology: ['base'],
  storage: ['base', 'raft'],
  replica: ['base', 'raft', 'storage'],
  control: ['base', 'machine', 'topology', 'replica'],
  broker: ['base', 'machine', 'topology', 'replica'],
  'doors/resp': ['base', 'machine', 'broker'],
  'doors/grpc': ['base', 'machine', 'broker', 'gen'],
  'doors/peer': ['base', 'raft', 'replica', 'gen'],
  'doors/admin': ['base', 'machine', 'broker'],
  client: ['base', 'gen'],
}
const rooms = [...new Set(Object.keys(floors).map(room => room.split('/')[0])), 'gen']
const portless = ['base', 'raft', 'machine', 'topology', 'storage', 'replica', 'control', 'broker']

const imports = Object.entries(floors).map(([room, may]) => {
  const top = room.split('/')[0]
  const siblings = Object.keys(floors).filter(
    r => r.startsWith('doors/') && r !== room && top === 'doors',
  )
  const banned = [
    ...rooms.filter(r => r !== top && !may.includes(r)).map(r => `**/${r}/**`),
    ...siblings.map(r => `**/${r.split('/')[1]}/**`),
  ]
  const patterns = [
    { group: banned, message: `src/${room} may import only: ${may.join(', ') || 'nothing'}` },
  ]
  if (portless.includes(room)) {
    patterns.push({
      group: ['node:*', '@grpc/*', '!node:buffer'],
      message: `src/${room} opens nothing: ask for a port`,
    })
  }
  return {
    includes: [`src/${room}/**`, '!src/storage/node-disk.ts'],
    linter: {
      rules: { style: { noRestrictedImports: { level: 'error', options: { patterns } } } },
    },
  }
})
const globals = {
  includes: [...portless.map(r => `src/${r}/**`), '!src/storage/node-disk.ts'],
  linter: {
    rules: {
      style: {
        noRestrictedGlobals: {
          level: 'error',
          options: {
            deniedGlobals: {
              Date: 'time enters by the Clock port',
              performance: 'time enters by the Clock port',
              setTimeout: 'use Clock.after',
              setInterval: 'use Clock.after',
              setImmediate: 'use Clock.after',
              process: 'settings enter by options',
              crypto: 'use the Random port',
              console: 'use the Logger port',
            },
          },
        },
      },
    },
  },
}

const config = JSON.parse(readFileSync('biome.json', 'utf8'))
config.overrides = [...imports, globals]
writeFileSync('biome.json', `${JSON.stringify(config, null, 2)}\n`)
