// PubSubService's single commands.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pubsubMappings } from '../../../../../src/doors/grpc/mapping/pubsub.ts'
import { PubSubServiceService } from '../../../../../src/gen/slotcast/v1/pubsub_service.ts'
import { array, bulk, integer } from '../../../../../src/machine/reply.ts'
import { answer, goldenOf } from './golden.ts'

// A batch is more than one command.
const { publishBatch: _, ...single } = PubSubServiceService
const pubsub = goldenOf(pubsubMappings, single)
const b = (value: string): Buffer => Buffer.from(value)

test('Publish is PUBLISH, or SPUBLISH where the channel is sharded', () => {
  const publication = { channel: b('news'), payload: b('hello'), sharded: false }
  pubsub('publish', { publication }, 'PUBLISH news hello')
  pubsub('publish', { publication: { ...publication, sharded: true } }, 'SPUBLISH news hello')
  pubsub('publish', { publication: { ...publication, payload: b('') } }, 'PUBLISH news ')
  pubsub('publish', {}, 'fault: publication is required')
  const nowhere = { ...publication, channel: b('') }
  pubsub('publish', { publication: nowhere }, 'fault: channel is required')
  assert.deepEqual(answer(pubsubMappings.publish, integer(3)), { receivers: 3n })
})

test('who listens here is asked with PUBSUB', () => {
  pubsub('listChannels', {}, 'PUBSUB CHANNELS')
  pubsub('listChannels', { match: b('n*'), sharded: true }, 'PUBSUB SHARDCHANNELS n*')
  pubsub('countSubscribers', { channels: [b('a'), b('b')] }, 'PUBSUB NUMSUB a b')
  pubsub('countSubscribers', { channels: [b('a')], sharded: true }, 'PUBSUB SHARDNUMSUB a')
  pubsub('countSubscribers', {}, 'fault: channels is empty')
  pubsub('countPatterns', {}, 'PUBSUB NUMPAT')
  const { listChannels, countSubscribers, countPatterns } = pubsubMappings
  assert.deepEqual(answer(listChannels, array([bulk(b('a'))])), { channels: [b('a')] })
  const counts = array([bulk(b('a')), integer(2), bulk(b('b')), integer(0)])
  assert.deepEqual(answer(countSubscribers, counts), { subscribers: [2n, 0n] })
  assert.deepEqual(answer(countPatterns, integer(1)), { patterns: 1n })
})
