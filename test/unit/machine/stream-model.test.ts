// Random commands on two streams and their groups, done by the state machine and by a
// model that is nothing but plain (stream-model.ts): replies, and what is left, must be equal.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  idText,
  ModelStream,
  type Plain,
  type Policy,
  type Trim,
} from '../../conformance/stream-model.ts'
import { Runner } from './run.ts'

const { SLOTCAST_SCRIPTS = '300', SLOTCAST_SEED = '61' } = process.env

/** Words for the machine, and the same for the model. */
type Step = { readonly words: readonly string[]; readonly model: (world: World) => Plain }

class World {
  readonly streams = new Map<string, ModelStream>()
  now = 1000

  of(key: string): ModelStream {
    let stream = this.streams.get(key)
    if (stream === undefined) {
      stream = new ModelStream()
      this.streams.set(key, stream)
    }
    return stream
  }

  get(key: string): ModelStream {
    return this.streams.get(key) ?? new ModelStream()
  }
}

const key = fc.constantFrom('s', 's', 't')
const group = fc.constantFrom('g', 'g', 'h')
const consumer = fc.constantFrom('alice', 'bob')
const id = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 3 }))
  .map(([ms, seq]) => ms * 1000 + seq)
const ids = fc.uniqueArray(id, { minLength: 1, maxLength: 4 })
const policy = fc.constantFrom<Policy>('KEEPREF', 'DELREF', 'ACKED')
const count = fc.constantFrom(1, 2, 3, 10)
const minIdle = fc.constantFrom(0, 1, 10, 30, 100_000)
const trim: fc.Arbitrary<Trim> = fc.oneof(
  fc.record({ by: fc.constant('MAXLEN' as const), bound: fc.nat(4), policy }),
  fc.record({ by: fc.constant('MINID' as const), bound: id, policy }),
)

function wordsOf({ by, bound, policy: chosen }: Trim): string[] {
  return [by, '=', by === 'MAXLEN' ? String(bound) : idText(bound), chosen]
}

function idsOf(list: readonly number[]): string[] {
  return ['IDS', String(list.length), ...list.map(idText)]
}

const adds = fc
  .record({
    key,
    id: fc.oneof({ weight: 5, arbitrary: id }, { weight: 2, arbitrary: fc.constant(0) }),
    trim: fc.option(trim, { freq: 4 }),
    iid: fc.option(fc.tuple(fc.constantFrom('p', 'q'), fc.constantFrom('1', '2', '3', '4')), {
      freq: 2,
    }),
    value: fc.constantFrom('v', 'a longer value'),
  })
  .map(({ key: to, id: wanted, trim: cut, iid, value }): Step => {
    const pair = iid === null || wanted > 0 ? null : iid
    const idmp = pair === null ? [] : ['IDMP', ...pair]
    const options = cut === null ? [] : wordsOf(cut)
    return {
      words: ['XADD', to, ...idmp, ...options, wanted > 0 ? idText(wanted) : '*', 'f', value],
      model: world => world.of(to).add(wanted, world.now, ['f', value], cut, pair),
    }
  })

const removals = fc.oneof(
  fc.tuple(key, trim).map(
    ([on, cut]): Step => ({
      words: ['XTRIM', on, ...wordsOf(cut)],
      model: world => world.get(on).trim(cut),
    }),
  ),
  fc.tuple(key, ids).map(
    ([on, list]): Step => ({
      words: ['XDEL', on, ...list.map(idText)],
      model: world => world.get(on).delete(list),
    }),
  ),
  fc.tuple(key, policy, ids).map(
    ([on, how, list]): Step => ({
      words: ['XDELEX', on, how, ...idsOf(list)],
      model: world => world.get(on).deleteEx(how, list),
    }),
  ),
  fc.tuple(key, group, ids).map(
    ([on, name, list]): Step => ({
      words: ['XACK', on, name, ...list.map(idText)],
      model: world => world.get(on).acknowledge(name, list),
    }),
  ),
  fc.tuple(key, group, policy, ids).map(
    ([on, name, how, list]): Step => ({
      words: ['XACKDEL', on, name, how, ...idsOf(list)],
      model: world => world.get(on).acknowledgeDelete(name, how, list),
    }),
  ),
)

