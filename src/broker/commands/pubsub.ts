// Publish and subscribe: the commands of clients who listen, and of those who tell.
//
// SUBSCRIBE and its like are answered by one push for each name, in the place of a
// reply. They and PUBLISH wait for the commands before them, so that a subscription
// begins where it stands in the pipeline, and what was written before a PUBLISH can be
// read by those who get the message.

import type { Argv } from '../../base/argv.ts'
import { limits } from '../../base/limits.ts'
import { keyAt, keysFrom } from '../../machine/commands/facts.ts'
import { globMatch } from '../../machine/glob.ts'
import {
  array,
  bulk,
  fail,
  integer,
  NULL,
  ONE,
  type Reply,
  text,
  ZERO,
} from '../../machine/reply.ts'
import { type Desk, type DeskCommand, NO_PLACE, type Run } from '../desk.ts'
import {
  CHANNELS,
  channelTooLong,
  type Kind,
  PATTERNS,
  patternTooLong,
  refusalOf,
  SHARD_CHANNELS,
} from '../pubsub/kinds.ts'
import { Listener, type Subject } from '../pubsub/listener.ts'
import type { PubSub } from '../pubsub/pubsub.ts'
import { outOfMemory } from '../refusals.ts'
import { type Session, SessionSubscriber } from '../session.ts'
import { byWord, helpReply, keylessFacts } from './help.ts'

const SUBSCRIBES = {
  categories: ['pubsub', 'slow'],
  flags: ['denyoom', 'pubsub', 'noscript', 'loading', 'stale'],
  group: 'pubsub',
} as const
const UNSUBSCRIBES = { ...SUBSCRIBES, flags: ['pubsub', 'noscript', 'loading', 'stale'] } as const
const PUBLISHES = {
  categories: ['pubsub', 'fast'],
  flags: ['pubsub', 'loading', 'stale', 'fast', 'may_replicate'],
  group: 'pubsub',
} as const
const ASKS = {
  categories: ['pubsub', 'slow'],
  flags: ['pubsub', 'loading', 'stale'],
  group: 'pubsub',
} as const

const needsPush = fail(
  'ERR subscriptions need a connection that messages can be pushed to: use RESP, or the PubSubService of gRPC',
)

function listenerOf(session: Session): Listener {
  session.listener ??= new Listener(new SessionSubscriber(session))
  return session.listener
}

function subscribe(kind: Kind): Run {
  const word = text(kind.word)
  return (desk, session, argv) => {
    if (session.client.deliver === undefined) return needsPush
    if (desk.ports.memoryFull()) return outOfMemory
    const { pubsub } = desk
    const listener = listenerOf(session)
    let longest = 0
    for (let i = 1; i < argv.count; i += 1) longest = Math.max(longest, argv.length(i))
    const refusal = refusalOf(kind, pubsub.registry, listener, argv.count - 1, longest)
    if (refusal !== null) return refusal
    const pushes: Reply[][] = []
    for (let i = 1; i < argv.count; i += 1) {
      kind.join(pubsub.registry, listener, argv.latin1(i))
      pushes.push([word, bulk(Buffer.from(argv.bytes(i))), integer(kind.count(listener))])
    }
    return { kind: 'pushes', pushes }
  }
}

function unsubscribe(kind: Kind): Run {
  const word = text(kind.word.replace('sub', 'unsub'))
  return ({ pubsub }, session, argv) => {
    if (session.client.deliver === undefined) return needsPush
    const listener = listenerOf(session)
    const pushes: Reply[][] = []
    const leave = (name: string, bytes: Buffer): void => {
      kind.part(pubsub.registry, listener, name)
      pushes.push([word, bulk(bytes), integer(kind.count(listener))])
    }
    if (argv.count === 1) {
      for (const { name, bytes } of [...kind.of(listener)]) leave(name, bytes)
      if (pushes.length === 0) pushes.push([word, NULL, integer(kind.count(listener))])
    }
    for (let i = 1; i < argv.count; i += 1) leave(argv.latin1(i), Buffer.from(argv.bytes(i)))
    return { kind: 'pushes', pushes }
  }
}

