// The incarnations of the other members, kept beside the log.
//
// A node that lost its disk comes back under its old id with another incarnation and
// must be refused, or it votes twice. The slot map says which incarnation counts, but
// a node that has just started does not know yet what of its log is committed, so
// what it knew last is kept in a file: `peers`, one line a node, `2 3f0c...`.

import type { NodeId } from '../base/types.ts'
import { type Disk, removeLeftover } from './disk.ts'

export type KnownPeers = ReadonlyMap<NodeId, string>

const LINE = /^(\d{1,9}) ([0-9a-f]{32})$/

/** What was kept; a file that does not read is as none, since the map says it again. */
export function readKnownPeers(disk: Disk, directory: string): KnownPeers {
  const text = disk.readFile(`${directory}/peers`)?.toString('latin1') ?? ''
  const peers = new Map<NodeId, string>()
  for (const line of text.split('\n')) {
    const [, id, incarnation] = LINE.exec(line) ?? []
    if (id !== undefined && incarnation !== undefined) peers.set(Number(id), incarnation)
  }
  return peers
}

/**
 * Replaces what was kept, at once or not at all.
 *
 * @throws DiskError
 */
export function writeKnownPeers(disk: Disk, directory: string, peers: KnownPeers): void {
  const temporary = `${directory}/peers.tmp`
  removeLeftover(disk, temporary)
  const file = disk.open(temporary, 'create')
  const lines = [...peers].map(([id, incarnation]) => `${id} ${incarnation}\n`)
  file.write(Buffer.from(lines.join(''), 'latin1'), 0)
  file.sync()
  file.close()
  disk.rename(temporary, `${directory}/peers`)
  disk.syncDirectory(directory)
}
