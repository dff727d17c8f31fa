// The closed table of what can go wrong, and the class for failures of the world.
//
// Three kinds of wrong: the client's is an error Reply (a value), the world's is
// an OperationalError, ours is an `assert`. One row serves both doors: the word
// that RESP clients see and the status that gRPC clients see.

import { assert } from './assert.ts'

type ErrorRow = {
  /** First word of the RESP error. */
  readonly word: string
  /** How the whole error begins, of a row for some errors of a word; of rows that fit the first counts. */
  readonly text?: string
  /** Name of the gRPC status. */
  readonly grpc: GrpcStatus
  readonly retry: Retry
  /** What a client should do; none: no client ever sees it. */
  readonly advice?: string
}

/**
 * What a client may expect of the same call, made once more.
 *
 * later: it may succeed with nobody changing anything, after a while.
 * elsewhere: it may succeed at another node.
 * useless: it fails again until the call or the data is another.
 * unknown: it may be done twice, since nobody knows whether it was done.
 */
export type Retry = 'later' | 'elsewhere' | 'useless' | 'unknown'

export type GrpcStatus =
  | 'INVALID_ARGUMENT'
  | 'FAILED_PRECONDITION'
  | 'OUT_OF_RANGE'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'UNAUTHENTICATED'
  | 'ABORTED'
  | 'UNAVAILABLE'
  | 'RESOURCE_EXHAUSTED'
  | 'UNKNOWN'
  | 'INTERNAL'
  | 'UNIMPLEMENTED'

const WAIT = 'Wait as long as RetryInfo says, then ask again, with growing pauses.'

