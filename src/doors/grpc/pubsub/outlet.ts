// What waits for one subscriber, and leaves in frames: one under way at a time.
//
// Pieces of frames are shared between streams, so a message that waits for a thousand slow
// ones stands in memory once. Only the frame under way is the stream's own: HTTP/2 takes
// its bytes when the client has room, and until then more pieces gather behind it.

/** Bytes of a frame, about; a message larger than that has a frame to itself. */
const FRAME_BYTES_MAX = 256 * 1024
const EMPTY = Buffer.alloc(0)

/** The part of grpc-js' call that takes frames. */
export interface FrameSink {
  write(frame: Buffer, written: () => void): unknown
}

export class Outlet {
  readonly #sink: FrameSink
  readonly #onWritten: () => void
  /** From `#first` on, oldest first. */
  #pieces: Buffer[] = []
  #first = 0
  #waitingBytes = 0
  #writingBytes = 0
  /** A frame is under way, perhaps one of no bytes. */
  isWriting = false

  /** @param onWritten the frame under way was taken; what waits leaves with the next `flush` */
  constructor(sink: FrameSink, onWritten: () => void) {
    this.#sink = sink
    this.#onWritten = () => {
      this.isWriting = false
      this.#writingBytes = 0
      onWritten()
    }
  }

  /** Bytes that the client has yet to take. */
  get bytes(): number {
    return this.#waitingBytes + this.#writingBytes
  }

  get isEmpty(): boolean {
    return this.#waitingBytes === 0 && !this.isWriting
  }

  /** Adds a piece, which is not changed any more. */
  push(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#waitingBytes += piece.length
  }

  /** Sends what waits, up to a frame, unless one is under way. @returns whether one was sent */
  flush(): boolean {
    if (this.isWriting || this.#waitingBytes === 0) return false
    this.#write(this.#takeFrame())
    return true
  }

  /** Sends an empty frame, unless one is under way. */
  beat(): void {
    if (!this.isWriting) this.#write(EMPTY)
  }

  /** Forgets what waits. */
  clear(): void {
    this.#pieces = []
    this.#first = 0
    this.#waitingBytes = 0
  }

  #write(frame: Buffer): void {
    this.isWriting = true
    this.#writingBytes = frame.length
    this.#sink.write(frame, this.#onWritten)
  }

  #takeFrame(): Buffer {
    const pieces = this.#pieces
    const from = this.#first
    let bytes = 0
    let to = from
    for (let piece = pieces[to]; piece !== undefined; piece = pieces[to]) {
      if (to > from && bytes + piece.length > FRAME_BYTES_MAX) break
      bytes += piece.length
      to += 1
    }
    this.#waitingBytes -= bytes
    const frame = to === from + 1 ? (pieces[from] as Buffer) : concat(pieces, from, to, bytes)
    if (to === pieces.length) this.clear()
    else {
      // What is sent is let go of; the row itself is cut now and then.
      pieces.fill(EMPTY, from, to)
      this.#first = to
      if (to > pieces.length / 2) {
        pieces.splice(0, to)
        this.#first = 0
      }
    }
    return frame
  }
}

function concat(pieces: readonly Buffer[], from: number, to: number, bytes: number): Buffer {
  const frame = Buffer.allocUnsafe(bytes)
  let at = 0
  for (let i = from; i < to; i += 1) at += (pieces[i] as Buffer).copy(frame, at)
  return frame
}
