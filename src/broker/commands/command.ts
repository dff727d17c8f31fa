// COMMAND: the table of commands, as clients read it to find keys and flags.

import { Argv } from '../../base/argv.ts'
import type { CommandFacts, KeySpec } from '../../machine/command.ts'
import { globMatch } from '../../machine/glob.ts'
import { keysOf } from '../../machine/keys-of.ts'
import {
  array,
  bulk,
  fail,
  integer,
  NULL,
  type Reply,
  syntaxError,
  text,
} from '../../machine/reply.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import type { Session } from '../session.ts'
import { byWord, helpCommand, keylessFacts } from './help.ts'

const SHARED = {
  categories: ['slow', 'connection'],
  flags: ['loading', 'stale'],
  group: 'connection',
} as const

const invalidCommand = fail('ERR Invalid command specified')
const noKeys = fail('ERR The command has no key arguments')
const invalidCount = fail('ERR Invalid number of arguments specified for command')
const invalidArguments = fail('ERR Invalid arguments specified for command')

function simple(value: string): Reply {
  return { kind: 'simple', text: value }
}

function set(items: readonly Reply[]): Reply {
  return { kind: 'set', items }
}

function map(items: readonly Reply[]): Reply {
  return { kind: 'map', items }
}

/** First key, last key, step, for clients from before key specs. */
function legacyKeys(facts: CommandFacts): readonly [number, number, number] {
  let keys: readonly [number, number, number] = [0, 0, 0]
  for (const { begin, find } of facts.keys) {
    if (!('index' in begin) || find === 'counted' || find.limit > 1) continue
    const last = find.last >= 0 ? begin.index + find.last : find.last
    // Ranges that follow each other are one.
    if (keys[0] === 0) keys = [begin.index, last, find.step]
    else if (begin.index === keys[1] + 1) keys = [keys[0], last, 1]
  }
  return keys
}

/** Of what is done to the key Redis writes RO, RW, OW and RM in capitals, the rest small. */
function keyFlags(flags: readonly string[]): Reply {
  return set(flags.map(flag => simple(flag.length === 2 ? flag : flag.toLowerCase())))
}

function keySpec(spec: KeySpec): Reply {
  const begin =
    'index' in spec.begin
      ? [text('index'), map([text('index'), integer(spec.begin.index)])]
      : [
          text('keyword'),
          map([
            text('keyword'),
            text(spec.begin.keyword),
            text('startfrom'),
            integer(spec.begin.startFrom),
          ]),
        ]
  const [beginType, beginSpec] = begin as [Reply, Reply]
  return map([
    text('flags'),
    keyFlags(spec.flags),
    text('begin_search'),
    map([text('type'), beginType, text('spec'), beginSpec]),
    text('find_keys'),
    map([
      text('type'),
      text(spec.find === 'counted' ? 'keynum' : 'range'),
      text('spec'),
      findSpec(spec),
    ]),
  ])
}

function findSpec({ find }: KeySpec): Reply {
  if (find === 'counted')
    return map([
      text('keynumidx'),
      integer(0),
      text('firstkey'),
      integer(1),
      text('keystep'),
      integer(1),
    ])
  return map([
    text('lastkey'),
    integer(find.last),
    text('keystep'),
    integer(find.step),
    text('limit'),
    integer(find.limit),
  ])
}

/** The ten items of COMMAND INFO. */
function infoOf(facts: CommandFacts): Reply {
  const [first, last, step] = legacyKeys(facts)
  return array([
    text(facts.name),
    integer(facts.arity),
    set(facts.flags.map(simple)),
    integer(first),
    integer(last),
    integer(step),
    set(facts.categories.map(category => simple(`@${category}`))),
    set((facts.tips ?? []).map(text)),
    set(facts.keys.map(keySpec)),
    set([...(facts.subcommands?.values() ?? [])].map(infoOf)),
  ])
}

function all(desk: Desk): readonly CommandFacts[] {
  return [...desk.commands.all.values()]
}

function info(desk: Desk, _session: Session, argv: Argv): Reply {
  if (argv.count === 2) return array(all(desk).map(infoOf))
  const replies: Reply[] = []
  for (let i = 2; i < argv.count; i += 1) {
    const facts = desk.commands.facts(argv.latin1(i))
    replies.push(facts === null ? NULL : infoOf(facts))
  }
  return array(replies)
}

function docsOf(facts: CommandFacts): Reply {
  const items = [
    text('summary'),
    text(facts.summary),
    text('since'),
    text(facts.since),
    text('group'),
    text(facts.group),
    text('complexity'),
    text(facts.complexity),
  ]
  if (facts.subcommands !== undefined) {
    items.push(text('subcommands'))
    items.push(map([...facts.subcommands.values()].flatMap(sub => [text(sub.name), docsOf(sub)])))
  }
  return map(items)
}

