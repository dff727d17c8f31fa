// Every answer with which the desk itself turns a command down, word for word.
//
// Texts that Redis has are Redis' own, since clients compare them (COMMANDS 1.3, 1.4).

import { limits } from '../base/limits.ts'
import type { Slot } from '../base/types.ts'
import { type ErrorReply, fail } from '../machine/reply.ts'
import type { Elsewhere } from '../topology/route.ts'
import { UNBLOCKED_TEXT } from './redis-words.ts'

export const crossSlot = fail("CROSSSLOT Keys in request don't hash to the same slot")
/** A RESP2 client with subscriptions could not tell a reply from a message. */
export function subscribed(name: string): ErrorReply {
  return fail(
    `ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
  )
}

export const slotNotServed = fail('CLUSTERDOWN Hash slot not served')
export const clusterDown = fail('CLUSTERDOWN The cluster is down')
/** A standalone node that has not won its own election yet. */
export const loading = fail('LOADING The node does not lead its shard yet')
export const outOfMemory = fail("OOM command not allowed when used memory > 'maxmemory'.")
export const diskFull = fail(
  'MISCONF The disk of this node is full. Commands that add data are refused; reads, acknowledgements and trims go on.',
)
export const overloaded = fail('TRYAGAIN Too many commands are in flight, try again')
export const inDoubt = fail(
  'INDOUBT The outcome is unknown: leadership changed before the command was settled. It may or may not have been done.',
)
export const unblocked = fail(UNBLOCKED_TEXT)
export const unblockedByClient = fail('UNBLOCKED client unblocked via CLIENT UNBLOCK')
export const keyTooLong = fail(`ERR key is longer than ${limits.keyBytesMax} bytes`)
export const emptyCommand = fail('ERR empty command')
export const clusterDisabled = fail('ERR This instance has cluster support disabled')
export const nestedMulti = fail('ERR MULTI calls can not be nested')
export const execWithoutMulti = fail('ERR EXEC without MULTI')
export const discardWithoutMulti = fail('ERR DISCARD without MULTI')
export const watchInsideMulti = fail('ERR WATCH inside MULTI is not allowed')
export const notInsideMulti = fail('ERR Command not allowed inside a transaction')
export const execAborted = fail('EXECABORT Transaction discarded because of previous errors.')
/** Without an order there is no telling which commands stand between MULTI and EXEC. */
export const needsOrder = fail(
  'ERR transactions need a session that is answered in order: a RESP connection',
)
export const transactionTooLarge = fail(
  `ERR transaction is larger than ${limits.transactionCommandsMax} commands or ${limits.transactionBytesMax} bytes`,
)
export const tooManyWatched = fail(
  `ERR more than ${limits.watchedKeysMax} keys or ${limits.watchedBytesMax} bytes are watched`,
)
/** A node-wide write at a node that leads nothing. */
export const readOnlyReplica = fail("READONLY You can't write against a read only replica.")

/** EXEC was refused as a whole. */
export function abortedBy(refusal: ErrorReply): ErrorReply {
  return fail(`EXECABORT Transaction discarded because of: ${refusal.text.replace(/^ERR /, '')}`)
}

/** A command about all keys of the node, between MULTI and EXEC in a cluster. */
export function notInOneSlot(name: string): ErrorReply {
  return fail(
    `ERR ${name} is not allowed inside a transaction: it asks every shard of the node, and a transaction stays in one slot`,
  )
}

/** Not here: the leader's address for this client's door, and the facts for gRPC. */
export function moved(slot: Slot, epoch: number, to: Elsewhere): ErrorReply {
  return {
    kind: 'error',
    text: `MOVED ${slot} ${to.door.host}:${to.door.port}`,
    redirect: {
      kind: 'MOVED',
      slot,
      epoch,
      shard: to.shard,
      leader: to.leader.id,
    },
  }
}
