// XACK: entries are done with and leave what is pending.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec } from '../command.ts'
import type { Keyspace } from '../keyspace.ts'
import { integer, invalidStreamId, type Reply, wrongType, ZERO } from '../reply.ts'
import { parseId } from '../types/id-text.ts'
import type { StreamId } from '../types/stream-id.ts'
import { keyAt } from './facts.ts'

/** Filled again by each call. */
const ids: StreamId[] = []

/** A missing key or group is found before a bad ID, so the words are read here. All are read before any counts. */
function applyXack(state: Keyspace, argv: Argv): Reply {
  const stream = state.stream(argv.latin1(1))
  if (stream === 'wrong-type') return wrongType
  if (stream === null) state.missInWrite(argv.latin1(1))
  const group = stream?.groups.get(argv.latin1(2))
  if (group === undefined) return ZERO
  ids.length = 0
  for (let i = 3; i < argv.count; i += 1) {
    const id = parseId(argv, i)
    if (id === null) return invalidStreamId
    ids.push(id)
  }
  let count = 0
  for (const id of ids) if (group.acknowledge(id)) count += 1
  return integer(count)
}

export const xack: CommandSpec<Argv> = {
  name: 'xack',
  arity: -4,
  flags: ['write', 'fast'],
  categories: ['write', 'stream', 'fast'],
  keys: keyAt(1, 'RW', 'UPDATE'),
  since: '5.0.0',
  group: 'stream',
  summary:
    'Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.',
  complexity: 'O(1) for each message ID processed.',
  parse: argv => argv,
  apply: applyXack,
}
