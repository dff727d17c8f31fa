// TLS: every connection of a client is made with its credentials, and none without.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ChannelCredentials, credentials, ServerCredentials } from '@grpc/grpc-js'
import { connect } from '../../../src/client/client.ts'
import { DeadlineError } from '../../../src/client/errors.ts'
import { eventually, PlayedCluster } from './played-nodes.ts'
import { TLS_CERTIFICATE, TLS_KEY } from './tls.ts'

const certificate = Buffer.from(TLS_CERTIFICATE)
const served = (): ServerCredentials =>
  ServerCredentials.createSsl(null, [
    { private_key: Buffer.from(TLS_KEY), cert_chain: certificate },
  ])

const failure = (port: number, secrets?: ChannelCredentials): Promise<Error> =>
  connect({
    seeds: [`127.0.0.1:${port}`],
    deadlineMs: 300,
    ...(secrets === undefined ? {} : { credentials: secrets }),
  }).then(
    () => assert.fail('it connected'),
    error => error as Error,
  )

test('commands, maps, consumers and subscriptions all go over TLS', async () => {
  await PlayedCluster.run(
    2,
    async cluster => {
      const client = await cluster.client({ credentials: credentials.createSsl(certificate) })
      const node = cluster.node(1)
      assert.equal(await client.command('SET', 'k', 'v'), 'n1')
      const subscription = client.subscribe({ channels: ['c'], sharded: ['s'] })
      await subscription.ready
      const consumer = client.consume({ group: 'g', consumer: 'c', streams: ['s'], stopMs: 10 })
      await eventually('it consumes', () => node.consumed.length > 0)
      cluster.lead('n2')
      await eventually('it follows', () => {
        client.command('SET', 'k', 'v').catch(() => {})
        return cluster.node(2).commands > 0
      })
      await consumer.stop()
    },
    served(),
  )
})

test('a client without TLS, and one that does not trust the certificate, do not connect, and say why', async () => {
  await PlayedCluster.run(
    1,
    async cluster => {
      const { port } = cluster.node(1)
      assert.ok((await failure(port)) instanceof DeadlineError)
      const stranger = await failure(port, credentials.createSsl())
      assert.ok(stranger instanceof DeadlineError)
      assert.match(String(stranger.cause), /certificate/i)
      assert.equal(cluster.node(1).watches, 0)
    },
    served(),
  )
})
