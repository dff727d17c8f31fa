// Recordings of a newest Redis: commands and the raw replies they got, in both protocols.
//
//   XADD s * a 1    a command of connection 0, whose reply is read
//   @1 XREAD ...    a command of connection 1, whose reply is not read yet
//   @1<             the reply that connection 1 is owed
//   %20             milliseconds pass
//   ~ before a command: its reply is compared by its shape alone
//
// They stand beside the repository, where this project's workers share data; who has
// only the repository goes without.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Target } from './target.ts'
import { splitWords } from './transcript.ts'
import { type Protocol, type Wire, WireReader } from './wire.ts'

const PATH = join(import.meta.dirname, '../../../shared/data/transcripts/redis-8.9dev.json')

/** Why there are none, or false. */
export const recordingsMissing: string | false = existsSync(PATH)
  ? false
  : `no recordings at ${PATH}`

type Reply = readonly [command: string, mark: string, reply: string]

export type Recording = {
  readonly group: string
  readonly cmds: readonly string[]
  readonly resp2: readonly Reply[]
  readonly resp3: readonly Reply[]
}

export function recordings(): Recording[] {
  return JSON.parse(readFileSync(PATH, 'utf8')) as Recording[]
}

function parsed(raw: string): Wire {
  const reader = new WireReader()
  reader.push(Buffer.from(raw, 'latin1'))
  const wire = reader.next()
  if (wire === null) throw new Error(`a recorded reply is cut off: ${raw}`)
  return wire
}

/** A reply as text that is equal where replies are: radix trees are each server's own. */
function comparable(wire: Wire, shapeOnly: boolean): unknown {
  if ('text' in wire) return shapeOnly ? wire.type : `${wire.type} ${wire.text}`
  if (!('items' in wire)) return wire.type
  const items = wire.items.map((item, i) => {
    const before = wire.items[i - 1]
    const isTree = before !== undefined && 'text' in before && before.text.startsWith('radix-tree-')
    return isTree ? 'a tree' : comparable(item, shapeOnly)
  })
  return [wire.type, ...items]
}

export type Departure = { readonly command: string; readonly want: unknown; readonly got: unknown }

/** Plays a recording to an empty target. @returns where it answered otherwise */
export async function playRecording(
  target: Target,
  recording: Recording,
  protocol: Protocol,
): Promise<Departure[]> {
  const replies = protocol === 2 ? recording.resp2 : recording.resp3
  const departures: Departure[] = []
  let next = 0
  for (const line of recording.cmds) {
    const text = line.replace(/^[~!^]/, '')
    if (text.startsWith('%')) {
      await target.pause(Number(text.slice(1)))
      continue
    }
    const [, number = '0', reads, rest = text] = /^@(\d+)(<?)\s*(.*)$/.exec(text) ?? []
    const connection = Number(number)
    const words = splitWords(rest)
    if (words.length > 0) await target.send(connection, words)
    if (reads === '') continue
    const [, mark, raw] = replies[next] as Reply
    next += 1
    const got = comparable(await target.receive(connection), mark === '~')
    const want = comparable(parsed(raw), mark === '~')
    if (JSON.stringify(got) !== JSON.stringify(want)) departures.push({ command: line, want, got })
  }
  return departures
}
