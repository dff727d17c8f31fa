// How one option's value is read, whether it comes from YAML or from the environment.

import type { NodeId } from './base/types.ts'
import type { OPTIONS, Option, OptionKey } from './config-table.ts'
import type { Address } from './topology/slot-map.ts'

/** A node that founds the cluster, and where its peers dial it. */
export type Seed = Address & {
  readonly id: NodeId
  /** `n1`. */
  readonly name: string
}

type Read<O> = O extends { kind: 'integer' }
  ? number
  : O extends { kind: 'flag' }
    ? boolean
    : O extends { kind: 'choice'; choices: readonly (infer C)[] }
      ? C
      : O extends { kind: 'address'; default: null }
        ? Address | null
        : O extends { kind: 'address' }
          ? Address
          : O extends { kind: 'seeds' }
            ? readonly Seed[]
            : string

/** The type of a key's value. */
export type ValueOf<K extends OptionKey> = Read<(typeof OPTIONS)[K]>

type Value = number | boolean | string | Address | readonly Seed[] | null

/**
 * Reads `raw`: a YAML scalar or list, or the text of an environment variable.
 *
 * @returns the value, or an Error whose message follows the option's name
 */
export function parseOption(option: Option, raw: unknown): Value | Error {
  switch (option.kind) {
    case 'integer':
      return parseInteger(raw, option.range)
    case 'flag':
      if (raw === true || raw === 'true') return true
      if (raw === false || raw === 'false') return false
      return new Error(`is neither true nor false: ${show(raw)}`)
    case 'choice':
      if (typeof raw === 'string' && option.choices.includes(raw)) return raw
      return new Error(`is none of ${option.choices.join(', ')}: ${show(raw)}`)
    case 'text':
      if (typeof raw !== 'string') return new Error(`is no text: ${show(raw)}`)
      if (raw !== option.default && option.shape !== undefined && !option.shape.test(raw)) {
        return new Error(`does not match ${option.shape.source}: ${show(raw)}`)
      }
      return raw
    case 'address':
      if (option.default === null && (raw === null || raw === '')) return null
      return parseAddress(raw)
    case 'seeds':
      return parseSeeds(raw)
  }
}

function parseInteger(raw: unknown, [least, most]: readonly [number, number]): number | Error {
  const value = typeof raw === 'string' && /^\d{1,15}$/.test(raw) ? Number(raw) : raw
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    return new Error(`is no whole number: ${show(raw)}`)
  }
  if (value < least || value > most) return new Error(`is not in ${least}..${most}: ${value}`)
  return value
}

/** Reads `host:port` or `[v6]:port`. */
export function parseAddress(raw: unknown): Address | Error {
  const parts =
    typeof raw === 'string' ? /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(raw) : null
  if (parts === null) return new Error(`is no host:port: ${show(raw)}`)
  const port = Number(parts[3])
  if (port < 1 || port > 65_535) return new Error(`has no port in 1..65535: ${show(raw)}`)
  return { host: parts[1] ?? parts[2] ?? '', port }
}

function parseSeeds(raw: unknown): readonly Seed[] | Error {
  if (raw === null || raw === '') return []
  const items: unknown = typeof raw === 'string' ? raw.split(',').map(item => item.trim()) : raw
  if (!Array.isArray(items)) return new Error(`is no list of name=host:port: ${show(raw)}`)
  const seeds: Seed[] = []
  for (const item of items as unknown[]) {
    const parts = typeof item === 'string' ? /^(n([1-9]\d{0,3}))=(.+)$/.exec(item) : null
    if (parts === null) return new Error(`has an item that is no n1=host:port: ${show(item)}`)
    const address = parseAddress(parts[3])
    if (address instanceof Error) return new Error(`has an item that ${address.message}`)
    const id = Number(parts[2])
    if (seeds.some(seed => seed.id === id)) return new Error(`names ${parts[1]} twice`)
    seeds.push({ id, name: parts[1] ?? '', ...address })
  }
  return seeds
}

function show(raw: unknown): string {
  return JSON.stringify(raw) ?? 'nothing'
}
