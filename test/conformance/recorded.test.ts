// What a newest Redis said of streams, played to a standalone node of ours.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { machineTable } from '../../src/machine/commands/table.ts'
import { freePortBase, SlotcastProcess } from '../integration/slotcast-process.ts'
import { type RecordedDifference, recorded } from './differences.ts'
import { playRecording, recordings, recordingsMissing } from './recording.ts'
import { ServerTarget } from './server-target.ts'

const GROUPS = ['xadd', 'xadd idmp', 'xread', 'xinfo', 'xnack', 'xdelex xackdel']
/** What a recording needs besides streams. */
const hasStrings = machineTable.named('set') !== null

suite('recordings of a newest Redis', { skip: recordingsMissing }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'slotcast-recorded-'))
  const unseen = new Set<RecordedDifference>(recorded)
  let node: SlotcastProcess
  let port = 0

  before(async () => {
    const base = await freePortBase(1)
    port = base + 1
    const words = ['dev', '--nodes', '1', '--port-base', String(base), '--data-dir', folder]
    node = new SlotcastProcess(words)
    await node.line(/^ready/)
  })
  after(async () => {
    node.child.kill('SIGTERM')
    await node.ended
    rmSync(folder, { recursive: true, force: true })
  })

  for (const each of recordingsMissing === false ? recordings() : []) {
    if (!GROUPS.includes(each.group)) continue
    const usesStrings = each.cmds.some(line => line.startsWith('SET '))
    const skip = usesStrings && !hasStrings ? 'needs strings, which are not there yet' : false
    test(`${each.group}`, { skip }, async () => {
      for (const protocol of [2, 3] as const) {
        const target = new ServerTarget('127.0.0.1', port, protocol)
        await target.ask(['FLUSHALL'])
        const strange = (await playRecording(target, each, protocol)).filter(({ command }) => {
          const listed = recorded.find(row => row.group === each.group && row.command === command)
          if (listed !== undefined) unseen.delete(listed)
          return listed === undefined
        })
        await target.close()
        assert.deepEqual(strange, [], `in RESP${protocol}`)
      }
    })
  }

  test('every difference that is listed shows', () => {
    assert.deepEqual([...unseen], [])
  })
})
