// Where settings come from: a YAML file or the environment, flattened to the keys of the table.

import { isMap, isScalar, parseDocument } from 'yaml'
import { environmentName, OPTION_KEYS, OPTIONS, type OptionKey } from './config-table.ts'

export type ConfigSource = {
  readonly values: ReadonlyMap<OptionKey, unknown>
  /** How a fault in `key` is told: with the file, or as the variable. */
  nameOf(key: OptionKey): string
}

/** Reads the text of a YAML file; what is wrong with it goes to `faults`. */
export function readYaml(file: string, text: string, faults: string[]): ConfigSource {
  const values = new Map<OptionKey, unknown>()
  const document = parseDocument(text, { prettyErrors: true })
  for (const error of document.errors) {
    faults.push(`${file}: ${(error.message.split('\n')[0] ?? '').replace(/:$/, '')}`)
  }
  if (document.errors.length === 0) flatten(document.contents, '', file, values, faults)
  return { values, nameOf: key => `${file}: ${key}` }
}

function flatten(
  contents: unknown,
  prefix: string,
  file: string,
  values: Map<OptionKey, unknown>,
  faults: string[],
): void {
  if (contents === null || (isScalar(contents) && contents.value === null)) return
  if (!isMap(contents)) {
    faults.push(`${file}: ${prefix || 'the file'} is no map of options`)
    return
  }
  for (const pair of contents.items) {
    const name = isScalar(pair.key) ? String(pair.key.value) : String(pair.key)
    const key = prefix === '' ? name : `${prefix}.${name}`
    if (isOptionKey(key)) {
      const node = pair.value as { toJSON(): unknown } | null
      values.set(key, node === null ? null : node.toJSON())
    } else if (OPTION_KEYS.some(known => known.startsWith(`${key}.`))) {
      flatten(pair.value, key, file, values, faults)
    } else {
      faults.push(`${file}: ${key} is unknown, did you mean ${nearest(key, OPTION_KEYS)}?`)
    }
  }
}

/** Reads SLOTCAST_NODE_... and SLOTCAST_CLUSTER_...; other variables are none of ours. */
export function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  faults: string[],
): ConfigSource {
  const keys = new Map(OPTION_KEYS.map(key => [environmentName(key), key]))
  const values = new Map<OptionKey, unknown>()
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || !/^SLOTCAST_(NODE|CLUSTER)_/.test(name)) continue
    const key = keys.get(name)
    if (key !== undefined) values.set(key, value)
    else faults.push(`${name} is unknown, did you mean ${nearest(name, [...keys.keys()])}?`)
  }
  return { values, nameOf: environmentName }
}

function isOptionKey(key: string): key is OptionKey {
  return Object.hasOwn(OPTIONS, key)
}

/** The known name that takes the fewest edits to reach. */
function nearest(name: string, known: readonly string[]): string {
  let best = ''
  let fewest = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const edits = editDistance(name, candidate)
    if (edits < fewest) {
      fewest = edits
      best = candidate
    }
  }
  return best
}

/** Levenshtein's distance, a row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
