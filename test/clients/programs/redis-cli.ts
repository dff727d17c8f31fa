// What a user does with `redis-cli -c` at a terminal and in scripts. A redis-cli that was sent to a node knows no
// other any more: when that is gone, a user starts it again with the address of another.

import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { ADDRESSES, type Address, again, go, KEYS, until } from './steps.ts'

const GROUP = 'billing'
const PIPELINE = 100
const WAIT_S = 20

const NEWS = `{${KEYS[0]}}:all`
/** The address in use: the next one after each failure. */
let turn = 0
const listeners: Listener[] = []

/** IDs of the entries acknowledged, by stream. */
const acknowledged = new Map<string, string[]>()

function here(): Address {
  const address = ADDRESSES[turn % ADDRESSES.length]
  assert.ok(address !== undefined)
  return address
}

function start(words: readonly string[]): ChildProcessWithoutNullStreams {
  const { host, port } = here()
  return spawn('redis-cli', ['-c', '-h', host, '-p', String(port), ...words], { stdio: 'pipe' })
}

/** Runs a redis-cli to its end. @throws when it fails, and when an answer is an error */
function type(words: readonly string[], input = ''): Promise<string[]> {
  const child = start(words)
  let out = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    errors += text
  })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.once('close', status => {
      const lines = out.split('\n').filter(line => line !== '')
      const answers = lines.filter(line => !line.startsWith('-> Redirected'))
      const isRefused = answers.some(line =>
        /^(ERR|MOVED|CLUSTERDOWN|UNBLOCKED|INDOUBT)/.test(line),
      )
      if (status === 0 && errors === '' && !isRefused) {
        resolve(answers)
        return
      }
      turn += 1
      reject(new Error(`${words.join(' ')}: ${status} ${errors} ${out}`))
    })
  })
}

async function one(...words: readonly string[]): Promise<string> {
  return (await type(words)).join('|')
}

async function append(key: string, value: string): Promise<string> {
  const id = await one('XADD', streamOf(key), '*', 'item', value)
  acknowledged.set(streamOf(key), [...(acknowledged.get(streamOf(key)) ?? []), id])
  return id
}

function streamOf(key: string): string {
  return `{${key}}:stream`
}

async function streams(): Promise<void> {
  for (const key of KEYS) {
    const stream = streamOf(key)
    await append(key, 'book')
    assert.equal(await one('XGROUP', 'CREATE', stream, GROUP, '$'), 'OK')
    const group = ['XREADGROUP', 'GROUP', GROUP, 'w1', 'BLOCK', String(WAIT_S * 1_000)]
    const waiting = one(...group, 'STREAMS', stream, '>')
    const id = await append(key, 'pen')
    assert.equal(await waiting, `${stream}|${id}|item|pen`)
    assert.equal(await one('XPENDING', stream, GROUP), `1|${id}|${id}|w1|1`)
    assert.equal(await one('XACK', stream, GROUP, id), '1')
    assert.equal(await one('XPENDING', stream, GROUP), '0')
    const commands = Array.from({ length: PIPELINE }, (_, i) => `XADD ${stream} * n ${i}\n`)
    const added = await type([], commands.join(''))
    assert.equal(added.length, PIPELINE)
    acknowledged.get(stream)?.push(...added)
    assert.match(await one('XINFO', 'STREAM', stream), /^length\|102\|/)
    assert.match(await one('XREAD', 'COUNT', '1', 'STREAMS', stream, '0'), /\|item\|book$/)
  }
}

async function lists(): Promise<void> {
  for (const key of KEYS) {
    const [list, other] = [`{${key}}:list`, `{${key}}:other`]
    assert.equal(await one('RPUSH', list, 'a', 'b', 'c'), '3')
    assert.equal(await one('LPOP', list), 'a')
    assert.equal(await one('RPOPLPUSH', list, list), 'c')
    assert.equal(await one('LRANGE', list, '0', '-1'), 'c|b')
    assert.equal(await one('BLMOVE', list, other, 'LEFT', 'RIGHT', String(WAIT_S)), 'c')
    assert.equal(await one('BRPOPLPUSH', list, other, String(WAIT_S)), 'b')
    assert.equal(await one('LRANGE', other, '0', '-1'), 'b|c')
    const waiting = one('BLPOP', list, String(WAIT_S))
    assert.equal(await one('RPUSH', list, 'late'), '1')
    assert.equal(await waiting, `${list}|late`)
  }
}

