// How the time of a command grows with what it is asked of: 10^4, 10^5 and 10^6 entries, elements, members, keys.
//
// What Redis does in O(1) or O(log n) must not be O(n) here. A command is sent
// many times in one write, so that the journey and the disk's write are shared; from
// 10^4 to 10^6 a command that is O(n) takes a hundred times as long.

import { type Context, startCluster } from './bench-context.ts'
import { KINDS, type Kind, type Words } from './growth-kinds.ts'
import { command, fillBy, Pipe } from './pipe.ts'
import { hasRedis, RedisServer } from './redis.ts'
import { makeRow, most } from './report.ts'
import { medianOf } from './statistics.ts'

const MOST_GROWTH = 5
const SHARES = [0.01, 0.1, 1]
const COMMANDS = 32
const EXCHANGES = 25
/** At the smallest size, before anything is timed: else what is seen is code being compiled. */
const WARM_UP_EXCHANGES = 150

export async function growthPhase(context: Context): Promise<void> {
  if (!hasRedis()) {
    context.say('skipped: redis-server is not installed')
    return
  }
  for (const kind of KINDS) await growthOf(context, kind)
}

async function growthOf(context: Context, kind: Kind): Promise<void> {
  const cluster = await startCluster(context, `growth-${kind.name}`)
  const server = await RedisServer.start()
  try {
    const { resp } = await cluster.leaderOf(kind.key)
    const sizes = SHARES.map(share => Math.round(share * context.entries))
    context.say(`${kind.name} of ${sizes.join(', ')}`)
    const ours = await grow(await Pipe.open(resp), kind, sizes)
    const theirs = await grow(await Pipe.open(server.port), kind, sizes)
    for (const [what, own] of ours) {
      const other = theirs.get(what) ?? []
      const text = (times: readonly number[]): string => times.map(us => us.toFixed(1)).join(' / ')
      context.row(
        makeRow({
          ...{ phase: 'growth', what: `${kind.name}: ${what}`, unit: 'us' },
          ours: own.slice(-1),
          peer: other.slice(-1),
          judged: [(own.at(-1) ?? Number.NaN) / (own[0] ?? Number.NaN)],
          bound: most(MOST_GROWTH),
          note: `${text(own)} us, redis ${text(other)} us at ${sizes.join(' / ')}`,
        }),
      )
    }
  } finally {
    await server.stop()
    await cluster.stop()
  }
}

/** @returns microseconds a command at each of `sizes`, by probe */
async function grow(
  pipe: Pipe,
  kind: Kind,
  sizes: readonly number[],
): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>(Object.keys(kind.probes).map(what => [what, []]))
  let size = 0
  for (const next of sizes) {
    await fillBy(pipe, size, next, i => command(...kind.element(i)))
    size = next
    await kind.after?.(pipe, size)
    if (size === sizes[0]) await warmUp(pipe, kind, size)
    for (const [what, words] of Object.entries(kind.probes)) {
      times.get(what)?.push(await microseconds(pipe, words, size))
    }
  }
  pipe.close()
  return times
}

async function warmUp(pipe: Pipe, kind: Kind, size: number): Promise<void> {
  for (let k = 0; k < WARM_UP_EXCHANGES; k += 1) {
    for (const words of Object.values(kind.probes))
      await pipe.exchange(batch(words, size), COMMANDS)
  }
}

async function microseconds(pipe: Pipe, words: Words, size: number): Promise<number> {
  const times: number[] = []
  for (let k = 0; k < EXCHANGES; k += 1) {
    const bytes = batch(words, size)
    const from = performance.now()
    await pipe.exchange(bytes, COMMANDS)
    times.push(((performance.now() - from) * 1000) / COMMANDS)
  }
  return medianOf(times.sort((a, b) => a - b))
}

let nonce = 0

function batch(words: Words, size: number): Buffer {
  const commands = Array.from({ length: COMMANDS }, () => {
    nonce += 1
    return command(...words(nonce, size))
  })
  return Buffer.concat(commands)
}
