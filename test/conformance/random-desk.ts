// Random commands about the server and its clients, most of them wrong: options that are
// none, numbers that are none, too few and too many words.
//
// Only what every server must answer alike: no figures, no times, nothing that came
// after 7.0.

import fc from 'fast-check'
import { command, maybe } from './random-commands.ts'

type Words = readonly string[]

const number = fc.constantFrom('0', '1', '-1', 'x', '', '1.5', '9223372036854775808', '99999999')
/** No client's ID. */
const nobody = fc.constantFrom('0', '-1', 'x', '', '1.5', '99999999')
const word = fc.constantFrom('ON', 'OFF', 'on', 'YES', 'x', '', 'ID', '1', 'TYPE', 'normal')
const words = fc.array(word, { maxLength: 3 })
const text = fc.constantFrom('worker', 'two words', 'a\nb', '', 'é', '~!')
const key = fc.constantFrom('o', 'o', 'p', 'gone')

const client = fc.oneof(
  command('CLIENT', 'SETNAME', text),
  command('CLIENT', 'GETNAME'),
  command('CLIENT', 'REPLY', fc.constantFrom('ON', 'on', 'NEVER', '')),
  command('CLIENT', 'KILL', fc.constantFrom('1.2.3.4:5', 'x', '')),
  command('CLIENT', 'KILL', fc.constantFrom('ID', 'TYPE', 'ADDR', 'LADDR', 'USER', 'NO'), nobody),
  command('CLIENT', 'KILL', 'ID', nobody, fc.constantFrom('SKIPME', 'TYPE'), word),
  command('CLIENT', 'UNBLOCK', number, maybe(fc.constantFrom('TIMEOUT', 'error', 'x'))),
  command('CLIENT', 'UNBLOCK', number, 'ERROR', word),
  command('CLIENT', 'PAUSE', fc.constantFrom('x', '-1', '1.5', ''), maybe(word)),
  command('CLIENT', 'PAUSE', '1', 'NO'),
  command('CLIENT', 'UNPAUSE'),
  command('CLIENT', 'NO-EVICT', word),
  command('CLIENT', 'LIST', fc.constantFrom('TYPE', 'ID', 'NO'), fc.constantFrom('x', '-', '')),
  command('CLIENT', 'LIST', 'TYPE'),
  command('CLIENT', 'LIST', 'ID'),
  command('CLIENT', 'LIST', 'TYPE', fc.constantFrom('master', 'replica', 'pubsub')),
  command('CLIENT', 'TRACKING', fc.constantFrom('OFF', 'x', '')),
  command('CLIENT', 'CACHING', fc.constantFrom('YES', 'NO')),
  command('CLIENT', 'TRACKINGINFO'),
  command('CLIENT', 'GETREDIR'),
  command('CLIENT', fc.constantFrom('NOSUCH', '', 'get name', 'SETNAME'), words),
)
const hello = fc.oneof(
  command('HELLO', fc.constantFrom('1', '4', 'x', '', '-3', '9223372036854775808')),
  command('HELLO', '9', words),
  command('HELLO', 'x', words),
)
const config = fc.oneof(
  command('CONFIG', 'GET', fc.constantFrom('nosuch', 'nosuch*', '[', ''), words),
  command('CONFIG', 'SET', fc.constantFrom('nosuch', ''), word),
  command('CONFIG', 'SET', fc.constantFrom('maxmemory', 'nosuch'), '1gb', 'maxmemory', '1gb'),
  command('CONFIG', 'SET', 'maxmemory', fc.constantFrom('x', '-1x')),
  command('CONFIG', 'SET', 'slowlog-max-len', fc.constantFrom('100', 'x', '128')),
  command('CONFIG', 'GET', fc.constantFrom('slowlog-max-len', 'SLOWLOG-MAX-LE?')),
  command('CONFIG', 'SET', 'latency-monitor-threshold', fc.constantFrom('99999', 'x', '0')),
  command('CONFIG', 'GET', 'latency-monitor-*'),
  command('CONFIG', 'SET', 'timeout', fc.constantFrom('x', '-1', '')),
  command('CONFIG', 'SET', 'timeout', '0', fc.constantFrom('slowlog-max-len', 'nosuch'), 'x'),
  command('CONFIG', 'RESETSTAT'),
  command('CONFIG', fc.constantFrom('NOSUCH', '', 'SET', 'GET', 'RESETSTAT'), words),
)
const commands = fc.oneof(
  command('COMMAND', 'INFO', fc.constantFrom('nosuch', '', 'get|x')),
  command('COMMAND', 'DOCS', fc.constantFrom('nosuch', '', 'get|x')),
  command('COMMAND', 'LIST', 'FILTERBY', fc.constantFrom('MODULE', 'NO', ''), word),
  command('COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', fc.constantFrom('nosuch', '')),
  command('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', fc.constantFrom('nosuch*', 'xad?', 'LPUSH')),
  command('COMMAND', 'LIST', word, words),
  command(
    'COMMAND',
    fc.constantFrom('GETKEYS', 'GETKEYSANDFLAGS'),
    fc.oneof(
      fc.constantFrom<Words>(
        ['GET', 'a'],
        ['NOSUCH', 'a'],
        ['PING', 'x'],
        ['MSET', 'a', '1', 'b', '2'],
        ['MSET', 'a'],
        ['XREAD', 'COUNT', '1', 'STREAMS', 'a', 'b', '0', '0'],
        ['XREAD', 'STREAMS', 'a', 'b', '0'],
        ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'a', '>'],
        ['LMPOP', '2', 'a', 'b', 'LEFT'],
        ['LMPOP', '3', 'a', 'b', 'LEFT'],
        ['BLMPOP', '0', '0', 'a', 'LEFT'],
        ['XGROUP', 'CREATE', 'a', 'g', '0'],
        ['XGROUP', 'CREATE'],
        ['SET', 'a', 'b', 'EX', '5'],
        ['BLMOVE', 'a', 'b', 'LEFT', 'LEFT', '0'],
        ['OBJECT', 'ENCODING', 'a'],
        ['MULTI', 'x'],
      ),
    ),
  ),
  command('COMMAND', fc.constantFrom('NOSUCH', '', 'COUNT'), word, words),
)
const object = fc.oneof(
  command('SET', key, fc.constantFrom('1', 'abc', 'x'.repeat(44), 'x'.repeat(45), '-0', '01', '')),
  command('APPEND', key, 'z'),
  command('INCR', key),
  command('SETEX', key, '1000', '7'),
  command('GETDEL', key),
  command('COPY', key, key, maybe('REPLACE')),
  command('OBJECT', fc.constantFrom('ENCODING', 'encoding', 'FREQ'), key),
  command('OBJECT', fc.constantFrom('NOSUCH', '', 'ENCODING', 'IDLETIME'), words),
)
const other = fc.oneof(
  command('PING', words),
  command('ECHO', words),
  command('SELECT', fc.constantFrom('0', '-1', 'x', '16')),
  command('WAIT', number, fc.constantFrom('x', '-1', '')),
  command('WAIT', '0', '1'),
  command('SLOWLOG', fc.constantFrom('GET', 'NOSUCH', 'LEN'), word, word),
  command('SLOWLOG', 'GET', fc.constantFrom('x', '-2', '')),
  command('LATENCY', fc.constantFrom('HISTORY', 'NOSUCH'), words),
  command('MEMORY', 'USAGE', 'none', maybe(fc.constantFrom('SAMPLES', 'x'), number)),
  command('MEMORY', fc.constantFrom('NOSUCH', '', 'USAGE'), words),
  command('ACL', 'WHOAMI'),
  command('ACL', 'CAT', fc.constantFrom('nosuch', '')),
  command('ACL', fc.constantFrom('NOSUCH', 'GETUSER', 'WHOAMI', 'CAT'), fc.constantFrom('x', '')),
  command('ACL', 'GENPASS', fc.constantFrom('x', '0', '-1', '5000')),
  command('AUTH', words),
  command('CLUSTER', fc.constantFrom('INFO', 'NOSUCH', 'SLOTS'), words),
  command(fc.constantFrom('ASKING', 'READONLY', 'READWRITE'), words),
  command('SCAN', fc.constantFrom('x', '-x', '1.5')),
  command('SCAN', '0', fc.constantFrom('COUNT', 'MATCH', 'TYPE', 'NO'), fc.constantFrom('0', 'x')),
  command('SSCAN', key, '0', fc.constantFrom('COUNT', 'TYPE', 'NO'), fc.constantFrom('0', 'x')),
  command(fc.constantFrom('NOSUCH', '', 'NO SUCH', 'a\r\nb', 'x'.repeat(200)), word, words),
)

/** How a command may be called with more or fewer words than it takes. */
export function misCalled(names: readonly string[]): fc.Arbitrary<Words> {
  return command(
    fc.constantFrom(...names),
    fc.array(fc.constantFrom('o', '1', '0', 'x'), { maxLength: 1 }),
  )
}

export const onDesk = fc.oneof(
  client,
  client,
  hello,
  config,
  config,
  commands,
  object,
  object,
  other,
)