/** redis-cli does not follow a redirect out of MULTI: a command before it brings it to the right node. */
async function transaction(): Promise<void> {
  for (const key of KEYS) {
    const [left, right] = [`{${key}}:left`, `{${key}}:right`]
    const both = [`XADD ${left} 1-1 n 1`, `XADD ${right} 1-1 n 1`]
    const answers = await type([], [`EXISTS ${left}`, 'MULTI', ...both, 'EXEC', ''].join('\n'))
    assert.deepEqual(answers, ['0', 'OK', 'QUEUED', 'QUEUED', '1-1', '1-1'])
  }
}

/**
 * A redis-cli that subscribes, and is started again at another node when it ends. One whose sharded channel is led
 * elsewhere is told so, prints `sunsubscribe`, and goes on waiting for nothing: a user starts that again, too.
 */
class Listener {
  readonly #words: readonly string[]
  readonly heard = new Set<string>()

  constructor(...words: readonly string[]) {
    this.#words = words
    listeners.push(this)
    this.#start()
  }

  #start(): void {
    const child = start(this.#words)
    // Answers are flat: kind, channel, message, and with patterns the pattern before the channel.
    let lines: string[] = []
    createInterface(child.stdout).on('line', line => {
      if (line.startsWith('-> Redirected')) return
      if (line === 'sunsubscribe') child.kill()
      if (/^(p|s)?(message|subscribe)$/.test(line)) lines = []
      lines.push(line)
      this.heard.add(lines.join(' '))
    })
    process.once('exit', () => child.kill())
    child.on('close', () => {
      turn += 1
      setTimeout(() => this.#start(), 50)
    })
  }
}

async function heardOf(listener: Listener, expected: string, words: readonly string[]) {
  await until(
    expected,
    async () => {
      if (listener.heard.has(expected)) return true
      await type(words).catch(() => {})
      return listener.heard.has(expected)
    },
    50,
  )
}

async function broadcast(): Promise<void> {
  const listener = new Listener('SUBSCRIBE', NEWS)
  await heardOf(listener, `message ${NEWS} hello`, ['PUBLISH', NEWS, 'hello'])
}

async function patterns(): Promise<void> {
  const channel = `${NEWS}.one`
  const listener = new Listener('PSUBSCRIBE', `${NEWS}.*`)
  await heardOf(listener, `pmessage ${NEWS}.* ${channel} hello`, ['PUBLISH', channel, 'hello'])
}

function channelOf(key: string): string {
  return `{${key}}:news`
}

async function sharded(): Promise<void> {
  for (const key of KEYS) {
    const channel = channelOf(key)
    const listener = new Listener('SSUBSCRIBE', channel)
    await heardOf(listener, `smessage ${channel} hello`, ['SPUBLISH', channel, 'hello'])
  }
}

async function streamsAgain(): Promise<void> {
  for (const key of KEYS) {
    const stream = streamOf(key)
    await again(() => append(key, 'again'))
    const held = new Set(await again(() => type(['XRANGE', stream, '-', '+'])))
    for (const id of acknowledged.get(stream) ?? []) assert.ok(held.has(id), `${id} is lost`)
    const group = ['XREADGROUP', 'GROUP', GROUP, 'w1', 'COUNT', '1', 'STREAMS', stream, '>']
    assert.match(await again(() => one(...group)), /\|n\|\d+$/)
  }
}

async function listsAgain(): Promise<void> {
  for (const key of KEYS) {
    const [list, other] = [`{${key}}:list`, `{${key}}:other`]
    assert.equal(await again(() => one('LRANGE', other, '0', '-1')), 'b|c')
    await again(() => one('RPUSH', list, 'again'))
    assert.equal(await again(() => one('LPOP', list)), 'again')
  }
}

async function broadcastAgain(): Promise<void> {
  const [plain, pattern] = listeners
  assert.ok(plain !== undefined && pattern !== undefined)
  const channel = `${NEWS}.one`
  await heardOf(plain, `message ${NEWS} again`, ['PUBLISH', NEWS, 'again'])
  await heardOf(pattern, `pmessage ${NEWS}.* ${channel} again`, ['PUBLISH', channel, 'again'])
}

async function shardedAgain(): Promise<void> {
  for (const [i, key] of KEYS.entries()) {
    const [channel, listener] = [channelOf(key), listeners[i + 2]]
    assert.ok(listener !== undefined)
    await heardOf(listener, `smessage ${channel} again`, ['SPUBLISH', channel, 'again'])
  }
}

await go({
  before: { streams, lists, transaction, broadcast, patterns, sharded },
  after: {
    'streams-again': streamsAgain,
    'lists-again': listsAgain,
    'broadcast-again': broadcastAgain,
    'sharded-again': shardedAgain,
  },
})
