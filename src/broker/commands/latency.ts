// LATENCY: events that took too long, and how long the calls of each command took.

import type { Argv } from '../../base/argv.ts'
import { array, fail, integer, type Reply, text } from '../../machine/reply.ts'
import type { CommandStats } from '../command-stats.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import type { LatencySeries } from '../latency-monitor.ts'
import type { Session } from '../session.ts'
import { byWord, helpCommand, keylessFacts } from './help.ts'

const SHARED = {
  categories: ['admin', 'slow', 'dangerous'],
  flags: ['admin', 'noscript', 'loading', 'stale'],
  group: 'server',
} as const
const TIPS = ['request_policy:all_nodes', 'nondeterministic_output']

const GRAPH_COLUMNS_MAX = 80
const GRAPH_ROWS = 4

const disabled =
  "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n"
const healthy =
  'Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n'

function latest(desk: Desk): Reply {
  return array(
    [...desk.meter.monitor.series].map(([event, { samples, worst }]) => {
      const last = samples.at(-1)
      return array([
        text(event),
        integer(last?.at ?? 0),
        integer(last?.latency ?? 0),
        integer(worst),
      ])
    }),
  )
}

function history(desk: Desk, _session: Session, argv: Argv): Reply {
  const series = desk.meter.monitor.series.get(argv.latin1(2))
  return array(
    (series?.samples ?? []).map(({ at, latency }) => array([integer(at), integer(latency)])),
  )
}

function reset(desk: Desk, _session: Session, argv: Argv): Reply {
  const events: string[] = []
  for (let i = 2; i < argv.count; i += 1) events.push(argv.latin1(i))
  return integer(desk.meter.monitor.reset(events))
}

/** Mean, mean deviation in ms, and seconds from one spike to the next. */
function analysed({ samples }: LatencySeries, now: number) {
  const mean = samples.reduce((sum, { latency }) => sum + latency, 0) / samples.length
  const spread = samples.reduce((sum, { latency }) => sum + Math.abs(latency - mean), 0)
  const span = Math.max(1, Math.floor(now / 1000) - (samples[0]?.at ?? 0))
  return { mean, deviation: spread / samples.length, period: span / samples.length }
}

function doctor(desk: Desk): Reply {
  const { meter, settings, ports } = desk
  const now = ports.clock.now()
  const spikes = [...meter.monitor.series].map(([event, series], i) => {
    const { mean, deviation, period } = analysed(series, now)
    return `${i + 1}. ${event}: ${series.samples.length} latency spikes (average ${Math.round(mean)}ms, mean deviation ${Math.round(deviation)}ms, period ${period.toFixed(2)} sec). Worst all time event ${series.worst}ms.\n`
  })
  if (spikes.length === 0)
    return { kind: 'verbatim', text: settings.latencyThreshold === 0 ? disabled : healthy }
  const advice = [
    'Check your Slow Log to understand what are the commands you are running which are too slow to execute. Please check https://redis.io/commands/slowlog for more information.',
    'Commands that read or remove many elements at once hold up all others meanwhile: ask for less at a time (COUNT, LIMIT).',
  ]
  return {
    kind: 'verbatim',
    text: `Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?\n\n${spikes.join('')}\nI have a few advices for you:\n\n${advice.map(line => `- ${line}\n`).join('')}`,
  }
}

/** `12s`, `3m`: how long ago. */
function ago(seconds: number): string {
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`
}

/** One column a sample: its height, and below it from top to bottom how long ago it was. */
function graph(desk: Desk, _session: Session, argv: Argv): Reply {
  const event = argv.latin1(2)
  const series = desk.meter.monitor.series.get(event)
  if (series === undefined) return fail(`ERR No samples available for event '${event}'`)
  const shown = series.samples.slice(-GRAPH_COLUMNS_MAX)
  const latencies = shown.map(({ latency }) => latency)
  const high = Math.max(...latencies)
  const low = Math.min(...latencies)
  const now = Math.floor(desk.ports.clock.now() / 1000)
  const heights = latencies.map(latency =>
    high === low ? 0 : Math.round(((latency - low) / (high - low)) * (GRAPH_ROWS - 1)),
  )
  const labels = shown.map(({ at }) => ago(now - at))
  const rows: string[] = []
  for (let row = GRAPH_ROWS - 1; row >= 0; row -= 1)
    rows.push(
      heights
        .map(height => (height === row ? (row === 0 ? '_' : '#') : height > row ? '|' : ' '))
        .join(''),
    )
  const depth = Math.max(...labels.map(label => label.length))
  for (let row = 0; row < depth; row += 1)
    rows.push(labels.map(label => label.charAt(row) || ' ').join(''))
  const head = `${event} - high ${high} ms, low ${low} ms (all time high ${series.worst} ms)\n${'-'.repeat(GRAPH_COLUMNS_MAX)}\n`
  return { kind: 'verbatim', text: `${head}${rows.map(row => `${row}\n`).join('')}` }
}

function histogramOf(stats: CommandStats): readonly Reply[] {
  const { latency } = stats
  if (latency === null) return []
  const buckets = latency.cumulative().flatMap(([bound, calls]) => [integer(bound), integer(calls)])
  return [
    text(stats.name),
    {
      kind: 'map',
      items: [
        text('calls'),
        integer(latency.count),
        text('histogram_usec'),
        { kind: 'map', items: buckets },
      ],
    },
  ]
}

/** Containers stand for all their subcommands. */
function histogram(desk: Desk, _session: Session, argv: Argv): Reply {
  const all = desk.meter.stats.all()
  if (argv.count === 2) return { kind: 'map', items: all.flatMap(histogramOf) }
  const items: Reply[] = []
  for (let i = 2; i < argv.count; i += 1) {
    const name = argv.latin1(i).toLowerCase()
    const chosen = all.filter(stats => stats.name === name || stats.name.startsWith(`${name}|`))
    items.push(...chosen.flatMap(histogramOf))
  }
  return { kind: 'map', items }
}

function facts(word: string, arity: number, since: string, summary: string) {
  return { ...keylessFacts(`latency|${word}`, arity, since, summary, SHARED), tips: TIPS }
}

const SUBCOMMANDS: readonly DeskCommand[] = [
  { ...facts('doctor', 2, '2.8.13', 'Returns a report on latencies for people.'), run: doctor },
  { ...facts('graph', 3, '2.8.13', 'Draws the latencies of an event.'), run: graph },
  { ...facts('history', 3, '2.8.13', 'Returns the samples of an event.'), run: history },
  { ...facts('latest', 2, '2.8.13', 'Returns the latest sample of each event.'), run: latest },
  {
    ...facts('reset', -2, '2.8.13', 'Forgets the samples of events.'),
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: reset,
  },
  {
    ...facts('histogram', -2, '7.0.0', 'Returns how many calls of commands took how long.'),
    run: histogram,
  },
]

export const LATENCY_COMMAND: DeskCommand = {
  ...keylessFacts('latency', -2, '2.8.13', 'A container for latency commands.', {
    ...SHARED,
    categories: ['slow'],
    flags: [],
  }),
  subcommands: byWord('latency', [
    ...SUBCOMMANDS,
    helpCommand(
      'latency',
      '2.8.13',
      { ...SHARED, categories: ['slow'], flags: ['loading', 'stale'] },
      SUBCOMMANDS,
    ),
  ]),
}