function docs(desk: Desk, _session: Session, argv: Argv): Reply {
  const chosen: CommandFacts[] = []
  if (argv.count === 2) chosen.push(...all(desk))
  for (let i = 2; i < argv.count; i += 1) {
    const facts = desk.commands.facts(argv.latin1(i))
    if (facts !== null) chosen.push(facts)
  }
  return map(chosen.flatMap(facts => [text(facts.name), docsOf(facts)]))
}

function list(desk: Desk, _session: Session, argv: Argv): Reply {
  const names = all(desk).flatMap(facts => [facts, ...(facts.subcommands?.values() ?? [])])
  if (argv.count === 2) return array(names.map(facts => text(facts.name)))
  if (argv.count !== 5 || !argv.is(2, 'FILTERBY')) return syntaxError
  const value = argv.latin1(4)
  if (argv.is(3, 'MODULE')) return array([])
  if (argv.is(3, 'ACLCAT'))
    return array(
      names
        .filter(facts => facts.categories.includes(value.toLowerCase()))
        .map(facts => text(facts.name)),
    )
  if (argv.is(3, 'PATTERN'))
    return array(
      names.filter(facts => globMatch(value, facts.name, true)).map(facts => text(facts.name)),
    )
  return syntaxError
}

type Asked = { readonly facts: CommandFacts; readonly argv: Argv }

/** The command that GETKEYS asks about: the words from the third on. */
function asked(desk: Desk, argv: Argv): Asked | Reply {
  const words: Uint8Array[] = []
  for (let i = 2; i < argv.count; i += 1) words.push(argv.bytes(i))
  const inner = Argv.of(...words)
  let facts = desk.commands.facts(inner.latin1(0))
  if (facts?.subcommands !== undefined && inner.count > 1)
    facts = desk.commands.facts(`${inner.latin1(0)}|${inner.latin1(1)}`)
  if (facts === null) return invalidCommand
  // Sharded channels have slots, and are no keys.
  const keys = facts.keys.filter(({ flags }) => !flags.includes('NOT_KEY'))
  if (keys.length === 0) return noKeys
  if (facts.arity > 0 ? inner.count !== facts.arity : inner.count < -facts.arity)
    return invalidCount
  return { facts, argv: inner }
}

function getKeys(desk: Desk, _session: Session, argv: Argv): Reply {
  const found = asked(desk, argv)
  if ('kind' in found) return found
  const words = keysOf(found.facts, found.argv)
  if (words.length === 0) return invalidArguments
  return array(words.map(word => bulk(Buffer.from(found.argv.bytes(word)))))
}

/** What is done to the keys of `spec` by these words: SET reads the key only where GET asks for it. */
function flagsFor(spec: KeySpec, argv: Argv): readonly string[] {
  if (!spec.flags.includes('VARIABLE_FLAGS')) return spec.flags
  for (let i = 3; i < argv.count; i += 1) if (argv.is(i, 'GET')) return ['RW', 'ACCESS', 'UPDATE']
  return ['OW', 'UPDATE']
}

function getKeysAndFlags(desk: Desk, _session: Session, argv: Argv): Reply {
  const found = asked(desk, argv)
  if ('kind' in found) return found
  const items: Reply[] = []
  for (const spec of found.facts.keys) {
    const words = keysOf({ ...found.facts, keys: [spec] }, found.argv)
    if (words.length === 0) return invalidArguments
    const flags = keyFlags(flagsFor(spec, found.argv))
    for (const word of words) items.push(array([bulk(Buffer.from(found.argv.bytes(word))), flags]))
  }
  return items.length === 0 ? invalidArguments : array(items)
}

function facts(word: string, arity: number, since: string, summary: string): CommandFacts {
  return keylessFacts(`command|${word}`, arity, since, summary, SHARED)
}

const SUBCOMMANDS: readonly DeskCommand[] = [
  {
    ...facts('count', 2, '2.8.13', 'Returns a count of commands.'),
    run: desk => integer(desk.commands.all.size),
  },
  { ...facts('info', -2, '2.8.13', 'Returns facts about commands.'), run: info },
  { ...facts('docs', -2, '7.0.0', 'Returns documentary facts about commands.'), run: docs },
  { ...facts('list', -2, '7.0.0', 'Returns the names of commands.'), run: list },
  {
    ...facts('getkeys', -3, '2.8.13', 'Extracts the keys of a full command.'),
    run: getKeys,
  },
  {
    ...facts('getkeysandflags', -3, '7.0.0', 'Extracts the keys of a full command, with flags.'),
    run: getKeysAndFlags,
  },
]

export const COMMAND_COMMAND: DeskCommand = {
  ...keylessFacts('command', -1, '2.8.13', 'Returns facts about all commands.', SHARED),
  run: desk => array(all(desk).map(infoOf)),
  subcommands: byWord('command', [
    ...SUBCOMMANDS,
    helpCommand('command', '5.0.0', SHARED, SUBCOMMANDS),
  ]),
}
