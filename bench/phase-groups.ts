// A consumer group at work: XREADGROUP and XACK of what it brought, in batches of ten and of one, beside Redis.
//
// The driver finds the IDs in the answers by their shape and copies their bytes into
// the acknowledgements: parsing would be measured otherwise.

import { type Context, startCluster, VALUE_BYTES } from './bench-context.ts'
import { besideRedis, type Drive } from './beside-redis.ts'
import { command, Pipe } from './pipe.ts'
import { hasRedis, redisBenchmark, xadd } from './redis.ts'

const KEY = 'bench-groups'
const GROUP = 'g'
const CONNECTIONS = 50
const PIPELINE = 16
/** The group starts again at the first entry when it has seen so many. */
const ENTRIES = 200_000
const BATCHES = [
  [10, 0.2],
  [1, null],
] as const
const CRLF = '\r\n'

export async function groupsPhase(context: Context): Promise<void> {
  if (!hasRedis()) {
    context.say('skipped: redis-server and redis-benchmark are not installed')
    return
  }
  const cluster = await startCluster(context, 'groups')
  try {
    for (const [batch, bound] of BATCHES) {
      await besideRedis(context, cluster, {
        phase: 'groups',
        what: `XREADGROUP COUNT ${batch} and XACK, ${CONNECTIONS} x ${PIPELINE}`,
        key: KEY,
        bound,
        fill: fillStream,
        drive: () => workers(batch),
      })
    }
  } finally {
    await cluster.stop()
  }
}

async function fillStream(port: number): Promise<void> {
  const load = { clients: CONNECTIONS, pipeline: PIPELINE, count: ENTRIES }
  await redisBenchmark({ port, command: xadd(KEY, VALUE_BYTES), ...load })
  const pipe = await Pipe.open(port)
  await pipe.ask('XGROUP', 'CREATE', KEY, GROUP, '0')
  pipe.close()
}

/** Counts pairs: one XREADGROUP with the XACK of its entries is two commands. */
function workers(batch: number): Drive {
  return async (seconds, port) => {
    const until = performance.now() + seconds * 1000
    const from = performance.now()
    const counts = await Promise.all(
      Array.from({ length: CONNECTIONS }, (_, i) => work(port, `worker-${i}`, batch, until)),
    )
    const pairs = counts.reduce((sum, count) => sum + count, 0)
    return { commands: 2 * pairs, seconds: (performance.now() - from) / 1000 }
  }
}

async function work(port: number, name: string, batch: number, until: number): Promise<number> {
  const pipe = await Pipe.open(port)
  const read = ['XREADGROUP', 'GROUP', GROUP, name, 'COUNT', batch, 'STREAMS', KEY, '>'] as const
  const reads = Buffer.concat(Array.from({ length: PIPELINE }, () => command(...read)))
  let pairs = 0
  while (performance.now() < until) {
    const ids = idsIn(await pipe.exchange(reads, PIPELINE))
    if (ids.length < batch * PIPELINE) await pipe.ask('XGROUP', 'SETID', KEY, GROUP, '0')
    const acks: string[] = []
    for (let i = 0; i + batch <= ids.length; i += batch) acks.push(acknowledge(ids, i, i + batch))
    if (acks.length > 0) await pipe.exchange(Buffer.from(acks.join('')), acks.length)
    pairs += acks.length
  }
  pipe.close()
  return pairs
}

/** The IDs of the entries as bulk strings: nothing else follows `*2`. */
function idsIn(answers: Buffer): string[] {
  const text = answers.latin1Slice()
  const ids: string[] = []
  for (let at = text.indexOf(ENTRY); at >= 0; at = text.indexOf(ENTRY, at)) {
    const from = at + ENTRY.length - 1
    const line = text.indexOf(CRLF, from) + CRLF.length
    at = line + Number(text.slice(from + 1, line - CRLF.length)) + CRLF.length
    // The fields of an entry begin with `*2`, too, but with a name and not with a time.
    if (text.charCodeAt(line) === DIGIT_ONE) ids.push(text.slice(from, at))
  }
  return ids
}

const ENTRY = '*2\r\n$'
const DIGIT_ONE = 0x31

function acknowledge(ids: readonly string[], from: number, to: number): string {
  const head = `*${3 + to - from}\r\n$4\r\nXACK\r\n$${KEY.length}\r\n${KEY}\r\n$${GROUP.length}\r\n${GROUP}\r\n`
  return head + ids.slice(from, to).join('')
}
