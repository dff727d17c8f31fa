// The words of reads on their way, kept for the slow log in one ring of memory.
//
// A read runs when its round is confirmed; by then the buffer that it came in is
// used again. Its first bytes are copied here, which costs no object, and are read
// only if it was slow. One that waited long finds that others were written over it.

import { Argv } from '../base/argv.ts'
import { parseMultibulk } from '../base/multibulk.ts'

const KiB = 1024
const RING_BYTES = 256 * KiB
/** What is kept of one command. */
const COMMAND_BYTES_MAX = 4 * KiB
/** The length, before each. */
const HEAD_BYTES = 2

export class WordRing {
  readonly #bytes = Buffer.allocUnsafeSlow(RING_BYTES)
  /** Bytes ever written; the place is this modulo the size. */
  #written = 0

  /** Keeps the words. @returns where, for `words` */
  put(argv: Argv): number {
    const length = Math.min(argv.end - argv.start, COMMAND_BYTES_MAX)
    const place = this.#written % RING_BYTES
    // What does not fit before the end begins at the front.
    if (place + HEAD_BYTES + length > RING_BYTES) this.#written += RING_BYTES - place
    const at = this.#written
    const from = at % RING_BYTES
    this.#bytes[from] = length & 0xff
    this.#bytes[from + 1] = length >> 8
    argv.buffer.copy(this.#bytes, from + HEAD_BYTES, argv.start, argv.start + length)
    this.#written += HEAD_BYTES + length
    return at
  }

  /** The first words that were put at `at`, or null when others stand there. */
  words(at: number): readonly string[] | null {
    if (this.#written - at > RING_BYTES) return null
    const place = at % RING_BYTES
    const from = place + HEAD_BYTES
    const argv = new Argv()
    // Of a command that was cut, the words before the cut are there.
    parseMultibulk(argv, this.#bytes, from, from + this.#bytes.readUInt16LE(place))
    argv.buffer = this.#bytes
    return Array.from({ length: argv.count }, (_, i) => argv.latin1(i))
  }
}
