// The port for the process itself: its memory, its CPU time, and the machine it runs on.

import type { Ms } from './types.ts'

/** Bytes. */
export type ProcessMemory = {
  /** Of the machine's memory, with code and stacks. */
  readonly resident: number
  /** Objects of the engine's heap, dead ones among them until they are collected. */
  readonly heap: number
  /** What the engine reserved for that heap. */
  readonly heapReserved: number
  /** Buffers outside of the heap: nearly all data stands there. */
  readonly buffers: number
}

/** Seconds since the start. */
export type ProcessCpu = { readonly user: number; readonly system: number }

export interface ProcessPort {
  readonly pid: number
  /** `Linux 6.1.0 x86_64`. */
  readonly os: string
  readonly executable: string
  /** Of the engine: `v24.1.0`. */
  readonly engine: string
  /** Memory of the machine, in bytes. */
  readonly machineBytes: number
  memory(): ProcessMemory
  cpu(): ProcessCpu
  /** Collects garbage at once: tens of milliseconds in which nothing else happens. */
  collect(): void
  /** Stalls everything that this process does. */
  stall(ms: Ms): void
}
