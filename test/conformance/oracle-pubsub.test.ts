// Random subscribing and publishing by several clients, at a node of ours and at Redis 7.0:
// each client must be sent the same, in RESP2 and in RESP3.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import { RespDoor } from '../../src/doors/resp/server.ts'
import { globMatch } from '../../src/machine/glob.ts'
import { quiet, Rig, systemClock } from '../unit/broker/rig.ts'
import { command } from './random-commands.ts'
import { RedisServer, ServerTarget } from './server-target.ts'
import type { Protocol, Wire } from './wire.ts'

type Words = readonly string[]
type Said = { readonly on: number; readonly words: Words }
/** What one client was sent after one step. */
type Sent = { readonly replies: readonly unknown[]; readonly messages: readonly unknown[] }

const CLIENTS = [0, 1, 2]
const channel = fc.constantFrom('a', 'b', 'ab', 'abc', '')
const channels = fc.array(channel, { minLength: 1, maxLength: 3 })
const someChannels = fc.array(channel, { maxLength: 2 })
const pattern = fc.constantFrom('a*', '*', '?', '[ab]', '[^a]*', '*b*', 'a', '\\a')
const patterns = fc.array(pattern, { minLength: 1, maxLength: 3 })
const somePatterns = fc.array(pattern, { maxLength: 2 })

const words = fc.oneof(
  { weight: 5, arbitrary: command('SUBSCRIBE', channels) },
  { weight: 3, arbitrary: command('UNSUBSCRIBE', someChannels) },
  { weight: 4, arbitrary: command('PSUBSCRIBE', patterns) },
  { weight: 3, arbitrary: command('PUNSUBSCRIBE', somePatterns) },
  { weight: 2, arbitrary: command('SSUBSCRIBE', channels) },
  { weight: 2, arbitrary: command('SUNSUBSCRIBE', someChannels) },
  { weight: 8, arbitrary: command('PUBLISH', channel, fc.constantFrom('1', '', 'x y')) },
  { weight: 3, arbitrary: command('SPUBLISH', channel, 's') },
  { weight: 1, arbitrary: command('PUBSUB', 'CHANNELS', fc.array(pattern, { maxLength: 1 })) },
  { weight: 1, arbitrary: command('PUBSUB', 'NUMSUB', someChannels) },
  { weight: 1, arbitrary: command('PUBSUB', 'NUMPAT') },
  { weight: 1, arbitrary: command('PUBSUB', 'SHARDCHANNELS', fc.array(pattern, { maxLength: 1 })) },
  { weight: 1, arbitrary: command('PUBSUB', 'SHARDNUMSUB', someChannels) },
  { weight: 1, arbitrary: command('GET', 'k') },
  { weight: 1, arbitrary: command('SET', 'k', 'v') },
  { weight: 1, arbitrary: fc.constantFrom<Words>(['RESET'], ['SUBSCRIBE'], ['PUBLISH', 'a']) },
)
const script: fc.Arbitrary<readonly Said[]> = fc.array(
  fc.record({ on: fc.constantFrom(...CLIENTS), words }),
  { minLength: 10, maxLength: 60 },
)

function plain(wire: Wire): unknown {
  if ('items' in wire) return [wire.type, ...wire.items.map(plain)]
  return 'text' in wire ? `${wire.type} ${wire.text}` : wire.type
}

const MESSAGES = new Set(['bulk message', 'bulk pmessage', 'bulk smessage'])
const UNORDERED = new Set(['CHANNELS', 'SHARDCHANNELS'])

/** Brings into order what has none: which pattern is first, and which channel is left first. */
function ordered(all: readonly Wire[], asked: Words): Sent {
  const values = all.map(plain) as readonly (readonly unknown[])[]
  const messages = values.filter(value => MESSAGES.has(String(value[1])))
  const replies = values.filter(value => !MESSAGES.has(String(value[1])))
  const isPlural = asked.length === 1 && asked[0]?.endsWith('UNSUBSCRIBE') === true
  const byText = (list: readonly unknown[]) =>
    [...list].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  if (isPlural)
    return {
      messages: byText(messages),
      replies: [
        ...byText(replies.map(value => value.slice(0, -1))),
        ...replies.map(value => value.at(-1)),
      ],
    }
  if (UNORDERED.has(asked[1] ?? '')) return { messages: [], replies: replies.map(byText) }
  return { messages: byText(messages), replies }
}

