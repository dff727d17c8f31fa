// `slotcast bench`: the words and flags of the load generator, and what it prints.

import { type Command, InvalidArgumentError } from 'commander'
import type { LatencyHistogram } from './bench-histogram.ts'
import type { LoadOptions, LoadResult } from './bench-load.ts'

type BenchFlags = {
  address?: string
  resp?: boolean
  mix: 'xadd' | 'group'
  clients: number
  pipeline?: number
  frame?: number
  valueSize: number
  keys: number
  keyPrefix: string
  warmup: number
  duration: number
  count: number
  rate: number
  json?: boolean
}

const GRPC_DEFAULT = { address: '127.0.0.1:7101', pipeline: 256, frame: 64 }
const RESP_DEFAULT = { address: '127.0.0.1:7001', pipeline: 16, frame: 16 }
const PERCENTILES = [50, 90, 99, 99.9] as const

function numberFrom(least: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!(value >= least)) throw new InvalidArgumentError(`A number from ${least} on is needed.`)
    return value
  }
}

function mixOf(text: string): 'xadd' | 'group' {
  if (text !== 'xadd' && text !== 'group') throw new InvalidArgumentError('xadd or group.')
  return text
}

export function addBenchCommand(program: Command): void {
  const one = numberFrom(1)
  program
    .command('bench')
    .description('load a running cluster and print throughput and latencies')
    .option('--address <host:port>', 'any node: its gRPC address, with --resp its RESP address')
    .option('--resp', 'speak RESP instead of a gRPC Session')
    .option('--mix <name>', 'xadd, or group: XADD, XREADGROUP, XACK of each entry', mixOf, 'xadd')
    .option('--clients <n>', 'clients, each with a connection to each node', one, 4)
    .option('--pipeline <n>', 'commands in flight a client (256; RESP: 16)', one)
    .option(
      '--frame <n>',
      'commands of one frame or write (64; RESP: 16); 0: as answers come',
      numberFrom(0),
    )
    .option('--value-size <bytes>', 'bytes of the one field', numberFrom(0), 128)
    .option('--keys <n>', 'streams, used in turn', one, 3)
    .option('--key-prefix <text>', 'their names begin with this', 'bench')
    .option('--warmup <s>', 'seconds that are not counted', numberFrom(0), 1)
    .option('--duration <s>', 'seconds that are counted', numberFrom(0.1), 10)
    .option('--count <n>', 'commands after which it ends earlier', one, Infinity)
    .option('--rate <n>', 'commands begun a second; 0: as answers come', numberFrom(0), 0)
    .option('--json', 'print JSON')
    .action(runBench)
}

async function runBench(flags: BenchFlags): Promise<void> {
  const { runLoad } = await import('./bench-load.ts')
  const { OperationalError } = await import('./base/errors.ts')
  const options = await optionsOf(flags)
  const progress =
    flags.json !== true && process.stderr.isTTY
      ? (commands: number) => process.stderr.write(`\r${formatCount(commands)} commands/s   `)
      : null
  let result: LoadResult
  try {
    result = await runLoad(options, progress)
  } catch (error) {
    throw new OperationalError('PEER', (error as Error).message, error)
  }
  if (progress !== null) process.stderr.write('\r')
  const text =
    flags.json === true ? JSON.stringify(asJson(options, result), null, 2) : print(options, result)
  process.stdout.write(`${text}\n`)
  if (result.commands === 0) process.exitCode = 1
}

async function optionsOf(flags: BenchFlags): Promise<LoadOptions> {
  const usual = flags.resp === true ? RESP_DEFAULT : GRPC_DEFAULT
  const protocol =
    flags.resp === true
      ? (await import('./bench-resp.ts')).respProtocol
      : (await import('./bench-grpc.ts')).sessionProtocol
  const pipeline = Math.floor(flags.pipeline ?? usual.pipeline)
  return {
    address: flags.address ?? usual.address,
    protocol,
    mix: flags.mix,
    clients: Math.floor(flags.clients),
    pipeline,
    frame: Math.min(Math.floor(flags.frame ?? usual.frame), pipeline),
    valueBytes: Math.floor(flags.valueSize),
    keys: Math.floor(flags.keys),
    keyPrefix: flags.keyPrefix,
    warmUpSeconds: flags.warmup,
    seconds: flags.duration,
    count: flags.count,
    rate: flags.rate,
  }
}

function latencyOf(histogram: LatencyHistogram): Record<string, number> {
  const round = (ms: number): number => Math.round(ms * 1000) / 1000
  return {
    mean: round(histogram.meanMs),
    ...Object.fromEntries(
      PERCENTILES.map(percent => [`p${percent}`, round(histogram.percentileMs(percent))]),
    ),
    max: round(histogram.maxMs),
  }
}

function asJson(options: LoadOptions, result: LoadResult): object {
  const { protocol: _, ...settings } = options
  return {
    settings: { ...settings, count: Number.isFinite(options.count) ? options.count : null },
    seconds: result.seconds,
    commands: result.commands,
    commandsPerSecond: result.commands / result.seconds,
    errors: result.errors,
    redirects: result.redirects,
    errorTexts: Object.fromEntries(result.errorTexts),
    latencyMs: Object.fromEntries(
      [...result.latencies].map(([name, histogram]) => [
        name,
        { count: histogram.count, ...latencyOf(histogram) },
      ]),
    ),
  }
}

function print(options: LoadOptions, result: LoadResult): string {
  const { clients, pipeline, frame, valueBytes, keys, mix } = options
  const lines = [
    `${mix}: ${clients} clients x ${pipeline} in flight, ${frame} a frame, ${valueBytes} bytes, ${keys} keys`,
    `${formatCount(result.commands / result.seconds)} commands/s: ${formatCount(result.commands)} in ${result.seconds.toFixed(2)} s, ${result.errors} errors, ${result.redirects} redirects`,
  ]
  for (const [name, histogram] of result.latencies) {
    const facts = Object.entries(latencyOf(histogram)).map(([of, ms]) => `${of} ${ms.toFixed(3)}`)
    lines.push(
      `${name.padEnd(10)} ${formatCount(histogram.count).padStart(12)}  ms: ${facts.join('  ')}`,
    )
  }
  for (const [text, count] of result.errorTexts) lines.push(`${count} x ${text}`)
  return lines.join('\n')
}

function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en')
}
