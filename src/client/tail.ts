// Reads streams as they grow, from a place on; every reader sees every entry. It remembers where it is, so that leaders
// may die without an entry being missed or seen twice.

import { slotOfKey } from './command-facts.ts'
import { type Entry, streamsOf } from './entry.ts'
import { AbortedError, SlotcastError } from './errors.ts'
import type { Executor } from './executor.ts'
import { contextOf, type Propagator } from './propagator.ts'
import type { Word } from './session/call.ts'

const BLOCK_MS = 5_000
const COUNT = 256
const REST_MS = 100
const DEADLINE_MS = 15_000

export type TailOptions = {
  readonly streams: readonly string[]
  /** Entries after this ID: `0` is all. Default: `$`, what comes from now on. */
  readonly from?: string
  readonly signal?: AbortSignal
}

export type TailEntry = {
  readonly stream: string
  readonly entry: Entry
  /** What the propagator found. */
  readonly context: unknown
}

type Found = { readonly stream: string; readonly entry: Entry }

/** Reads the streams of one slot in turns; slots go side by side. */
export async function* tail(
  executor: Executor,
  propagator: Propagator | null,
  { streams, from = '$', signal }: TailOptions,
): AsyncGenerator<TailEntry, void, void> {
  const stop = new AbortController()
  const end = (): void => stop.abort()
  signal?.addEventListener('abort', end, { once: true })
  if (signal?.aborted === true) end()
  const queue: Found[] = []
  let fault: unknown = null
  let wake: () => void = () => {}
  let room: () => void = () => {}
  const bySlot = new Map<number, string[]>()
  for (const key of streams) {
    const slot = slotOfKey(key)
    bySlot.set(slot, [...(bySlot.get(slot) ?? []), key])
  }
  const read = async (keys: readonly string[]): Promise<void> => {
    const places = await placesOf(executor, keys, from, stop.signal)
    while (!stop.signal.aborted) {
      for (const found of await next(executor, keys, places, stop.signal)) queue.push(found)
      wake()
      while (queue.length >= COUNT && !stop.signal.aborted)
        await new Promise<void>(resolve => {
          room = resolve
        })
    }
  }
  for (const keys of bySlot.values()) {
    read(keys).catch((error: unknown) => {
      if (!stop.signal.aborted) fault = error
      wake()
    })
  }
  stop.signal.addEventListener('abort', () => {
    wake()
    room()
  })
  try {
    for (;;) {
      const found = queue.shift()
      if (found !== undefined) {
        if (queue.length < COUNT) room()
        yield { ...found, context: contextOf(propagator, found.entry) }
      } else if (fault !== null) throw fault
      else if (stop.signal.aborted) return
      else
        await new Promise<void>(resolve => {
          wake = resolve
        })
    }
  } finally {
    signal?.removeEventListener('abort', end)
    end()
  }
}

/** IDs to read on from; `$` is made a number at once, so that nothing is missed between two reads. */
async function placesOf(
  executor: Executor,
  keys: readonly string[],
  from: string,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const places = new Map<string, string>()
  for (const key of keys) {
    let place = from
    if (from === '$') {
      const newest = await executor.execute(['XREVRANGE', key, '+', '-', 'COUNT', 1], { signal })
      place = Array.isArray(newest) && newest.length > 0 ? String((newest[0] as string[])[0]) : '0'
    }
    places.set(key, place)
  }
  return places
}

async function next(
  executor: Executor,
  keys: readonly string[],
  places: Map<string, string>,
  signal: AbortSignal,
): Promise<Found[]> {
  const ids = keys.map(key => places.get(key) as string)
  const words: Word[] = ['XREAD', 'COUNT', COUNT, 'BLOCK', BLOCK_MS, 'STREAMS', ...keys, ...ids]
  try {
    const options = { as: 'bytes', deadlineMs: DEADLINE_MS, signal } as const
    const found: Found[] = []
    for (const { key, entries } of streamsOf(await executor.execute(words, options))) {
      const stream = key.toString()
      for (const entry of entries) found.push({ stream, entry })
      places.set(stream, entries.at(-1)?.id ?? (places.get(stream) as string))
    }
    return found
  } catch (error) {
    const retryable = error instanceof SlotcastError && error.retryable
    if (!retryable || error instanceof AbortedError) throw error
    await new Promise(resolve => setTimeout(resolve, REST_MS))
    return []
  }
}
