// CLIENT PAUSE: what is held, how long, and that it goes on in order.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Rig } from './rig.ts'

function standalone(): Rig {
  return new Rig({ clusterEnabled: false })
}

test('ALL holds every command until its time is over', () => {
  const rig = standalone()
  const [admin, client] = [rig.client(), rig.client()]
  admin.ask('CLIENT', 'PAUSE', '100')
  assert.equal(client.send('PING'), false, 'the session takes no more')
  rig.clock.advance(99)
  assert.deepEqual(client.heard, [])
  rig.clock.advance(1)
  assert.deepEqual(client.heard, ['PONG'])
  assert.equal(client.resumed, 1)
})

test('WRITE holds writes, and what comes behind them in the same session', () => {
  const rig = standalone()
  const [admin, client] = [rig.client(), rig.client()]
  admin.ask('CLIENT', 'PAUSE', '1000', 'WRITE')
  assert.equal(client.ask('XLEN', 's').kind, 'integer')
  client.send('XADD', 's', '1-1', 'f', 'v')
  assert.equal(client.answers.length, 1)
  assert.match(String('text' in admin.ask('INFO', 'clients')), /true/)
  admin.ask('CLIENT', 'UNPAUSE')
  rig.clock.turn()
  assert.equal(client.answers.length, 2)
})

test('a held client is shown as blocked, and one that goes is forgotten', () => {
  const rig = standalone()
  const [admin, client] = [rig.client(), rig.client()]
  admin.ask('CLIENT', 'PAUSE', '1000', 'WRITE')
  client.send('XADD', 's', '1-1', 'f', 'v')
  const info = admin.ask('INFO', 'clients')
  assert.match('text' in info ? info.text : '', /blocked_clients:1/)
  client.close('gone')
  const after = admin.ask('INFO', 'clients')
  assert.match('text' in after ? after.text : '', /blocked_clients:0/)
  admin.ask('CLIENT', 'UNPAUSE')
  rig.clock.turn()
  assert.equal(rig.shard().machine.size, 0, 'what it held is not done')
})

test('a later pause lengthens and widens, and never shortens', () => {
  const rig = standalone()
  const [admin, client] = [rig.client(), rig.client()]
  admin.ask('CLIENT', 'PAUSE', '1000', 'WRITE')
  admin.ask('CLIENT', 'PAUSE', '10', 'WRITE')
  client.send('DEL', 's')
  rig.clock.advance(500)
  assert.deepEqual(client.heard, [])
  admin.ask('CLIENT', 'PAUSE', '100', 'ALL')
  admin.send('PING')
  rig.clock.advance(499)
  assert.deepEqual(client.heard, [])
  rig.clock.advance(1)
  assert.deepEqual(client.heard, ['integer'])
})

test('what is misspelt or goes elsewhere is answered during a pause', () => {
  const rig = new Rig()
  const [admin, client] = [rig.client(), rig.client()]
  admin.ask('CLIENT', 'PAUSE', '1000', 'WRITE')
  client.send('XADD', 's')
  client.send('NOSUCH')
  client.send('XADD', 'a', '1-1', 'f', 'v')
  assert.equal(client.answers.length, 3)
  assert.match(client.heard[2] ?? '', /^MOVED/)
})

test('WRITE holds a transaction that writes, and EXEC of what was queued before', () => {
  const rig = standalone()
  const [admin, client, reader] = [rig.client(), rig.client(), rig.client()]
  client.ask('MULTI')
  client.ask('SET', 'k', 'v')
  reader.ask('MULTI')
  reader.ask('GET', 'k')
  admin.ask('CLIENT', 'PAUSE', '1000', 'WRITE')
  assert.equal(client.send('EXEC'), false)
  reader.send('EXEC')
  rig.clock.turn()
  assert.equal(reader.heard.at(-1), 'array')
  assert.equal(client.answers.length, 2)
  admin.ask('CLIENT', 'UNPAUSE')
  rig.clock.turn()
  assert.equal(client.heard.at(-1), 'array')
  assert.equal(rig.shard().machine.size, 1)
})
