// What is measured beside another: a server, or three of them, and the load on it.
//
// One has the machine while the others hold still, and rounds alternate, so that
// what slows the machine down for a while slows them all.

import { cpuSeconds, pause } from './processes.ts'
import { medianOf } from './statistics.ts'

export type Contender = {
  readonly name: string
  /** Processes whose CPU time is counted, by the name that it is printed under. */
  processes(): readonly { readonly name: string; readonly pid: number }[]
  /** Before each round, once it is released. */
  prepare?(): Promise<void>
  /** Loads it for about so long. */
  drive(seconds: number): Promise<Driven>
  /** Stops the processes where they are, and lets them go on. */
  hold(): void
  release(): void
}

export type Driven = {
  readonly commands: number
  readonly seconds: number
  readonly p50Ms?: number
}

export type Round = {
  readonly perSecond: number
  readonly p50Ms: number
  /** CPU microseconds a command, by process. */
  readonly cpu: Readonly<Record<string, number>>
}

export type Plan = {
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
}

const SETTLE_MS = 300
const ATTEMPTS = 3

/** Rounds of each contender, in the order of `contenders`. */
export async function compete(contenders: readonly Contender[], plan: Plan): Promise<Round[][]> {
  const rounds: Round[][] = contenders.map(() => [])
  for (const contender of contenders) contender.hold()
  try {
    for (let i = -1; i < plan.rounds; i += 1) {
      for (const [k, contender] of contenders.entries()) {
        const round = await turn(contender, i < 0 ? plan.warmUpSeconds : plan.seconds)
        if (i >= 0) rounds[k]?.push(round)
      }
    }
  } finally {
    for (const contender of contenders) contender.release()
  }
  return rounds
}

async function turn(contender: Contender, seconds: number): Promise<Round> {
  contender.release()
  for (let attempt = 1; ; attempt += 1) {
    try {
      await pause(SETTLE_MS)
      await contender.prepare?.()
      const round = await measure(contender, seconds)
      contender.hold()
      return round
    } catch (error) {
      // redis-benchmark ends when a leader moves: the round begins again.
      if (attempt === ATTEMPTS || !(error as Error).message.includes('MOVED')) throw error
    }
  }
}

async function measure(contender: Contender, seconds: number): Promise<Round> {
  const processes = [...contender.processes(), { name: 'driver', pid: process.pid }]
  const before = processes.map(({ pid }) => cpuSeconds(pid))
  const driven = await contender.drive(seconds)
  const cpu: Record<string, number> = {}
  for (const [i, { name, pid }] of processes.entries()) {
    const us = ((cpuSeconds(pid) - (before[i] ?? 0)) * 1e6) / driven.commands
    // Several of one name: the mean of them.
    const alike = processes.filter(other => other.name === name).length
    cpu[name] = (cpu[name] ?? 0) + us / alike
  }
  return { perSecond: driven.commands / driven.seconds, p50Ms: driven.p50Ms ?? Number.NaN, cpu }
}

export function cpuOf(rounds: readonly Round[], prefix = ''): Record<string, number> {
  const names = Object.keys(rounds[0]?.cpu ?? {})
  return Object.fromEntries(
    names.map(name => [
      prefix + name,
      medianOf(rounds.map(round => round.cpu[name] ?? Number.NaN)),
    ]),
  )
}

export const perSecond = (rounds: readonly Round[]): number[] =>
  rounds.map(round => round.perSecond)
