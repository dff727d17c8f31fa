// Bytes for a RESP port as no client sends them: pipelines that were valid once, inline
// commands, counts beyond all bounds, RESP3 that no request has, and noise.
//
// Commands are of a few keys, and none of them stops the server, pauses or ends other
// clients, or removes what others wrote.

import { encode } from '../chaos/connection.ts'
import type { Prng } from '../sim/prng.ts'

const KiB = 1024

const COMMANDS: readonly (readonly string[])[] = [
  ['SET', 'a', 'value'],
  ['GET', 'a'],
  ['MSET', 'a', '1', 'b', '2'],
  ['INCR', 'b'],
  ['LPUSH', 'l', 'x', 'y', 'z'],
  ['LPOP', 'l', '100'],
  ['LTRIM', 'l', '0', '99'],
  ['LRANGE', 'l', '0', '-1'],
  ['BLPOP', 'l', 'm', '0.01'],
  ['BLMOVE', 'l', 'm', 'LEFT', 'RIGHT', '0'],
  ['LINSERT', 'l', 'BEFORE', 'x', 'w'],
  ['SADD', 's', '1', '2', 'three'],
  ['SPOP', 's', '2'],
  ['SSCAN', 's', '0', 'COUNT', '10'],
  ['XADD', 't', 'MAXLEN', '50', '*', 'f', 'v'],
  ['XADD', 't', 'IDMP', 'p', 'i', '*', 'f', 'v'],
  ['XRANGE', 't', '-', '+', 'COUNT', '5'],
  ['XGROUP', 'CREATE', 't', 'g', '$', 'MKSTREAM'],
  ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '2', 'BLOCK', '5', 'STREAMS', 't', '>'],
  ['XREAD', 'BLOCK', '0', 'STREAMS', 't', 'u', '$', '$'],
  ['XACK', 't', 'g', '1-1'],
  ['XAUTOCLAIM', 't', 'g', 'd', '0', '-'],
  ['XINFO', 'STREAM', 't', 'FULL'],
  ['XNACK', 't', 'g', 'FAIL', 'IDS', '1', '1-1', 'FORCE'],
  ['DEL', 'a', 'l', 's', 't'],
  ['RENAME', 'a', 'c'],
  ['COPY', 't', 'u', 'REPLACE'],
  ['EXPIRE', 'a', '1'],
  ['SCAN', '0', 'MATCH', '*a*', 'COUNT', '10'],
  ['OBJECT', 'ENCODING', 'l'],
  ['MULTI'],
  ['EXEC'],
  ['DISCARD'],
  ['WATCH', 'a', 'l'],
  ['HELLO', '3'],
  ['HELLO', '2', 'SETNAME', 'noise'],
  ['CLIENT', 'SETNAME', 'x'],
  ['CLIENT', 'REPLY', 'SKIP'],
  ['CLIENT', 'LIST'],
  ['COMMAND', 'INFO', 'xadd', 'get'],
  ['COMMAND', 'GETKEYS', 'XREAD', 'STREAMS', 'a', 'b', '0', '0'],
  ['INFO'],
  ['RESET'],
  ['QUIT'],
  ['WAIT', '0', '1'],
  ['PING'],
  ['ECHO', 'x'.repeat(2 * KiB)],
]
const TOKENS = [
  ...['*0\r\n', '*-1\r\n', '*1\r\n', '*2\r\n', '*1048576\r\n', '*1048577\r\n', '*2147483648\r\n'],
  ...[
    '*99999999999999999999\r\n',
    '$0\r\n\r\n',
    '$-1\r\n',
    '$1\r\n',
    '$16777217\r\n',
    '$536870912\r\n',
  ],
  ...['$99999999999999999999\r\n', '*+1\r\n', '* 1\r\n', '*1\n', '$3\n', '\r', '\n', '\r\n', '\0'],
  ...['_\r\n', '#t\r\n', ',1.5\r\n', '(123\r\n', '=7\r\ntxt:abc\r\n', '%1\r\n', '~2\r\n', '>1\r\n'],
  ...[
    '|1\r\n',
    '!5\r\nERROR\r\n',
    '$?\r\n',
    ';4\r\nabcd\r\n',
    '*?\r\n',
    '.\r\n',
    ':1\r\n',
    '+OK\r\n',
    '-E\r\n',
  ],
  ...[
    'POST / HTTP/1.1\r\n',
    'Host: x\r\n',
    'GET a\r\n',
    'PING "a\\x00b"\r\n',
    "ECHO 'a\r\n",
    '"',
    "'",
    '\\',
  ],
]

function pick<T>(prng: Prng, from: readonly T[]): T {
  return from[prng.below(from.length)] as T
}

function noise(prng: Prng, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let i = 0; i < length; i += 1) bytes[i] = prng.below(256)
  return bytes
}

/** Some commands in one packet, valid. */
export function pipeline(prng: Prng): Buffer {
  const commands: Buffer[] = []
  for (let left = 1 + prng.below(20); left > 0; left -= 1)
    commands.push(encode(pick(prng, COMMANDS)))
  return Buffer.concat(commands)
}

function mutated(prng: Prng): Buffer {
  let bytes = pipeline(prng)
  for (let left = 1 + prng.below(4); left > 0; left -= 1) {
    const at = prng.below(bytes.length + 1)
    const end = Math.min(bytes.length, at + prng.below(30))
    switch (prng.below(6)) {
      case 0:
        if (at < bytes.length) bytes[at] = prng.below(256)
        break
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)])
        break
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)])
        break
      case 3:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from(pick(prng, TOKENS), 'latin1'),
          bytes.subarray(at),
        ])
        break
      case 4:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          noise(prng, prng.below(64)),
          bytes.subarray(at),
        ])
        break
      default:
        bytes = bytes.subarray(0, at)
    }
  }
  return bytes
}

function inline(prng: Prng): Buffer {
  const lines: string[] = []
  for (let left = 1 + prng.below(10); left > 0; left -= 1) {
    const words = pick(prng, COMMANDS).map(word => {
      const quote = pick(prng, ['', '', '"', "'"])
      return `${quote}${prng.below(20) === 0 ? pick(prng, TOKENS) : word}${prng.below(20) === 0 ? '' : quote}`
    })
    lines.push(words.join(pick(prng, [' ', '  ', '\t'])) + pick(prng, ['\r\n', '\n']))
  }
  return Buffer.from(lines.join(''), 'latin1')
}

function tokens(prng: Prng): Buffer {
  let text = ''
  for (let left = prng.below(60); left > 0; left -= 1) text += pick(prng, TOKENS)
  return Buffer.from(text, 'latin1')
}

/** As many words as one command may have, and some more or less, all empty. */
function manyWords(prng: Prng): Buffer {
  const count = pick(prng, [1000, 60_000, 200_000])
  const words = Buffer.alloc(6 * (count - prng.below(2)), '$0\r\n\r\n')
  return Buffer.concat([Buffer.from(`*${count}\r\n`), words])
}

/** Bytes of one connection. */
export function garbage(prng: Prng): Buffer {
  const draw = prng.below(100)
  if (draw < 50) return mutated(prng)
  if (draw < 62) return inline(prng)
  if (draw < 74) return tokens(prng)
  if (draw < 88) return noise(prng, prng.below(4 * KiB))
  if (draw < 90) return manyWords(prng)
  if (draw < 92) return Buffer.alloc(prng.below(200) * KiB, 'x')
  return pipeline(prng)
}