/** One reply takes the place of a whole command here, and SSUBSCRIBE never was anything else. */
function ssubscribe(): Run {
  const run = subscribe(SHARD_CHANNELS)
  const refused = fail("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
  return (desk, session, argv, place) =>
    place === NO_PLACE ? refused : run(desk, session, argv, place)
}

function countReply(count: number): Reply {
  if (count === 0) return ZERO
  return count === 1 ? ONE : integer(count)
}

function publish({ keyspaceEvents, pubsub }: Desk, session: Session, argv: Argv): Reply {
  if (argv.length(1) > limits.channelBytesMax) return channelTooLong
  // Its own message comes behind the reply.
  if (session.listener !== null) session.hold()
  // What was done before, in the same transaction perhaps, is told before.
  keyspaceEvents.flush()
  return countReply(
    pubsub.publish(argv.key(1), argv.buffer, argv.from(1), argv.to(1), argv.from(2), argv.to(2)),
  )
}

function spublish({ keyspaceEvents, pubsub }: Desk, session: Session, argv: Argv): Reply {
  if (argv.length(1) > limits.channelBytesMax) return channelTooLong
  if (session.listener !== null) session.hold()
  keyspaceEvents.flush()
  return countReply(
    pubsub.publishSharded(
      argv.key(1),
      argv.buffer,
      argv.from(1),
      argv.to(1),
      argv.from(2),
      argv.to(2),
    ),
  )
}

/** CHANNELS and SHARDCHANNELS. */
function channels(of: (pubsub: PubSub) => ReadonlyMap<string, Subject>): Run {
  return ({ pubsub }, _session, argv) => {
    if (argv.count > 3)
      return fail(
        `ERR unknown subcommand or wrong number of arguments for '${argv.latin1(1)}'. Try PUBSUB HELP.`,
      )
    const pattern = argv.count === 3 ? argv.latin1(2) : null
    if (pattern !== null && pattern.length > limits.patternBytesMax) return patternTooLong
    const items: Reply[] = []
    for (const { name, bytes } of of(pubsub).values())
      if (pattern === null || globMatch(pattern, name)) items.push(bulk(bytes))
    return array(items)
  }
}

/** NUMSUB and SHARDNUMSUB. */
function counts(of: (pubsub: PubSub) => ReadonlyMap<string, Subject>): Run {
  return ({ pubsub }, _session, argv) => {
    const items: Reply[] = []
    for (let i = 2; i < argv.count; i += 1) {
      const count = of(pubsub).get(argv.latin1(i))?.listeners.size ?? 0
      items.push(bulk(Buffer.from(argv.bytes(i))), integer(count))
    }
    return array(items)
  }
}

const SUBCOMMANDS: readonly DeskCommand[] = [
  {
    ...keylessFacts('pubsub|channels', -2, '2.8.0', 'Returns the active channels.', ASKS),
    complexity:
      'O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)',
    run: channels(pubsub => pubsub.registry.channels),
  },
  {
    ...keylessFacts(
      'pubsub|numpat',
      2,
      '2.8.0',
      'Returns a count of unique pattern subscriptions.',
      ASKS,
    ),
    run: ({ pubsub }) => integer(pubsub.registry.patterns.size),
  },
  {
    ...keylessFacts(
      'pubsub|numsub',
      -2,
      '2.8.0',
      'Returns a count of subscribers to channels.',
      ASKS,
    ),
    complexity: 'O(N) for the NUMSUB subcommand, where N is the number of requested channels',
    run: counts(pubsub => pubsub.registry.channels),
  },
  {
    ...keylessFacts(
      'pubsub|shardchannels',
      -2,
      '7.0.0',
      'Returns the active shard channels.',
      ASKS,
    ),
    complexity:
      'O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).',
    run: channels(pubsub => pubsub.registry.shardChannels),
  },
  {
    ...keylessFacts(
      'pubsub|shardnumsub',
      -2,
      '7.0.0',
      'Returns the count of subscribers of shard channels.',
      ASKS,
    ),
    complexity:
      'O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels',
    run: counts(pubsub => pubsub.registry.shardChannels),
  },
]

const HELP: readonly string[] = [
  'CHANNELS [<pattern>]',
  "    Return the currently active channels matching a <pattern> (default: '*').",
  'NUMPAT',
  '    Return number of subscriptions to patterns.',
  'NUMSUB [<channel> ...]',
  '    Return the number of subscribers for the specified channels, excluding',
  '    pattern subscriptions(default: no channels).',
  'SHARDCHANNELS [<pattern>]',
  "    Return the currently active shard level channels matching a <pattern> (default: '*').",
  'SHARDNUMSUB [<shardchannel> ...]',
  '    Return the number of subscribers for the specified shard level channel(s)',
]

const PUBSUB_HELP: DeskCommand = {
  ...keylessFacts('pubsub|help', 2, '6.2.0', 'Print this help.', {
    categories: ['slow'],
    flags: ['loading', 'stale'],
    group: 'pubsub',
  }),
  run: () => helpReply('PUBSUB', HELP),
}

const OF_NAMES = 'O(N) where N is the number of channels to subscribe to.'
const OF_NAMES_LEFT = 'O(N) where N is the number of channels to unsubscribe.'

/** What all that begins or ends subscriptions shares. */
const IN_PLACE = { barrier: true, heardInSilence: true, whileSubscribed: true } as const

export const PUBSUB_COMMANDS: readonly DeskCommand[] = [
  {
    ...keylessFacts('subscribe', -2, '2.0.0', 'Listens for messages published to channels.', {
      ...SUBSCRIBES,
    }),
    complexity: OF_NAMES,
    ...IN_PLACE,
    run: subscribe(CHANNELS),
  },
  {
    ...keylessFacts(
      'unsubscribe',
      -1,
      '2.0.0',
      'Stops listening to messages posted to channels.',
      UNSUBSCRIBES,
    ),
    complexity: OF_NAMES_LEFT,
    ...IN_PLACE,
    run: unsubscribe(CHANNELS),
  },
  {
    ...keylessFacts(
      'psubscribe',
      -2,
      '2.0.0',
      'Listens for messages published to channels that match one or more patterns.',
      SUBSCRIBES,
    ),
    complexity: 'O(N) where N is the number of patterns to subscribe to.',
    ...IN_PLACE,
    run: subscribe(PATTERNS),
  },
  {
    ...keylessFacts(
      'punsubscribe',
      -1,
      '2.0.0',
      'Stops listening to messages published to channels that match one or more patterns.',
      UNSUBSCRIBES,
    ),
    complexity: 'O(N) where N is the number of patterns to unsubscribe.',
    ...IN_PLACE,
    run: unsubscribe(PATTERNS),
  },
  {
    ...keylessFacts('publish', 3, '2.0.0', 'Posts a message to a channel.', PUBLISHES),
    complexity:
      'O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).',
    barrier: true,
    run: publish,
  },
  {
    ...keylessFacts(
      'ssubscribe',
      -2,
      '7.0.0',
      'Listens for messages published to shard channels.',
      SUBSCRIBES,
    ),
    complexity: 'O(N) where N is the number of shard channels to subscribe to.',
    keys: keysFrom(1, 'NOT_KEY'),
    ...IN_PLACE,
    sharded: true,
    run: ssubscribe(),
  },
  {
    ...keylessFacts(
      'sunsubscribe',
      -1,
      '7.0.0',
      'Stops listening to messages posted to shard channels.',
      UNSUBSCRIBES,
    ),
    complexity: 'O(N) where N is the number of shard channels to unsubscribe.',
    keys: keysFrom(1, 'NOT_KEY'),
    ...IN_PLACE,
    sharded: true,
    run: unsubscribe(SHARD_CHANNELS),
  },
  {
    ...keylessFacts('spublish', 3, '7.0.0', 'Posts a message to a shard channel.', PUBLISHES),
    complexity: 'O(N) where N is the number of clients subscribed to the receiving shard channel.',
    keys: keyAt(1, 'NOT_KEY'),
    barrier: true,
    sharded: true,
    run: spublish,
  },
  {
    ...keylessFacts('pubsub', -2, '2.8.0', 'A container for Pub/Sub commands.', {
      ...ASKS,
      categories: ['slow'],
      flags: [],
    }),
    complexity: 'Depends on subcommand.',
    subcommands: byWord('pubsub', [...SUBCOMMANDS, PUBSUB_HELP]),
  },
]
