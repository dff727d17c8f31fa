// What a run says: one row a measurement, with the bound it is held against, as a table or as JSON.

import { cpus, loadavg, release, totalmem } from 'node:os'
import Table from 'cli-table3'
import { type Spread, spreadOf } from './statistics.ts'

export type Bound = { readonly at: 'least' | 'most'; readonly value: number }

export type Row = {
  readonly phase: string
  readonly what: string
  /** What ours did and what it is measured by, in `unit`; without a peer in the second place: alone. */
  readonly unit: string
  readonly ours: Spread
  readonly peer: Spread | null
  /** What is held against the bound: a ratio of the two, or ours itself. */
  readonly judged: Spread
  readonly bound: Bound | null
  /** CPU microseconds a command, by process. */
  readonly cpu: Readonly<Record<string, number>>
  readonly note?: string
}

export type RowFacts = {
  readonly phase: string
  readonly what: string
  readonly unit: string
  readonly ours: readonly number[]
  readonly peer?: readonly number[]
  readonly judged: readonly number[]
  readonly bound?: Bound
  readonly cpu?: Readonly<Record<string, number>>
  readonly note?: string
}

export function makeRow(facts: RowFacts): Row {
  return {
    phase: facts.phase,
    what: facts.what,
    unit: facts.unit,
    ours: spreadOf(facts.ours),
    peer: facts.peer === undefined ? null : spreadOf(facts.peer),
    judged: spreadOf(facts.judged),
    bound: facts.bound ?? null,
    cpu: facts.cpu ?? {},
    ...(facts.note === undefined ? {} : { note: facts.note }),
  }
}

export const least = (value: number): Bound => ({ at: 'least', value })
export const most = (value: number): Bound => ({ at: 'most', value })

/** By the median; null where nothing was promised. */
export function holds({ bound, judged }: Row): boolean | null {
  if (bound === null) return null
  return bound.at === 'least' ? judged.median >= bound.value : judged.median <= bound.value
}

export function printRows(rows: readonly Row[]): string {
  const table = new Table({
    head: [
      'Phase',
      'What',
      'Slotcast',
      'Peer',
      'Judged (min..max)',
      'Bound',
      '',
      'CPU us a command',
    ],
    style: { head: [], border: [], compact: true },
  })
  for (const row of rows) {
    const verdict = holds(row)
    table.push([
      row.phase,
      row.what,
      `${figure(row.ours.median)} ${row.unit}`,
      row.peer === null ? '-' : `${figure(row.peer.median)} ${row.unit}`,
      `${figure(row.judged.median)} (${figure(row.judged.min)}..${figure(row.judged.max)})`,
      row.bound === null
        ? '-'
        : `${row.bound.at === 'least' ? '>=' : '<='} ${figure(row.bound.value)}`,
      verdict === null ? '' : verdict ? 'ok' : 'MISSED',
      Object.entries(row.cpu)
        .map(([name, us]) => `${name} ${figure(us)}`)
        .join('  '),
    ])
  }
  const notes = rows.flatMap(({ phase, what, note }) =>
    note ? [`${phase}, ${what}: ${note}`] : [],
  )
  return [table.toString(), ...notes].join('\n')
}

function figure(value: number): string {
  if (!Number.isFinite(value)) return '?'
  const size = Math.abs(value)
  if (size >= 1000) return Math.round(value).toLocaleString('en')
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** Without it a figure means nothing. */
export function machineFacts(): Record<string, unknown> {
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    loadAverage: loadavg().map(load => Number(load.toFixed(2))),
  }
}
