// Segments that the log is done with, kept to be filled with zeros and used again.
//
// Their blocks are allocated and their pages are in memory. Beside a load of 300,000
// XADD/s on three nodes of one machine, a third of all CPU time went into pages
// that the page cache had never held before.
//
// A segment first gets a name that a start removes, then the directory is synced,
// and only then it is given out: nothing in it may change while a crash could bring
// its old name back, for then it would read as damage.

import { asDiskError, type Disk } from './disk.ts'
import { segmentName } from './segment.ts'

/** Segments that are kept: about what one snapshot sets free. */
const KEPT_MAX = 6

export class RecycledSegments {
  readonly #disk: Disk
  readonly #directory: string
  /** Only segments of this size are kept. */
  readonly #segmentBytes: number
  /** Paths of those that may change, oldest first. */
  readonly #kept: string[] = []
  /** Segments with new names that are not durable yet. */
  #leaving = 0
  #holds = true

  constructor(disk: Disk, directory: string, segmentBytes: number) {
    this.#disk = disk
    this.#directory = directory
    this.#segmentBytes = segmentBytes
  }

  /** Takes the closed files of segments that the log is done with, in the log's order: keeps or removes them. */
  retire(segments: readonly { readonly number: number; readonly allocated: number }[]): void {
    const leaving: string[] = []
    for (const { number, allocated } of segments) {
      const path = `${this.#directory}/${segmentName(number)}`
      const hasPlace = this.#kept.length + this.#leaving + leaving.length < KEPT_MAX
      if (!hasPlace || allocated !== this.#segmentBytes) {
        this.#disk.removeLater(path)
        continue
      }
      try {
        this.#disk.rename(path, `${path}.tmp`)
        leaving.push(`${path}.tmp`)
      } catch (error) {
        // It keeps its name, and the next start removes it.
        asDiskError(error)
      }
    }
    this.#leaving += leaving.length
    // Nothing waits for it: a removal that a crash undoes is made again at the next start.
    this.#disk.syncDirectoryLater(this.#directory, error => {
      this.#leaving -= leaving.length
      if (error === null && this.#holds) this.#kept.push(...leaving)
      else for (const path of leaving) this.#disk.removeLater(path)
    })
  }

  /** Hands the path of a segment over, full of what it held; null: there is none. */
  take(): string | null {
    return this.#kept.shift() ?? null
  }

  /** Whether space may be held for later. If not, what is kept goes, and whatever is retired from now on. */
  hold(holds: boolean): void {
    this.#holds = holds
    if (!holds) for (const path of this.#kept.splice(0)) this.#disk.removeLater(path)
  }
}
