// Subscriptions of the TypeScript client while leaders are killed and stopped: they stand again, and a gap is told.
//
// How long that takes is printed: 2 s after a kill is what is wanted. A node that hangs is noticed after two heartbeats.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Gap, type Message, type Subscription } from '../../src/client/index.ts'
import { eventually } from '../integration/slotcast-process.ts'
import { LocalCluster } from './cluster.ts'

const CHANNELS = 12
const PUBLISH_MS = 10

type Seen = { readonly at: number; readonly event: Message | Gap }

function collect(subscription: Subscription): Seen[] {
  const seen: Seen[] = []
  const read = async (): Promise<void> => {
    for await (const event of subscription) seen.push({ at: performance.now(), event })
  }
  void read()
  return seen
}

/** Missing and doubled numbers of a channel's messages that no gap before them explains. */
function unexplained(seen: readonly Seen[], channel: string): string[] {
  const wrong: string[] = []
  let last = -1
  let isGap = false
  for (const { event } of seen) {
    if (event.type === 'gap') {
      if (event.name === channel) isGap = true
      continue
    }
    if (event.channel !== channel) continue
    const number = Number(event.text)
    if (number <= last || (number > last + 1 && !isGap)) wrong.push(`${last} then ${number}`)
    last = number
    isGap = false
  }
  return wrong
}

test('sharded subscriptions stand again after their leader is killed or hangs, and every gap is told', {
  timeout: 240_000,
}, async context => {
  await LocalCluster.run({}, async cluster => {
    const seeds = cluster.nodes.map(({ number }) => cluster.grpcAddress(number))
    const listener = await connect({ seeds })
    const publisher = await connect({ seeds })
    try {
      const channels = Array.from({ length: CHANNELS }, (_, i) => `ticks-${i}`)
      const subscription = listener.subscribe({ sharded: channels, heartbeatMs: 300 })
      await subscription.ready
      const seen = collect(subscription)
      const next = new Map(channels.map(channel => [channel, 0]))
      const busy = new Set<string>()
      // One at a time a channel: a number that was not published for sure is not published again.
      const publish = async (channel: string): Promise<void> => {
        if (busy.has(channel)) return
        busy.add(channel)
        const number = next.get(channel) ?? 0
        next.set(channel, number + 1)
        await publisher
          .publish(channel, number, { sharded: true, deadlineMs: 3_000 })
          .catch(() => {})
        busy.delete(channel)
      }
      const timer = setInterval(() => {
        for (const channel of channels) void publish(channel)
      }, PUBLISH_MS)
      for (const how of ['SIGKILL', 'SIGSTOP'] as const) {
        await sleep(500)
        const before = seen.length
        const leader = await cluster.leaderOf(channels[0] as string)
        const since = performance.now()
        if (how === 'SIGKILL') await cluster.node(leader).kill()
        else cluster.node(leader).signal(how)
        const gaps = (): Seen[] => seen.slice(before).filter(({ event }) => event.type === 'gap')
        await eventually(() => gaps().length > 0)
        await sleep(1_500)
        const told = new Set(gaps().map(({ event }) => (event as Gap).name))
        assert.ok(told.has(channels[0] as string))
        const last = Math.max(...gaps().map(({ at }) => at - since))
        context.diagnostic(
          `${how}: ${told.size} of ${CHANNELS} channels were lost, the last stood again after ${Math.round(last)} ms`,
        )
        // Whoever was told a gap hears again.
        const heard = seen.length
        await eventually(() => {
          const found = new Set(
            seen.slice(heard).flatMap(({ event }) => (event.type === 'gap' ? [] : event.channel)),
          )
          return found.size === CHANNELS
        })
        if (how === 'SIGKILL') cluster.node(leader).start()
        else cluster.node(leader).signal('SIGCONT')
        await cluster.awaitReady()
      }
      clearInterval(timer)
      for (const channel of channels) assert.deepEqual(unexplained(seen, channel), [], channel)
    } finally {
      await Promise.all([listener, publisher].map(client => client.close()))
    }
  })
})
