// The closed table of what can go wrong, and the class for failures of the world.
//
// Three kinds of wrong: the client's is an error Reply (a value), the world's is
// an OperationalError, ours is an `assert`. One row serves both doors: the word
// that RESP clients see and the status that gRPC clients see.

type ErrorRow = {
  /** First word of the RESP error. */
  readonly word: string
  /** Name of the gRPC status. */
  readonly grpc: GrpcStatus
  /** Whether the same call may succeed later with nobody changing anything. */
  readonly retryable: boolean
}

export type GrpcStatus =
  | 'INVALID_ARGUMENT'
  | 'FAILED_PRECONDITION'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'UNAVAILABLE'
  | 'RESOURCE_EXHAUSTED'
  | 'UNKNOWN'
  | 'INTERNAL'
  | 'UNIMPLEMENTED'

export const ERROR_TABLE = {
  ERR: { word: 'ERR', grpc: 'INVALID_ARGUMENT', retryable: false },
  WRONGTYPE: { word: 'WRONGTYPE', grpc: 'FAILED_PRECONDITION', retryable: false },
  NOGROUP: { word: 'NOGROUP', grpc: 'NOT_FOUND', retryable: false },
  BUSYGROUP: { word: 'BUSYGROUP', grpc: 'ALREADY_EXISTS', retryable: false },
  NOPROTO: { word: 'NOPROTO', grpc: 'INVALID_ARGUMENT', retryable: false },
  MOVED: { word: 'MOVED', grpc: 'FAILED_PRECONDITION', retryable: true },
  ASK: { word: 'ASK', grpc: 'FAILED_PRECONDITION', retryable: true },
  CROSSSLOT: { word: 'CROSSSLOT', grpc: 'INVALID_ARGUMENT', retryable: false },
  CLUSTERDOWN: { word: 'CLUSTERDOWN', grpc: 'UNAVAILABLE', retryable: true },
  TRYAGAIN: { word: 'TRYAGAIN', grpc: 'RESOURCE_EXHAUSTED', retryable: true },
  OOM: { word: 'OOM', grpc: 'RESOURCE_EXHAUSTED', retryable: true },
  MISCONF: { word: 'MISCONF', grpc: 'RESOURCE_EXHAUSTED', retryable: true },
  LOADING: { word: 'LOADING', grpc: 'UNAVAILABLE', retryable: true },
  UNBLOCKED: { word: 'UNBLOCKED', grpc: 'UNAVAILABLE', retryable: true },
  INDOUBT: { word: 'INDOUBT', grpc: 'UNKNOWN', retryable: false },
  // Failures of the world that never reach a client as themselves.
  DISK: { word: 'ERR', grpc: 'INTERNAL', retryable: false },
  DISK_FULL: { word: 'MISCONF', grpc: 'RESOURCE_EXHAUSTED', retryable: true },
  CORRUPT: { word: 'ERR', grpc: 'INTERNAL', retryable: false },
  CONFIG: { word: 'ERR', grpc: 'INTERNAL', retryable: false },
  LOCKED: { word: 'ERR', grpc: 'INTERNAL', retryable: false },
  PEER: { word: 'ERR', grpc: 'UNAVAILABLE', retryable: true },
  PORT: { word: 'ERR', grpc: 'INTERNAL', retryable: false },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERROR_TABLE

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
    return ERROR_TABLE[this.code].retryable
  }
}
