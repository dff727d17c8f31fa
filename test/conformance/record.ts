// Records a transcript: plays its commands to a server and prints them with that server's replies.
//
//   node test/conformance/record.ts host:port transcript.txt
//
// Replies in the file are ignored, except that a step without one is not read. What
// a server says is a fact about that server: read what is printed before keeping it.

import { readFileSync } from 'node:fs'
import { printBoth } from './notation.ts'
import { ServerTarget } from './server-target.ts'
import { type Case, parseTranscript } from './transcript.ts'
import type { Protocol, Wire } from './wire.ts'

async function replies(
  host: string,
  port: number,
  play: Case,
  protocol: Protocol,
): Promise<Wire[]> {
  const target = new ServerTarget(host, port, protocol)
  await target.ask(['FLUSHALL'])
  const out: Wire[] = []
  for (const step of play.steps) {
    if (step.waitMs > 0) await target.pause(step.waitMs)
    if (step.words.length > 0) await target.send(step.connection, step.words)
    if (step.expected !== null) out.push(await target.receive(step.connection))
  }
  await target.close()
  return out
}

const [address = '', path = ''] = process.argv.slice(2)
const [host = '', port = ''] = address.split(':')
for (const play of parseTranscript(readFileSync(path, 'latin1'))) {
  console.log(`\n== ${play.name}${play.server ? ' [server]' : ''}`)
  const two = await replies(host, Number(port), play, 2)
  const three = await replies(host, Number(port), play, 3)
  let i = 0
  for (const step of play.steps) {
    console.log(step.text)
    if (step.expected === null) continue
    console.log(`  ${printBoth(two[i] as Wire, three[i] as Wire)}`)
    i += 1
  }
}
