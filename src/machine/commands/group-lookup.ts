// The way from a key and a group's name to the group, and what is said where it is missing.

import type { Ms } from '../../base/types.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import { type ErrorReply, fail, type Reply, wrongType } from '../reply.ts'
import type { Consumer, Group } from '../types/group.ts'
import type { Stream } from '../types/stream.ts'

/** A name (latin1) as errors repeat it: as UTF-8, on one line. */
export function shown(name: string): string {
  return Buffer.from(name, 'latin1')
    .toString('utf8')
    .replace(/[\r\n]/g, ' ')
}

export type Found = { readonly stream: Stream; readonly group: Group }

/** The group, or the error of XPENDING, XCLAIM and XAUTOCLAIM. */
export function findGroup(state: Keyspace, key: string, name: string): Found | ErrorReply {
  const stream = state.stream(key)
  if (stream === 'wrong-type') return wrongType
  if (stream === null) state.missInWrite(key)
  const group = stream?.groups.get(name)
  if (stream === null || group === undefined)
    return fail(`NOGROUP No such key '${shown(key)}' or consumer group '${shown(name)}'`)
  return { stream, group }
}

/** The consumer who calls now; made if it is not there. */
export function callingConsumer(
  state: Keyspace,
  key: string,
  group: Group,
  name: string,
  now: Ms,
): Consumer {
  const isNew = group.consumer(name) === null
  const consumer = group.seen(name, now)
  if (isNew) state.notify(EVENT.STREAM, 'xgroup-createconsumer', key)
  return consumer
}

/** The error of commands that found the key but not the group. */
export function noSuchGroup(key: string, name: string): ErrorReply {
  return fail(`NOGROUP No such consumer group '${shown(name)}' for key name '${shown(key)}'`)
}

/** The error for a subcommand whose trailing words have no meaning. */
export function badSubcommand(container: string, typed: string): ErrorReply {
  return fail(
    `ERR unknown subcommand or wrong number of arguments for '${shown(typed)}'. Try ${container} HELP.`,
  )
}

/** A name (latin1) as a bulk string. */
export function nameReply(name: string): Reply {
  return { kind: 'bulk', bytes: Buffer.from(name, 'latin1') }
}

/** The frame that all HELP subcommands have. */
export function helpReply(container: string, lines: readonly string[]): Reply {
  const all = [
    `${container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
    ...lines,
    'HELP',
    '    Print this help.',
  ]
  return { kind: 'array', items: all.map(text => ({ kind: 'simple', text })) }
}