const groups = fc.oneof(
  fc.tuple(key, group, fc.constantFrom(0, 2000)).map(
    ([on, name, last]): Step => ({
      words: ['XGROUP', 'CREATE', on, name, idText(last), 'MKSTREAM'],
      model: world => {
        const stream = world.of(on)
        if (stream.groups.has(name)) return '!BUSYGROUP Consumer Group name already exists'
        stream.groups.set(name, { last, pending: [] })
        return '+OK'
      },
    }),
  ),
  fc.tuple(key, group, fc.constantFrom(0, 3001)).map(
    ([on, name, last]): Step => ({
      words: ['XGROUP', 'SETID', on, name, idText(last)],
      model: world => {
        if (!world.streams.has(on)) return REQUIRES
        const found = world.get(on).groups.get(name)
        if (found === undefined)
          return `!NOGROUP No such consumer group '${name}' for key name '${on}'`
        found.last = last
        return '+OK'
      },
    }),
  ),
  fc.tuple(key, group, consumer).map(
    ([on, name, who]): Step => ({
      words: ['XGROUP', 'DELCONSUMER', on, name, who],
      model: world => {
        if (!world.streams.has(on)) return REQUIRES
        const found = world.get(on).groups.get(name)
        if (found === undefined)
          return `!NOGROUP No such consumer group '${name}' for key name '${on}'`
        const own = found.pending.filter(({ owner }) => owner === who).map(one => one.id)
        return world.get(on).acknowledge(name, own)
      },
    }),
  ),
)
const REQUIRES =
  '!ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.'

const reads = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({
        on: fc.constantFrom(['s'], ['t'], ['s', 't']),
        group,
        consumer,
        count: fc.option(count),
        maxCount: fc.option(fc.constantFrom(10, 11)),
        minIdle: fc.option(minIdle),
        noAck: fc.nat(4),
      })
      .map(
        (o): Step => ({
          words: [
            ...['XREADGROUP', 'GROUP', o.group, o.consumer],
            ...(o.count === null ? [] : ['COUNT', String(o.count)]),
            ...(o.maxCount === null ? [] : ['MAXCOUNT', String(o.maxCount)]),
            ...(o.minIdle === null ? [] : ['CLAIM', String(o.minIdle)]),
            ...(o.noAck === 0 ? ['NOACK'] : []),
            ...['STREAMS', ...o.on, ...o.on.map(() => '>')],
          ],
          model: world => {
            const missing = o.on.find(name => !world.get(name).groups.has(o.group))
            if (missing !== undefined)
              return `!NOGROUP No such key '${missing}' or consumer group '${o.group}' in XREADGROUP with GROUP option`
            const out: Plain[] = []
            let left = o.maxCount ?? Number.POSITIVE_INFINITY
            for (const name of o.on) {
              const most = Math.min(left, o.count ?? Number.POSITIVE_INFINITY)
              const found = world
                .get(name)
                .deliver(o.group, o.consumer, world.now, most, o.noAck === 0, o.minIdle)
              left -= found.length
              if (found.length > 0) out.push(name, found)
            }
            return out.length > 0 ? out : 'null-array'
          },
        }),
      ),
  },
  fc.tuple(key, group, consumer, count, fc.constantFrom(0, 2001)).map(
    ([on, name, who, most, after]): Step => ({
      words: [
        'XREADGROUP',
        'GROUP',
        name,
        who,
        'COUNT',
        String(most),
        'STREAMS',
        on,
        idText(after),
      ],
      model: world =>
        world.get(on).groups.has(name)
          ? [on, world.get(on).history(name, who, world.now, most, after)]
          : `!NOGROUP No such key '${on}' or consumer group '${name}' in XREADGROUP with GROUP option`,
    }),
  ),
  fc
    .tuple(
      id,
      id,
      count,
      fc.option(fc.constantFrom(10, 12)),
      fc.option(fc.constantFrom(1, 60, 120, 300)),
    )
    .map(
      ([a, b, most, maxCount, maxSize]): Step => ({
        words: [
          ...['XREAD', 'COUNT', String(most)],
          ...(maxCount === null ? [] : ['MAXCOUNT', String(maxCount)]),
          ...(maxSize === null ? [] : ['MAXSIZE', String(maxSize)]),
          ...['STREAMS', 's', 't', idText(a), idText(b)],
        ],
        model: world => {
          const budget = { entries: maxCount ?? 1000, bytes: (maxSize ?? 1e9) - 4, taken: 0 }
          const out: Plain[] = []
          for (const [name, after] of [
            ['s', a],
            ['t', b],
          ] as const) {
            const found = world.get(name).read(name, after, most, budget)
            if (found.length > 0) out.push(name, found)
          }
          return out.length > 0 ? out : 'null-array'
        },
      }),
    ),
)