/** The keys are what gRPC clients see as the reason in ErrorInfo. */
export const ERROR_TABLE = {
  MOVED: {
    word: 'MOVED',
    grpc: 'FAILED_PRECONDITION',
    retry: 'elsewhere',
    advice: 'Ask the node that the text and SlotMoved name, and remember it for the whole range.',
  },
  ASK: {
    word: 'ASK',
    grpc: 'FAILED_PRECONDITION',
    retry: 'elsewhere',
    advice: 'Ask the node that is named, this once.',
  },
  READONLY: {
    word: 'READONLY',
    grpc: 'FAILED_PRECONDITION',
    retry: 'elsewhere',
    advice: 'The node leads no shard: ask the others.',
  },
  CLUSTERDOWN: {
    word: 'CLUSTERDOWN',
    grpc: 'UNAVAILABLE',
    retry: 'later',
    advice: `No leader is known for the slot, as during an election. ${WAIT}`,
  },
  LOADING: {
    word: 'LOADING',
    grpc: 'UNAVAILABLE',
    retry: 'later',
    advice: `The node has not taken up its work yet. ${WAIT}`,
  },
  UNBLOCKED: {
    word: 'UNBLOCKED',
    grpc: 'UNAVAILABLE',
    retry: 'later',
    advice: 'The wait was ended, mostly because leadership moved; nothing was taken. Ask again.',
  },
  TRYAGAIN: {
    word: 'TRYAGAIN',
    grpc: 'RESOURCE_EXHAUSTED',
    retry: 'later',
    advice: `Too much is under way. ${WAIT}`,
  },
  OOM: {
    word: 'OOM',
    grpc: 'RESOURCE_EXHAUSTED',
    retry: 'later',
    advice: `Memory is used up; what frees it (acks, trims, deletes) goes on. ${WAIT}`,
  },
  MISCONF: {
    word: 'MISCONF',
    grpc: 'RESOURCE_EXHAUSTED',
    retry: 'later',
    advice: `The disk is full; what frees it (acks, trims, deletes) goes on. ${WAIT}`,
  },
  INDOUBT: {
    word: 'INDOUBT',
    grpc: 'UNKNOWN',
    retry: 'unknown',
    advice:
      'Done or not done. With a Producer mark: send the same again. Without: read what is there.',
  },
  WRONGTYPE: {
    word: 'WRONGTYPE',
    grpc: 'FAILED_PRECONDITION',
    retry: 'useless',
    advice: 'Another type stands behind the key.',
  },
  NOGROUP: {
    word: 'NOGROUP',
    grpc: 'NOT_FOUND',
    retry: 'useless',
    advice: 'Make the group first.',
  },
  BUSYGROUP: {
    word: 'BUSYGROUP',
    grpc: 'ALREADY_EXISTS',
    retry: 'useless',
    advice: 'The group is there already: go on.',
  },
  BUSYKEY: {
    word: 'BUSYKEY',
    grpc: 'ALREADY_EXISTS',
    retry: 'useless',
    advice: 'The key is there already.',
  },
  CROSSSLOT: {
    word: 'CROSSSLOT',
    grpc: 'INVALID_ARGUMENT',
    retry: 'useless',
    advice: 'Give the keys a hash tag in common, or make several calls.',
  },
  EXECABORT: {
    word: 'EXECABORT',
    grpc: 'ABORTED',
    retry: 'useless',
    advice: 'Nothing of the transaction was done; mend what the text names.',
  },
  NOPROTO: {
    word: 'NOPROTO',
    grpc: 'INVALID_ARGUMENT',
    retry: 'useless',
    advice: 'RESP2 and RESP3 are spoken.',
  },
  WRONGPASS: {
    word: 'WRONGPASS',
    grpc: 'UNAUTHENTICATED',
    retry: 'useless',
    advice: 'There is one user, `default`, without a password.',
  },
  NO_SUCH_KEY: {
    word: 'ERR',
    text: 'ERR no such key',
    grpc: 'NOT_FOUND',
    retry: 'useless',
    advice: 'The call needs a key that exists.',
  },
  NO_SUCH_CLIENT: {
    word: 'ERR',
    text: 'ERR No such client',
    grpc: 'NOT_FOUND',
    retry: 'useless',
    advice: 'The session has ended.',
  },
  INDEX_OUT_OF_RANGE: {
    word: 'ERR',
    text: 'ERR index out of range',
    grpc: 'OUT_OF_RANGE',
    retry: 'useless',
    advice: 'The list is shorter.',
  },
  OVERFLOW: {
    word: 'ERR',
    text: 'ERR increment or decrement would overflow',
    grpc: 'OUT_OF_RANGE',
    retry: 'useless',
    advice: 'The number would leave -2^63 to 2^63 - 1.',
  },
  PRODUCER_FENCED: {
    word: 'ERR',
    text: 'ERR producer epoch is older',
    grpc: 'FAILED_PRECONDITION',
    retry: 'useless',
    advice: 'Another process goes on as this producer with a higher epoch: stop writing.',
  },
  UNKNOWN_COMMAND: {
    word: 'ERR',
    text: "ERR unknown command '",
    grpc: 'UNIMPLEMENTED',
    retry: 'useless',
    advice: 'See docs/commands.md.',
  },
  UNKNOWN_SUBCOMMAND: {
    word: 'ERR',
    text: "ERR unknown subcommand '",
    grpc: 'UNIMPLEMENTED',
    retry: 'useless',
    advice: 'See docs/commands.md.',
  },
  CLUSTER_DISABLED: {
    word: 'ERR',
    text: 'ERR This instance has cluster support disabled',
    grpc: 'UNIMPLEMENTED',
    retry: 'useless',
    advice: 'The node stands alone.',
  },
  DEBUG_DISABLED: {
    word: 'ERR',
    text: 'ERR DEBUG command not allowed',
    grpc: 'PERMISSION_DENIED',
    retry: 'useless',
    advice: 'Set `node.enable_debug_command`.',
  },
  SAVE_IN_PROGRESS: {
    word: 'ERR',
    text: 'ERR Background save already in progress',
    grpc: 'ABORTED',
    retry: 'later',
    advice: 'Snapshots are being written already: wait for their end.',
  },
  SAVE_FAILED: {
    word: 'ERR',
    text: 'ERR a snapshot could not be written',
    grpc: 'INTERNAL',
    retry: 'later',
    advice: 'The log of the node says why.',
  },
  ERR: {
    word: 'ERR',
    grpc: 'INVALID_ARGUMENT',
    retry: 'useless',
    advice: 'The call is wrong; the text says how.',
  },
  // Failures of the world that never reach a client as themselves.
  DISK: { word: 'ERR', grpc: 'INTERNAL', retry: 'useless' },
  DISK_FULL: { word: 'MISCONF', grpc: 'RESOURCE_EXHAUSTED', retry: 'later' },
  CORRUPT: { word: 'ERR', grpc: 'INTERNAL', retry: 'useless' },
  CONFIG: { word: 'ERR', grpc: 'INTERNAL', retry: 'useless' },
  LOCKED: { word: 'ERR', grpc: 'INTERNAL', retry: 'useless' },
  PEER: { word: 'ERR', grpc: 'UNAVAILABLE', retry: 'later' },
  PORT: { word: 'ERR', grpc: 'INTERNAL', retry: 'useless' },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERROR_TABLE

/** What clients are told of an error: the row, and its name. */
export type ClientError = ErrorRow & { readonly reason: string; readonly advice: string }

/** The rows that clients see, in the order of the table. */
export const CLIENT_ERRORS: readonly ClientError[] = Object.entries<ErrorRow>(ERROR_TABLE).flatMap(
  ([reason, row]) => (row.advice === undefined ? [] : [{ ...row, reason, advice: row.advice }]),
)

const BY_WORD = new Map<string, ClientError[]>()
for (const row of CLIENT_ERRORS) BY_WORD.set(row.word, [...(BY_WORD.get(row.word) ?? []), row])

/** The row for the text of an error as RESP sends it; a word that nobody knows is ERR. */
export function clientErrorOf(text: string): ClientError {
  const space = text.indexOf(' ')
  const rows = BY_WORD.get(space < 0 ? text : text.slice(0, space)) ?? BY_WORD.get('ERR') ?? []
  const row = rows.find(({ text: start }) => start === undefined || text.startsWith(start))
  assert(row !== undefined, 'the last row of a word fits all of its texts')
  return row
}

/**
 * A failure of the world: a disk, a peer, a clock, a configuration.
 *
 * Expected, and handled by whoever can do something about it. A client's mistake
 * is not one of these but an error Reply; a broken invariant is not one either
 * but an `assert`, which nobody catches.
 */
export class OperationalError extends Error {
  override readonly name = 'OperationalError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }

  /** Whether the same call may succeed later with nobody changing anything. */
  get retryable(): boolean {
    const retry: Retry = ERROR_TABLE[this.code].retry
    return retry === 'later' || retry === 'elsewhere'
  }
}
