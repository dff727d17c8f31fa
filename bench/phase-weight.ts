// What one element takes of memory: a stream's entry, a pending entry, a list's element, beside a bare redis-server.
//
// Resident size before and after filling, once it has settled, on servers of its own
// for each kind. Each is filled and emptied once before: what a process of V8 takes
// to run at all, compiled code and young objects, is not what an element takes. What
// MEMORY USAGE says of the key, without garbage, stands in the note.

import { type Context, startCluster, VALUE_BYTES } from './bench-context.ts'
import { command, fillBy, Pipe } from './pipe.ts'
import { settledMiB } from './processes.ts'
import { hasRedis, RedisServer } from './redis.ts'
import { makeRow, most } from './report.ts'

const KEY = 'bench-weight'
const VALUE = 'x'.repeat(VALUE_BYTES)
const SETTLE_SECONDS = 30
const READ_BATCH = 1_000

type Kind = {
  readonly what: string
  /** Of Redis' bytes, at most; none was promised without it. */
  readonly most?: number
  /** Before the size is taken. */
  before?(pipe: Pipe, count: number): Promise<void>
  /** The elements are parts of KEY, and not keys. */
  readonly isOneKey: boolean
  fill(pipe: Pipe, count: number): Promise<void>
}

const entries = (pipe: Pipe, count: number): Promise<void> =>
  fillBy(pipe, 1, count + 1, i => command('XADD', KEY, `${1_700_000_000_000 + i}-0`, 'item', VALUE))

async function deliver(pipe: Pipe, count: number): Promise<void> {
  await pipe.ask('XGROUP', 'CREATE', KEY, 'g', '0')
  const words = ['XREADGROUP', 'GROUP', 'g', 'worker-1', 'COUNT', READ_BATCH] as const
  for (let i = 0; i < count; i += READ_BATCH) await pipe.ask(...words, 'STREAMS', KEY, '>')
}

const elements =
  (value: string) =>
  (pipe: Pipe, count: number): Promise<void> =>
    fillBy(pipe, 0, count, () => command('LPUSH', KEY, value))

const KINDS: readonly Kind[] = [
  { what: 'an entry of a stream', most: 1.1, isOneKey: true, fill: entries },
  { what: 'a pending entry', most: 1.2, isOneKey: true, before: entries, fill: deliver },
  {
    what: `an element of ${VALUE_BYTES} bytes of a list`,
    most: 1.1,
    isOneKey: true,
    fill: elements(VALUE),
  },
  {
    what: 'an element of 10 bytes of a list',
    most: 1.1,
    isOneKey: true,
    fill: elements('0123456789'),
  },
  {
    what: 'a member of a set',
    most: 1.1,
    isOneKey: true,
    fill: (pipe, count) => fillBy(pipe, 0, count, i => command('SADD', KEY, `member-${i}`)),
  },
  {
    what: 'a key with a string',
    isOneKey: false,
    fill: (pipe, count) =>
      fillBy(pipe, 0, count, i => command('SET', `{${KEY}}${i}`, `value-${i}`)),
  },
]

export async function weightPhase(context: Context): Promise<void> {
  if (!hasRedis()) {
    context.say('skipped: redis-server is not installed')
    return
  }
  for (const [i, kind] of KINDS.entries()) {
    context.say(kind.what)
    const cluster = await startCluster(context, `weight-${i}`)
    const server = await RedisServer.start()
    try {
      const { resp, node } = await cluster.leaderOf(KEY)
      const ours = await growth(resp, cluster.pids(), kind, context.entries)
      const theirs = await growth(server.port, [server.pid], kind, context.entries)
      const worst = Math.max(...ours.resident)
      const [peer = Number.NaN] = theirs.resident
      const bytes = (figures: readonly number[]): string =>
        figures.map(figure => figure.toFixed(1)).join('/')
      const said = kind.isOneKey
        ? `; MEMORY USAGE ${bytes([ours.said])}, redis ${bytes([theirs.said])}`
        : ''
      context.row(
        makeRow({
          phase: 'weight',
          what: kind.what,
          unit: 'bytes',
          ours: [worst],
          peer: [peer],
          judged: [worst / peer],
          ...(kind.most === undefined ? {} : { bound: most(kind.most) }),
          note: `n1/n2/n3 ${bytes(ours.resident)} bytes, n${node} leads${said}`,
        }),
      )
    } finally {
      await server.stop()
      await cluster.stop()
    }
  }
}

/** Bytes an element: resident growth of each process, and what MEMORY USAGE says that filling added. */
type Growth = { readonly resident: readonly number[]; readonly said: number }

async function growth(
  port: number,
  pids: readonly number[],
  kind: Kind,
  count: number,
): Promise<Growth> {
  const pipe = await Pipe.open(port)
  const said = async (): Promise<number> =>
    Number((await pipe.ask('MEMORY', 'USAGE', KEY, 'SAMPLES', 0)).latin1Slice(1))
  await kind.before?.(pipe, count >> 2)
  await kind.fill(pipe, count >> 2)
  await pipe.ask('FLUSHALL')
  await kind.before?.(pipe, count)
  const before = await settledMiB(pids, SETTLE_SECONDS)
  const saidBefore = kind.before === undefined ? 0 : await said()
  await kind.fill(pipe, count)
  const after = await settledMiB(pids, SETTLE_SECONDS)
  const saidAfter = kind.isOneKey ? await said() : Number.NaN
  pipe.close()
  return {
    resident: after.map((mib, i) => ((mib - (before[i] ?? 0)) * 2 ** 20) / count),
    said: (saidAfter - saidBefore) / count,
  }
}
