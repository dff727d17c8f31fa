// What the load of `slotcast bench` needs of a protocol: commands out by tag, answers in by tag.

/** A command as it stands on the wire of its protocol, made once and sent many times. */
export type WireCommand = Buffer

export type BenchWire = {
  /** Sends `commands` in one write; the answer to each comes under the tag at its place. */
  send(commands: readonly WireCommand[], tags: readonly number[]): void
  close(): void
}

/** How the load hears of answers. `batch` follows each piece of input, when all of its answers are told. */
export type WireListener = {
  /** The reply stands in `bytes` as its protocol has it, until this returns. */
  done(tag: number, bytes: Buffer, from: number, to: number): void
  /** The command was not done: `address` serves its key. */
  moved(tag: number, address: string): void
  failed(tag: number, text: string): void
  batch(): void
  /** The fate of what is unanswered is unknown. Nothing follows. */
  broken(reason: string): void
}

export type WireProtocol = {
  encode(words: readonly Buffer[]): WireCommand
  connect(address: string, listener: WireListener): BenchWire
}

/** A stream ID in a reply of either protocol: nothing else in it has ten digits and a dash. */
export function findId(bytes: Buffer, from: number, to: number): string | null {
  return /\d{10,}-\d+/.exec(bytes.latin1Slice(from, to))?.[0] ?? null
}
