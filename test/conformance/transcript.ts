// Transcripts: what clients say and what they are answered, as text.
//
//   # comment
//   == a case, in a sentence                  begins with an empty server
//   == another [server]                       uses commands that live outside the state machine
//   XADD s 1-1 field "two words"              a command of connection 0
//     "1-1"                                   its reply (notation.ts), indented, may go on
//   @1 XREAD BLOCK 0 STREAMS s $              a command of connection 1; no reply is read yet
//   @1                                        the reply that connection 1 is owed
//     <"s": [["2-1", ["a", "1"]]]>
//   wait 20                                   milliseconds pass

import { type Expected, parseExpected, unescapeText } from './notation.ts'

export type Step = {
  readonly line: number
  readonly connection: number
  /** Empty: only reads the reply owed. */
  readonly words: readonly string[]
  readonly waitMs: number
  /** null: the reply is not read here. */
  expected: Expected | null
  /** As written, for messages. */
  readonly text: string
}

export type Case = { readonly name: string; readonly server: boolean; readonly steps: Step[] }

/** Words as a shell splits them. */
export function splitWords(text: string): string[] {
  const words: string[] = []
  for (const [, double, single, plain] of text.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g))
    words.push(double !== undefined ? unescapeText(double) : (single ?? plain ?? ''))
  return words
}

function parseStep(line: number, text: string): Step {
  const connection = /^@(\d+)\s*/.exec(text)
  const rest = connection === null ? text : text.slice(connection[0].length)
  const wait = /^wait (\d+)$/.exec(text)
  return {
    line,
    connection: connection === null ? 0 : Number(connection[1]),
    words: wait === null ? splitWords(rest) : [],
    waitMs: wait === null ? 0 : Number(wait[1]),
    expected: null,
    text,
  }
}

/** @param text one character a byte: a file read as latin1 */
export function parseTranscript(text: string): Case[] {
  const cases: Case[] = []
  const lines = text.split('\n')
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i] as string
    if (line.trim() === '' || line.startsWith('#')) continue
    const head = /^== (.*?)( \[server\])?$/.exec(line)
    if (head !== null) {
      cases.push({ name: head[1] as string, server: head[2] !== undefined, steps: [] })
      continue
    }
    const step = parseStep(i + 1, line)
    let reply = ''
    while (/^\s+\S/.test(lines[i + 1] ?? '')) {
      i += 1
      reply += `${lines[i]}\n`
    }
    if (reply !== '') step.expected = parseExpected(reply.trim())
    const current = cases[cases.length - 1]
    if (current === undefined) throw new Error(`line ${i + 1}: a case begins with ==`)
    current.steps.push(step)
  }
  return cases
}
