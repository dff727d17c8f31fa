// Inline commands: a line of words as one types them, split like a shell (Redis: sdssplitargs).

const SPACE = 0x20
const TAB = 0x09
const CR = 0x0d
const QUOTE = 0x22
const APOSTROPHE = 0x27
const BACKSLASH = 0x5c
const ESCAPES: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, t: 0x09, b: 0x08, a: 0x07 }

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || (byte !== undefined && byte >= TAB && byte <= CR)
}

function hexDigit(byte: number | undefined): number {
  const value = byte === undefined ? Number.NaN : Number.parseInt(String.fromCharCode(byte), 16)
  return Number.isNaN(value) ? -1 : value
}

/** Where the word that was read last ends. */
let wordEnd = 0

/** Reads what stands in quotes behind `from` into `word`; false: they are not closed, or glued to more. */
function readQuoted(line: Uint8Array, from: number, quote: number, word: number[]): boolean {
  let i = from
  for (; i < line.length; i += 1) {
    const byte = line[i] as number
    if (byte === quote) {
      wordEnd = i + 1
      return wordEnd === line.length || isBlank(line[wordEnd])
    }
    const next = line[i + 1]
    if (byte !== BACKSLASH || next === undefined) {
      word.push(byte)
    } else if (quote === APOSTROPHE) {
      if (next === APOSTROPHE) i += 1
      word.push(line[i] as number)
    } else {
      const high = hexDigit(line[i + 2])
      const low = hexDigit(line[i + 3])
      if (next === 0x78 && high >= 0 && low >= 0) {
        word.push(high * 16 + low)
        i += 3
      } else {
        word.push(ESCAPES[String.fromCharCode(next)] ?? next)
        i += 1
      }
    }
  }
  return false
}

/** The words of a line, or null where quotes are not balanced. */
export function splitInline(line: Uint8Array): Buffer[] | null {
  const words: Buffer[] = []
  let i = 0
  for (;;) {
    while (i < line.length && isBlank(line[i])) i += 1
    if (i >= line.length) return words
    const word: number[] = []
    while (i < line.length && !isBlank(line[i])) {
      const byte = line[i] as number
      if (byte === QUOTE || byte === APOSTROPHE) {
        if (!readQuoted(line, i + 1, byte, word)) return null
        i = wordEnd
      } else {
        word.push(byte)
        i += 1
      }
    }
    words.push(Buffer.from(word))
  }
}
