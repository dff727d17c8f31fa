// What the client must know of a command to send it: where its key stands, whether it only reads, whether it waits.
//
// What is not listed writes, and has its key in the second word.

import { slotOf } from '../base/slot.ts'
import { NO_SLOT, type Word } from './session/call.ts'

const words = (text: string): Set<string> => new Set(text.split(/\s+/))

const READS =
  words(`BITCOUNT BITPOS DBSIZE DUMP ECHO EXISTS EXPIRETIME GET GETBIT GETRANGE INFO KEYS LINDEX LLEN LOLWUT LPOS
  LRANGE MEMORY MGET OBJECT PEXPIRETIME PING PTTL PUBSUB RANDOMKEY SCAN SCARD SINTER SISMEMBER SMEMBERS SMISMEMBER
  SRANDMEMBER SSCAN STRLEN SUBSTR TIME TOUCH TTL TYPE XINFO XLEN XPENDING XRANGE XREAD XREVRANGE`)
const KEYLESS =
  words(`ACL AUTH CLIENT CLUSTER COMMAND CONFIG DBSIZE DEBUG ECHO FLUSHALL FLUSHDB HELLO INFO KEYS LASTSAVE LATENCY LOLWUT
  PING PUBLISH PUBSUB RANDOMKEY ROLE SCAN SCRIPT SLOWLOG TIME WAIT`)
const KEY_THIRD = words('MEMORY OBJECT XGROUP XINFO')
const KEY_COUNTED = new Map([
  ['LMPOP', 2],
  ['SINTERCARD', 2],
  ['EVAL', 3],
  ['EVALSHA', 3],
  ['EVAL_RO', 3],
  ['FCALL', 3],
  ['BLMPOP', 3],
])
const BLOCKS = words('BLMOVE BLMOVEM BLMPOP BLPOP BRPOP BRPOPLPUSH')
/** Commands that write and answer what was stored, however much that is. */
const BULKY =
  words(`BLMOVE BLMOVEM BLMPOP BLPOP BRPOP BRPOPLPUSH EVAL EVALSHA FCALL GETDEL GETEX GETSET LMOVE LMOVEM LMPOP LPOP
  RPOP RPOPLPUSH SET SPOP XAUTOCLAIM XCLAIM XREADGROUP`)
const WITH_STREAMS = words('XREAD XREADGROUP')
const BLOCK = 'BLOCK'
const STREAMS = 'STREAMS'

export type CommandFacts = {
  readonly key: Word | null
  readonly reads: boolean
  readonly blocks: boolean
  readonly isBulky: boolean
}

export function factsOf(command: readonly Word[]): CommandFacts {
  const name = wordAt(command, 0)
  const streams = WITH_STREAMS.has(name) ? find(command, STREAMS) : -1
  return {
    key: keyOf(command, name, streams),
    reads: READS.has(name),
    blocks: BLOCKS.has(name) || (streams > 0 && isBefore(command, BLOCK, streams)),
    isBulky: BULKY.has(name),
  }
}

/** The slot of a key. */
export function slotOfKey(key: Word | null): number {
  if (key === null) return NO_SLOT
  return slotOf(typeof key === 'object' ? key : Buffer.from(String(key)))
}

function keyOf(command: readonly Word[], name: string, streams: number): Word | null {
  if (KEYLESS.has(name)) return null
  if (streams > 0) return command[streams + 1] ?? null
  const counted = KEY_COUNTED.get(name)
  if (counted !== undefined)
    return Number(command[counted - 1]) > 0 ? (command[counted] ?? null) : null
  return command[KEY_THIRD.has(name) ? 2 : 1] ?? null
}

function wordAt(command: readonly Word[], i: number): string {
  const word = command[i]
  return (
    typeof word === 'object' ? Buffer.from(word).toString('latin1') : String(word ?? '')
  ).toUpperCase()
}

/** Where the word stands among options; names and keys that look alike come behind it. */
function find(command: readonly Word[], word: string): number {
  for (let i = 1; i < command.length; i += 1) if (wordAt(command, i) === word) return i
  return -1
}

function isBefore(command: readonly Word[], word: string, end: number): boolean {
  const at = find(command, word)
  return at > 0 && at < end
}
