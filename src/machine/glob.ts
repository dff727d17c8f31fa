// Patterns of KEYS, SCAN MATCH and their like, as Redis' stringmatchlen reads them.
//
//   *  any run   ?  any one   [abc] [^a] [a-c]  one of a class   \x  x itself
//
// Both sides are text of one character a byte (latin1). A class that is not closed
// runs to the end of the pattern.

const STAR = 0x2a
const QUESTION = 0x3f
const OPEN = 0x5b
const CLOSE = 0x5d
const BACKSLASH = 0x5c
const CARET = 0x5e
const DASH = 0x2d

/**
 * Runs of `*` that Redis goes through before it gives up; a last one, which ends the pattern,
 * does not count. Whatever has more of them matches nothing.
 */
const RUNS_MAX = 1000

/** Where the class that `matchClass` read last ends: its `]`, or the pattern's last character. */
let classEnd = 0

function fold(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code + 0x20 : code
}

/** Whether `code` is in the class that begins behind `[` at `from`. */
function matchClass(pattern: string, from: number, code: number, ignoreCase: boolean): boolean {
  const read = (i: number) => (ignoreCase ? fold(pattern.charCodeAt(i)) : pattern.charCodeAt(i))
  let p = from
  const negated = pattern.charCodeAt(p) === CARET
  if (negated) p += 1
  let found = false
  for (; ; p += 1) {
    if (p >= pattern.length) {
      p -= 1
      break
    }
    const raw = pattern.charCodeAt(p)
    if (raw === BACKSLASH && p + 1 < pattern.length) {
      p += 1
      if (read(p) === code) found = true
    } else if (raw === CLOSE) {
      break
    } else if (p + 2 < pattern.length && pattern.charCodeAt(p + 1) === DASH) {
      const low = Math.min(read(p), read(p + 2))
      const high = Math.max(read(p), read(p + 2))
      if (code >= low && code <= high) found = true
      p += 2
    } else if (read(p) === code) {
      found = true
    }
  }
  classEnd = p
  return found !== negated
}

/**
 * Whether the one-character element at `p` of the pattern matches `code`.
 *
 * @returns where the next element begins, or -1
 */
function matchOne(pattern: string, p: number, code: number, ignoreCase: boolean): number {
  const element = pattern.charCodeAt(p)
  if (element === QUESTION) return p + 1
  if (element === OPEN) return matchClass(pattern, p + 1, code, ignoreCase) ? classEnd + 1 : -1
  const literal = element === BACKSLASH && p + 1 < pattern.length ? p + 1 : p
  const wanted = pattern.charCodeAt(literal)
  return (ignoreCase ? fold(wanted) : wanted) === code ? literal + 1 : -1
}

/**
 * Whether `text` matches `pattern`. Takes time of the product of their lengths at most:
 * only the last `*` is ever tried again.
 */
export function globMatch(pattern: string, text: string, ignoreCase = false): boolean {
  // In Redis, too, no `*` finds nothing; KEYS and SCAN ask nobody about a lone one.
  if (text.length === 0) return pattern.length === 0
  let p = 0
  let t = 0
  let starAt = -1
  let starText = 0
  let runs = 0
  while (t < text.length) {
    if (p < pattern.length && pattern.charCodeAt(p) === STAR) {
      if (pattern.charCodeAt(p + 1) === STAR) {
        p += 1
        continue
      }
      if (p + 1 === pattern.length) return true
      runs += 1
      if (runs > RUNS_MAX) return false
      starAt = p
      starText = t
      p += 1
      continue
    }
    const code = ignoreCase ? fold(text.charCodeAt(t)) : text.charCodeAt(t)
    const next = p < pattern.length ? matchOne(pattern, p, code, ignoreCase) : -1
    if (next >= 0) {
      p = next
      t += 1
    } else if (starAt >= 0) {
      starText += 1
      t = starText
      p = starAt + 1
    } else {
      return false
    }
  }
  while (p < pattern.length && pattern.charCodeAt(p) === STAR) p += 1
  return p === pattern.length
}
