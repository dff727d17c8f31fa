// What servers other than ours answer otherwise, and why we do not follow.
//
// A difference that is listed and does not show is a mistake here, so the list stays true.

import type { Wire } from './wire.ts'

export type Difference = {
  readonly file: string
  /** How the case's name begins. */
  readonly case: string
  /** The step, as the transcript has it. */
  readonly command: string
  readonly reason: string
}

const idmp = 'XINFO STREAM tells of idempotent IDs since 8.6'
const inactive = 'consumers have an active time since 7.2'
const help = 'the last line of HELP is worded anew since 8'
const plus = 'XREAD knows + since 7.4'
const overflow = '7.0 calls a timeout negative that is too large'
const lag = 'Redis answers a lag it does not know with nil; here it is counted'

/** Redis 7.0, which Debian 12 ships. Ours answers as Redis 8 does. */
export const redis70: readonly Difference[] = [
  {
    file: 'groups',
    case: 'XGROUP SETID moves',
    command: 'XINFO GROUPS s',
    reason: lag,
  },
  { file: 'groups', case: 'XGROUP DESTROY', command: 'XGROUP HELP', reason: help },
  {
    file: 'groups',
    case: 'ENTRIESREAD is at most',
    command: 'XINFO GROUPS s',
    reason: 'ENTRIESREAD is capped since 8',
  },
  {
    file: 'groups',
    case: 'XREADGROUP makes its consumer',
    command: 'XGROUP CREATECONSUMER s g d',
    reason: 'a reader that waits makes its consumer since 7.2',
  },
  {
    file: 'groups',
    case: 'XREADGROUP refuses',
    command: 'XREADGROUP GROUP g c STREAMS s t >',
    reason: 'the error names the command since 7.2',
  },
  {
    file: 'groups',
    case: 'XREADGROUP refuses',
    command: 'XREADGROUP GROUP g c STREAMS s +',
    reason: 'XREAD knows + since 7.4, and XREADGROUP refuses it in words of its own',
  },
  {
    file: 'groups',
    case: 'A waiting XREADGROUP learns',
    command: '@1',
    reason: 'commands that waited are run again since 7.2',
  },
  {
    file: 'lists',
    case: 'LREM refuses',
    command: 'LREM l -9223372036854775808 a',
    reason: 'the least number is refused since 7.2',
  },
  {
    file: 'lists',
    case: 'A timeout beyond',
    command: 'BLPOP none inf',
    reason: overflow,
  },
  {
    file: 'lists',
    case: 'A timeout beyond',
    command: 'BLPOP none 1e300',
    reason: overflow,
  },
  {
    file: 'streams',
    case: 'XREAD refuses',
    command: 'XREAD STREAMS s t 0',
    reason: 'the error names the command since 7.2',
  },
  { file: 'streams', case: 'XREAD with +', command: 'XREAD STREAMS s +', reason: plus },
  { file: 'streams', case: 'XREAD with +', command: 'XREAD STREAMS s nokey + +', reason: plus },
  { file: 'streams', case: 'XREAD with +', command: 'XREAD STREAMS nokey +', reason: plus },
  { file: 'xinfo', case: 'XINFO STREAM tells', command: 'XINFO STREAM s', reason: idmp },
  { file: 'xinfo', case: 'XINFO STREAM tells', command: 'XINFO STREAM e', reason: idmp },
  { file: 'xinfo', case: 'XINFO STREAM FULL', command: 'XINFO STREAM s FULL', reason: idmp },
  {
    file: 'xinfo',
    case: 'XINFO STREAM FULL',
    command: 'XINFO STREAM s FULL COUNT 1',
    reason: idmp,
  },
  {
    file: 'xinfo',
    case: 'XINFO STREAM FULL',
    command: 'XINFO STREAM s full count 0',
    reason: idmp,
  },
  { file: 'xinfo', case: 'XINFO GROUPS and', command: 'XINFO CONSUMERS s a', reason: inactive },
  { file: 'xinfo', case: 'XINFO refuses', command: 'XINFO HELP', reason: help },
  { file: 'xinfo', case: 'A lag that Redis', command: 'XINFO GROUPS s', reason: lag },
  { file: 'xinfo', case: 'A lag is known again', command: 'XINFO GROUPS s', reason: lag },
  {
    file: 'xinfo',
    case: 'Trimming does not confuse',
    command: 'XINFO GROUPS s',
    reason: 'trimmed entries count as read since 8',
  },
]

/** Errors in random scripts. */
export type RefusedOtherwise = {
  readonly command: RegExp
  readonly ours: RegExp
  readonly theirs: RegExp
  readonly reason: string
}

export const refusedOtherwise: readonly RefusedOtherwise[] = [
  {
    command: /^XREADGROUP$/,
    ours: /^(NOGROUP|WRONGTYPE) /,
    theirs: /^(UNBLOCKED the stream key no longer exists|NOGROUP the consumer group this client)/,
    reason: 'commands that waited are run again since 7.2, and say what they find then',
  },
]

export function isRefusedOtherwise(words: readonly string[], mine: Wire, theirs: Wire): boolean {
  if (mine.type !== 'error' || theirs.type !== 'error') return false
  const name = (words[0] ?? '').toUpperCase()
  return refusedOtherwise.some(
    row => row.command.test(name) && row.ours.test(mine.text) && row.theirs.test(theirs.text),
  )
}

export type RecordedDifference = {
  readonly group: string
  /** As the recording has it. */
  readonly command: string
  readonly reason: string
}

/** The recordings of a newest Redis. Of streams, ours answers everything there as Redis does. */
export const recorded: readonly RecordedDifference[] = []
