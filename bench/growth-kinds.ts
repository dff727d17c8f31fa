// What grows in the growth phase, and what is asked of it: one kind a type.

import type { Pipe } from './pipe.ts'

/** Words of a command; `i` differs from call to call, `size` is how much there is. */
export type Words = (i: number, size: number) => (string | number)[]

export type Kind = {
  readonly name: string
  /** Whose leader is asked; other keys share its hash tag. */
  readonly key: string
  /** The command that adds element `i`, from 0. */
  element(i: number): (string | number)[]
  /** What else is to be done when `size` elements are there. */
  after?(pipe: Pipe, size: number): Promise<void>
  readonly probes: Readonly<Record<string, Words>>
}

const READ_BATCH = 1_000

/** Somewhere in 1..size, elsewhere each time. */
const some = (i: number, size: number): number => 1 + ((i * 7_919) % size)

const S = '{growth}stream'
const L = '{growth}list'
const M = '{growth}set'
const K = '{growth}key'

const stream: Kind = {
  name: 'stream',
  key: S,
  element: i => ['XADD', S, `${i + 1}-0`, 'item', 'x'],
  async after(pipe, size) {
    await pipe.ask('XGROUP', 'CREATE', S, `g${size}`, '0')
    for (let i = 0; i < size; i += READ_BATCH) {
      const words = ['XREADGROUP', 'GROUP', `g${size}`, 'worker-1', 'COUNT', READ_BATCH]
      await pipe.ask(...words, 'STREAMS', S, '>')
    }
  },
  probes: {
    'XADD MAXLEN ~': (i, size) => ['XADD', S, 'MAXLEN', '~', size, `${size}-${i}`, 'item', 'x'],
    'XRANGE of 10': (i, size) => ['XRANGE', S, some(i, size), '+', 'COUNT', 10],
    'XREVRANGE of 10': (i, size) => ['XREVRANGE', S, some(i, size), '-', 'COUNT', 10],
    'XREAD of 10': (i, size) => ['XREAD', 'COUNT', 10, 'STREAMS', S, some(i, size)],
    XLEN: () => ['XLEN', S],
    'XINFO STREAM': () => ['XINFO', 'STREAM', S],
    'XINFO GROUPS': () => ['XINFO', 'GROUPS', S],
    XPENDING: (_, size) => ['XPENDING', S, `g${size}`],
    'XPENDING of 10': (i, size) => ['XPENDING', S, `g${size}`, some(i, size), '+', 10],
    'XREADGROUP of 10 pending': (i, size) => [
      ...['XREADGROUP', 'GROUP', `g${size}`, 'worker-1', 'COUNT', 10, 'STREAMS', S, some(i, size)],
    ],
    'XREADGROUP of 1 new': (_, size) => [
      ...['XREADGROUP', 'GROUP', `g${size}`, 'worker-2', 'COUNT', 1, 'STREAMS', S, '>'],
    ],
    'XAUTOCLAIM of 10': (i, size) => [
      ...['XAUTOCLAIM', S, `g${size}`, 'worker-2', 0, some(i, size), 'COUNT', 10, 'JUSTID'],
    ],
    XCLAIM: (i, size) => ['XCLAIM', S, `g${size}`, 'worker-3', 0, `${some(i, size)}-0`],
    XACK: (i, size) => ['XACK', S, `g${size}`, `${some(i, size)}-0`],
    XDEL: (i, size) => ['XDEL', S, `${some(i, size)}-0`],
  },
}

const list: Kind = {
  name: 'list',
  key: L,
  element: i => ['RPUSH', L, `element-${i}`],
  probes: {
    LPUSH: () => ['LPUSH', L, 'x'],
    RPUSH: () => ['RPUSH', L, 'x'],
    LPOP: () => ['LPOP', L],
    RPOP: () => ['RPOP', L],
    'RPOPLPUSH to itself': () => ['RPOPLPUSH', L, L],
    'LRANGE 0 9': () => ['LRANGE', L, 0, 9],
    'LRANGE -10 -1': () => ['LRANGE', L, -10, -1],
    'LINDEX -1': () => ['LINDEX', L, -1],
    'LSET 0': () => ['LSET', L, 0, 'y'],
    LLEN: () => ['LLEN', L],
  },
}

const set: Kind = {
  name: 'set',
  key: M,
  element: i => ['SADD', M, `member-${i}`],
  probes: {
    'SADD of a new one': i => ['SADD', M, `new-${i}`],
    'SADD again': (i, size) => ['SADD', M, `member-${some(i, size)}`],
    SISMEMBER: (i, size) => ['SISMEMBER', M, `member-${some(i, size)}`],
    'SREM and SADD': (i, size) =>
      i % 2 === 0
        ? ['SREM', M, `member-${some(i >> 1, size)}`]
        : ['SADD', M, `member-${some(i >> 1, size)}`],
    SPOP: () => ['SPOP', M],
    SCARD: () => ['SCARD', M],
    'SSCAN of 10': (i, size) => ['SSCAN', M, some(i, size)],
  },
}

const keys: Kind = {
  name: 'keys',
  key: `${K}0`,
  element: i => ['SET', K + i, i],
  probes: {
    GET: (i, size) => ['GET', K + some(i, size)],
    SET: (i, size) => ['SET', K + some(i, size), i],
    INCR: (i, size) => ['INCR', K + some(i, size)],
    EXPIRE: (i, size) => ['EXPIRE', K + some(i, size), 1_000_000],
    TTL: (i, size) => ['TTL', K + some(i, size)],
    'DEL and SET': (i, size) =>
      i % 2 === 0 ? ['DEL', K + some(i >> 1, size)] : ['SET', K + some(i >> 1, size), i],
    'SCAN of 10': (i, size) => ['SCAN', some(i, size)],
    RANDOMKEY: () => ['RANDOMKEY'],
    DBSIZE: () => ['DBSIZE'],
  },
}

export const KINDS: readonly Kind[] = [stream, list, set, keys]