/** A server with several clients. */
class Room {
  readonly #target: ServerTarget
  #token = 0

  constructor(port: number, protocol: Protocol) {
    this.#target = new ServerTarget('127.0.0.1', port, protocol)
  }

  async play(said: readonly Said[], protocol: Protocol): Promise<readonly (readonly Sent[])[]> {
    for (const client of CLIENTS) {
      await this.#target.sendAtOnce(client, ['RESET'])
      if (protocol === 3) await this.#target.sendAtOnce(client, ['HELLO', '3'])
      await this.#settle(client)
    }
    const sent: (readonly Sent[])[] = []
    for (const { on, words: asked } of said) {
      await this.#target.sendAtOnce(on, asked)
      const mine = await this.#settle(on)
      const others: Sent[] = []
      for (const client of CLIENTS)
        others.push(ordered(client === on ? mine : await this.#settle(client), asked))
      sent.push(others)
    }
    return sent
  }

  /** All that a client was sent, up to the answer to a question that is asked now. */
  async #settle(client: number): Promise<Wire[]> {
    this.#token += 1
    const token = `token ${this.#token}`
    await this.#target.sendAtOnce(client, ['PING', token])
    const all: Wire[] = []
    for (;;) {
      const wire = await this.#target.receive(client)
      if (JSON.stringify(wire).includes(token)) return all
      all.push(wire)
    }
  }

  close(): Promise<void> {
    return this.#target.close()
  }
}

suite('clients of pub/sub are sent what Redis 7.0 sends them', {
  skip: RedisServer.missing,
}, () => {
  let server: RedisServer
  let door: RespDoor

  before(async () => {
    server = await RedisServer.start()
    const rig = new Rig({ clusterEnabled: false, clock: systemClock })
    door = new RespDoor(rig.broker, {
      host: '127.0.0.1',
      port: 0,
      logger: quiet,
      metrics: rig.metrics,
    })
    await new Promise<void>((resolve, reject) => {
      door.listen(error => (error === null ? resolve() : reject(error)))
    })
  })
  after(async () => {
    await new Promise<void>(resolve => door.stop(resolve))
    await server.stop()
  })

  for (const protocol of [2, 3] as const)
    test(`in RESP${protocol}`, async () => {
      const redis = new Room(server.port, protocol)
      const ours = new Room(door.port, protocol)
      await fc.assert(
        fc.asyncProperty(script, async said => {
          const theirs = await redis.play(said, protocol)
          const mine = await ours.play(said, protocol)
          for (const [i, { on, words: asked }] of said.entries())
            assert.deepEqual(mine[i], theirs[i], `${on}: ${asked.join(' ')}`)
        }),
        { seed: protocol, numRuns: 60 },
      )
      await redis.close()
      await ours.close()
    })

  test('patterns match the same names', async () => {
    const redis = new ServerTarget('127.0.0.1', server.port, 2)
    const part = fc.constantFrom(
      'a',
      'b',
      '-',
      '*',
      '?',
      '[',
      ']',
      '^',
      '\\',
      'a-c',
      '[^b]',
      '[a-c]',
    )
    const anyPattern = fc.array(part, { minLength: 1, maxLength: 8 }).map(parts => parts.join(''))
    const name = fc
      .array(fc.constantFrom('a', 'b', 'c', '-', '[', ']', '^', '\\', '*'), { maxLength: 6 })
      .map(parts => parts.join(''))
    const names = fc.sample(name, { seed: 9, numRuns: 300 })
    await redis.askAll([['FLUSHALL'], ...names.map(one => ['SET', one, 'v'])])
    await fc.assert(
      fc.asyncProperty(anyPattern, async glob => {
        const wire = await redis.ask(['KEYS', glob])
        assert.ok('items' in wire)
        const theirs = wire.items.map(item => ('text' in item ? item.text : '')).sort()
        // Of a lone `*` KEYS asks nobody, and finds the empty name too.
        const matches = (one: string) => glob === '*' || globMatch(glob, one)
        const mine = [...new Set(names)].filter(matches).sort()
        assert.deepEqual(mine, theirs, glob)
      }),
      { seed: 7, numRuns: 1500 },
    )
    await redis.close()
  })
})
