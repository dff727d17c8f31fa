// Reader for "datadriven" test files: a sequence of blocks of the form
//
//     # comment
//     directive arg key=value key=(v1,v2)
//     optional input lines
//     ----
//     expected output
//     <blank line>
//
// The expected output ends at the first blank line, unless the separator is doubled
// ("----" twice); then it runs to a doubled separator and may hold blank lines.

/**
 * @typedef {{ key: string, vals: string[] }} Arg
 * @typedef {{ line: number, directive: string, args: Arg[], input: string, output: string, comment: string }} Block
 */

/** Split one directive line into a name and its arguments. @returns {{directive: string, args: Arg[]}} */
export function parseDirective(line) {
  const words = []
  let i = 0
  while (i < line.length) {
    if (/\s/.test(line[i])) {
      i++
      continue
    }
    const start = i
    let depth = 0
    while (i < line.length && (depth > 0 || !/\s/.test(line[i]))) {
      if (line[i] === '(') depth++
      else if (line[i] === ')') depth--
      i++
    }
    if (depth !== 0) throw new SyntaxError(`unbalanced parenthesis in "${line}"`)
    words.push(line.slice(start, i))
  }
  if (words.length === 0) throw new SyntaxError('empty directive line')
  const args = words.slice(1).map(word => {
    const eq = word.indexOf('=')
    // A quoted or bare word without "=" is a positional argument.
    if (eq <= 0 || word[0] === '"') return { key: word, vals: [] }
    const key = word.slice(0, eq)
    let val = word.slice(eq + 1)
    if (val.startsWith('(') && val.endsWith(')')) {
      val = val.slice(1, -1).trim()
      return { key, vals: val === '' ? [] : val.split(/[\s,]+/).filter(v => v !== '') }
    }
    return { key, vals: [val] }
  })
  return { directive: words[0], args }
}

/** Parse a whole file. @param {string} text @param {string} [name] @returns {Block[]} */
export function parseDataDriven(text, name = '<input>') {
  const lines = text.split('\n')
  const blocks = []
  let i = 0
  let comment = []
  const fail = msg => {
    throw new SyntaxError(`${name}:${i + 1}: ${msg}`)
  }
  while (i < lines.length) {
    const raw = lines[i]
    if (raw.trim() === '') {
      i++
      if (comment.length && lines[i]?.trim() === '') comment = []
      continue
    }
    if (raw.startsWith('#')) {
      comment.push(raw.replace(/^#+ ?/, ''))
      i++
      continue
    }
    const at = i + 1
    let head = raw.trim()
    while (head.endsWith('\\')) {
      i++
      head = `${head.slice(0, -1).trimEnd()} ${(lines[i] ?? fail('dangling line continuation')).trim()}`
    }
    const { directive, args } = parseDirective(head)
    i++
    const input = []
    while (i < lines.length && lines[i] !== '----') input.push(lines[i++])
    if (i >= lines.length) fail(`directive "${directive}" at line ${at} has no "----" separator`)
    i++
    const output = []
    if (lines[i] === '----') {
      i++
      for (;;) {
        if (i >= lines.length) fail('unterminated doubled separator')
        if (lines[i] === '----' && lines[i + 1] === '----') {
          i += 2
          break
        }
        output.push(lines[i++])
      }
    } else {
      while (i < lines.length && lines[i].trim() !== '') output.push(lines[i++])
    }
    blocks.push({
      line: at,
      directive,
      args,
      input: input.join('\n').trim(),
      output: output.join('\n'),
      comment: comment.join('\n'),
    })
    comment = []
  }
  return blocks
}

/** Positional arguments (those without "="). */
export const positional = block => block.args.filter(a => a.vals.length === 0).map(a => a.key)
/** Values of a keyed argument; [] when absent. */
export const values = (block, key) => block.args.filter(a => a.key === key).flatMap(a => a.vals)
/** First value of a keyed argument. */
export const value = (block, key) => values(block, key)[0]
