// The row of a pending entry (rows.ts): its ID, delivery time and count, and its owner's number.

import { COUNT_MAX } from './lag.ts'
import { ID_WORDS } from './rows.ts'

/** Unix ms, two words. Of an entry that nobody owns: its place in the order of release. */
export const PENDING_TIME = ID_WORDS
/** How often it was delivered, two words: up to 2^63 - 1. */
export const PENDING_COUNT = ID_WORDS + 2
/** Number of the consumer it is pending for; 0: nobody, it was released (XNACK). */
export const PENDING_OWNER = ID_WORDS + 4
export const PENDING_WORDS = ID_WORDS + 5
/** A delivery count saturates here, as Redis' signed counter does. */
export const DELIVERIES_MAX = COUNT_MAX
