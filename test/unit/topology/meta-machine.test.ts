// The meta shard's machine: the map changes by commands in the log, and nothing else.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Argv } from '../../../src/base/argv.ts'
import { PAYLOAD_HEADER_BYTES, writePayloadHeader } from '../../../src/base/payload.ts'
import {
  bootstrapCommand,
  MetaMachine,
  type MetaReply,
  registerCommand,
} from '../../../src/topology/meta-machine.ts'
import { place } from '../../../src/topology/placement.ts'
import type { NodeFacts } from '../../../src/topology/slot-map.ts'

const node = (id: number, over: Partial<NodeFacts> = {}): NodeFacts => ({
  id,
  name: `n${id}`,
  incarnation: `${id}`.repeat(32),
  hostLabel: `h${id}`,
  resp: { host: '127.0.0.1', port: 7000 + id },
  grpc: { host: '127.0.0.1', port: 7100 + id },
  peer: { host: '127.0.0.1', port: 7200 + id },
  admin: { host: '127.0.0.1', port: 7300 + id },
  ...over,
})

function apply(machine: MetaMachine, ...commands: Argv[]): MetaReply[] {
  const header = Buffer.alloc(PAYLOAD_HEADER_BYTES)
  writePayloadHeader(header, 1000, commands.length)
  const payload = Buffer.concat([
    header,
    ...commands.map(each => each.buffer.subarray(each.start, each.end)),
  ])
  const outcomes: MetaReply[] = []
  machine.apply(payload, 1, outcomes)
  return outcomes
}

const nodes = [node(1), node(2), node(3)]
const bootstrap = bootstrapCommand({ clusterId: 'c'.repeat(32), nodes, shards: place(nodes, 3, 3) })

test('bootstrap makes the map at epoch 1, and a second one is refused', () => {
  const machine = new MetaMachine()
  assert.equal(machine.map.epoch, 0)
  assert.deepEqual(
    apply(machine, bootstrap, bootstrap).map(reply => reply.refused),
    [null, 'the cluster exists'],
  )
  assert.equal(machine.map.epoch, 1)
  assert.equal(machine.map.ownerOf(0), 1)
  assert.equal(machine.map.ownerOf(16383), 3)
})

test('a node that moved to other addresses raises the epoch', () => {
  const machine = new MetaMachine()
  apply(machine, bootstrap)
  const moved = node(2, { resp: { host: '10.0.0.2', port: 7002 } })
  assert.deepEqual(apply(machine, registerCommand(moved)), [{ refused: null }])
  assert.equal(machine.map.epoch, 2)
  assert.deepEqual(machine.map.nodes.get(2)?.resp, { host: '10.0.0.2', port: 7002 })
  assert.deepEqual([...machine.map.nodes.keys()], [1, 2, 3])
})

test('a node that came back with another data directory is not taken for the member', () => {
  const machine = new MetaMachine()
  apply(machine, bootstrap)
  const [reply] = apply(machine, registerCommand(node(2, { incarnation: 'f'.repeat(32) })))
  assert.match(reply?.refused ?? '', /another data directory/)
  assert.equal(machine.map.nodes.get(2)?.incarnation, '2'.repeat(32))
})

test('a snapshot read in small pieces restores the same map and digest', () => {
  const machine = new MetaMachine()
  apply(machine, bootstrap)
  const reader = machine.snapshot()
  const restored = new MetaMachine()
  const writer = restored.restore()
  for (let chunk = reader.next(7); chunk !== null; chunk = reader.next(7)) writer.write(chunk)
  writer.finish()
  assert.equal(restored.digest(), machine.digest())
  assert.deepEqual(restored.map, machine.map)
})
