// LPUSH, RPUSH, LPUSHX, RPUSHX: elements join a list at either end.
//
// A producer's hot path: the words go from the entry's bytes into the list's block,
// and the only object that is made is the reply.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec, Feed } from '../command.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import { integer, type Reply, wrongType, ZERO } from '../reply.ts'
import { List } from '../types/list.ts'
import { keyAt } from './facts.ts'

function push(state: Keyspace, argv: Argv, atHead: boolean, makeList: boolean): Reply {
  const key = argv.key(1)
  let list = state.list(key)
  if (list === 'wrong-type') return wrongType
  if (list === null) {
    if (!makeList) return ZERO
    list = new List()
    state.put(key, list)
  }
  const { buffer, count } = argv
  for (let i = 2; i < count; i += 1) {
    if (atHead) list.pushHead(buffer, argv.from(i), argv.to(i))
    else list.pushTail(buffer, argv.from(i), argv.to(i))
  }
  state.touch(key)
  state.notify(EVENT.LIST, atHead ? 'lpush' : 'rpush', key)
  return integer(list.length)
}

function pushFeeds(argv: Argv): readonly Feed[] {
  return [{ key: argv.latin1(1), count: argv.count - 2 }]
}

const self = (argv: Argv): Argv => argv

function pushSpec(
  name: string,
  since: string,
  summary: string,
  atHead: boolean,
  makeList: boolean,
): CommandSpec<Argv> {
  return {
    name,
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    categories: ['write', 'list', 'fast'],
    keys: keyAt(1, 'RW', 'INSERT'),
    since,
    group: 'list',
    summary,
    complexity:
      'O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.',
    parse: self,
    apply: (state, argv) => push(state, argv, atHead, makeList),
    feeds: pushFeeds,
  }
}

export const listPushCommands: readonly CommandSpec[] = [
  pushSpec(
    'lpush',
    '1.0.0',
    "Prepends one or more elements to a list. Creates the key if it doesn't exist.",
    true,
    true,
  ),
  pushSpec(
    'lpushx',
    '2.2.0',
    'Prepends one or more elements to a list only when the list exists.',
    true,
    false,
  ),
  pushSpec(
    'rpush',
    '1.0.0',
    "Appends one or more elements to a list. Creates the key if it doesn't exist.",
    false,
    true,
  ),
  pushSpec(
    'rpushx',
    '2.2.0',
    'Appends an element to a list only when the list exists.',
    false,
    false,
  ),
]
