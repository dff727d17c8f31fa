// How the context of a trace travels with an entry: as fields beside the application's own.
//
// Shaped so that OpenTelemetry's `propagation` fits with three lines (docs/client.md) and is no dependency.

import type { Entry } from './entry.ts'

/** Texts by name, such as `traceparent`. */
export type Carrier = Record<string, string>

export type Propagator = {
  /** Names of the fields that it writes. */
  fields(): readonly string[]
  /** Writes the active context. */
  inject(carrier: Carrier): void
  /** The context that was written. What it is, is the application's affair. */
  extract(carrier: Carrier): unknown
}

/** The context that travelled with an entry; undefined: none is carried. */
export function contextOf(propagator: Propagator | null, entry: Entry): unknown {
  if (propagator === null) return undefined
  const carrier: Carrier = {}
  for (const name of propagator.fields()) {
    const value = entry.get(name)
    if (value !== undefined) carrier[name] = value
  }
  return propagator.extract(carrier)
}