const passing = fc.oneof(
  fc
    .tuple(
      key,
      group,
      fc.constantFrom('SILENT', 'FAIL', 'FATAL'),
      ids,
      fc.option(fc.nat(9)),
      fc.boolean(),
    )
    .map(
      ([on, name, mode, list, retries, force]): Step => ({
        words: [
          ...['XNACK', on, name, mode, ...idsOf(list)],
          ...(retries === null ? [] : ['RETRYCOUNT', String(retries)]),
          ...(force ? ['FORCE'] : []),
        ],
        model: world => world.get(on).release(on, name, mode, list, retries, force),
      }),
    ),
  fc.tuple(key, group, consumer, minIdle, id, fc.boolean(), fc.boolean()).map(
    ([on, name, who, idle, one, force, justId]): Step => ({
      words: [
        'XCLAIM',
        on,
        name,
        who,
        String(idle),
        idText(one),
        ...(force ? ['FORCE'] : []),
        ...(justId ? ['JUSTID'] : []),
      ],
      model: world => world.get(on).claim(on, name, who, world.now, idle, one, force, justId),
    }),
  ),
  fc.tuple(key, fc.option(fc.constantFrom(1, 2, 3)), fc.constantFrom(100, 200)).map(
    ([on, size, duration]): Step => ({
      words: [
        'XCFGSET',
        on,
        'IDMP-DURATION',
        String(duration),
        ...(size === null ? [] : ['IDMP-MAXSIZE', String(size)]),
      ],
      model: world => {
        if (!world.streams.has(on)) return '!ERR no such key'
        world.get(on).configure(size, duration)
        return '+OK'
      },
    }),
  ),
)

const script = fc.array(
  fc.record({
    after: fc.constantFrom(1, 1, 5, 20),
    step: fc.oneof(
      { weight: 6, arbitrary: adds },
      { weight: 4, arbitrary: removals },
      { weight: 2, arbitrary: groups },
      { weight: 6, arbitrary: reads },
      { weight: 4, arbitrary: passing },
    ),
  }),
  { minLength: 20, maxLength: 80 },
)

const ENDING: readonly Step[] = ['s', 't'].flatMap(on => [
  { words: ['XRANGE', on, '-', '+'], model: world => world.get(on).range() },
  ...['g', 'h'].map(
    (name): Step => ({
      words: ['XPENDING', on, name, '-', '+', '1000'],
      model: world => world.get(on).pendingOf(on, name, world.now),
    }),
  ),
])

/** Counts beyond what numbers hold are equal enough. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable)
  return typeof value === 'bigint' ? Number(value) : value
}

test('the state machine does what a plain model of streams does', () => {
  fc.assert(
    fc.property(script, moves => {
      const runner = new Runner()
      const world = new World()
      const story: string[] = []
      const ending = ENDING.map(step => ({ after: 1, step }))
      for (const { after, step } of [...moves, ...ending]) {
        world.now += after
        runner.now = world.now
        const want = step.model(world)
        const got = comparable(runner.run(...step.words))
        story.push(`${step.words.join(' ')}\n  ${JSON.stringify(want)}`)
        assert.deepEqual(got, want, `${story.join('\n')}\nbut\n  ${JSON.stringify(got)}`)
      }
    }),
    { seed: Number(SLOTCAST_SEED), numRuns: Number(SLOTCAST_SCRIPTS), includeErrorInReport: true },
  )
})
