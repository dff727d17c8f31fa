// WAIT and WAITAOF: how many other nodes have what was written.
//
// A write is answered when a majority has it on its disks, so every write before is
// on half of the others at least. For more than that these wait, looking now and
// then at how far each follower's disk is, as the leaders here know it.

import type { Argv } from '../../base/argv.ts'
import type { Index, Ms } from '../../base/types.ts'
import { parseInteger, parseTimeoutMs } from '../../machine/integers.ts'
import { array, fail, integer, notInteger, ONE, type Reply, ZERO } from '../../machine/reply.ts'
import { type Desk, type DeskCommand, LATER, NO_PLACE } from '../desk.ts'
import type { ReplicaPort } from '../ports.ts'
import { unblockedByClient } from '../refusals.ts'
import type { Session, WaitEnder } from '../session.ts'
import { keylessFacts } from './help.ts'

const LOOK_EVERY_MS: Ms = 10
const MANY = Number.MAX_SAFE_INTEGER

type Mark = { readonly replica: ReplicaPort; readonly index: Index }

/** What is committed in each shard that is led here. */
function marksOf(desk: Desk): readonly Mark[] {
  return desk
    .shards()
    .filter(({ replica }) => replica.isLeader)
    .map(({ replica }) => ({ replica, index: replica.commit }))
}

/** The other voters that have all of it, of the shard that has fewest. */
function countAt(desk: Desk, marks: readonly Mark[]): number {
  const { shards } = desk.ports.directory.map()
  let least = Number.POSITIVE_INFINITY
  for (const { replica, index } of marks) {
    // Also where leadership went meanwhile: what is committed stays with a majority.
    const sure = Math.floor((shards.get(replica.shard)?.voters.length ?? 1) / 2)
    const known = replica.isLeader ? (replica.followersAt?.(index) ?? 0) : 0
    least = Math.min(least, Math.max(sure, known))
  }
  return Number.isFinite(least) ? least : 0
}

/** A command that waits for followers, until there are enough of them or its time is over. */
class FollowerWait implements WaitEnder {
  readonly #desk: Desk
  readonly #session: Session
  readonly #place: number
  readonly #marks: readonly Mark[]
  readonly #wanted: number
  readonly #deadline: Ms
  readonly #reply: (count: number) => Reply
  #ended = false

  constructor(
    desk: Desk,
    session: Session,
    place: number,
    marks: readonly Mark[],
    wanted: number,
    timeout: Ms,
    reply: (count: number) => Reply,
  ) {
    this.#desk = desk
    this.#session = session
    this.#place = place
    this.#marks = marks
    this.#wanted = wanted
    this.#deadline = timeout === 0 ? MANY : desk.ports.clock.monotonic() + timeout
    this.#reply = reply
    session.markWait(place, this)
    session.blocks(place)
    this.#lookLater()
  }

  forget(): void {
    this.#ended = true
  }

  unblock(): boolean {
    this.#end(this.#session.unblockErrors.delete(this.#place))
    return true
  }

  #lookLater(): void {
    this.#desk.ports.clock.after(LOOK_EVERY_MS, () => {
      if (this.#ended || this.#session.closed) return
      const enough = countAt(this.#desk, this.#marks) >= this.#wanted
      if (enough || this.#desk.ports.clock.monotonic() >= this.#deadline) this.#end(false)
      else this.#lookLater()
    })
  }

  #end(withError: boolean): void {
    if (this.#ended) return
    this.#ended = true
    const reply = withError ? unblockedByClient : this.#reply(countAt(this.#desk, this.#marks))
    this.#session.answer(this.#place, reply)
  }
}

function waitFor(
  desk: Desk,
  session: Session,
  place: number,
  wanted: number | bigint,
  timeout: Ms,
  reply: (count: number) => Reply,
): Reply | typeof LATER {
  const marks = marksOf(desk)
  const count = countAt(desk, marks)
  if (count >= wanted || place === NO_PLACE) return reply(count)
  new FollowerWait(desk, session, place, marks, Number(wanted), timeout, reply)
  return LATER
}

function wait(desk: Desk, session: Session, argv: Argv, place: number): Reply | typeof LATER {
  const wanted = parseInteger(argv, 1)
  if (wanted === null) return notInteger
  const timeout = parseTimeoutMs(argv, 2)
  if (typeof timeout !== 'number') return timeout
  return waitFor(desk, session, place, wanted, timeout, integer)
}

const localRange = fail('ERR value is out of range, value must between 0 and 1')
const positive = fail('ERR value is out of range, must be positive')

/** This node's own disk counts as one: nothing is answered before it is flushed here, too. */
function waitAof(desk: Desk, session: Session, argv: Argv, place: number): Reply | typeof LATER {
  const local = parseInteger(argv, 1)
  if (local === null || local < 0 || local > 1) return localRange
  const wanted = parseInteger(argv, 2)
  if (wanted === null || wanted < 0) return positive
  const timeout = parseTimeoutMs(argv, 3)
  if (typeof timeout !== 'number') return timeout
  const leads = marksOf(desk).length > 0
  return waitFor(desk, session, place, wanted, timeout, count =>
    array([leads ? ONE : ZERO, integer(count)]),
  )
}

const SHARED = {
  categories: ['slow', 'blocking', 'connection'],
  flags: ['blocking'],
  group: 'generic',
} as const

export const WAITING_COMMANDS: readonly DeskCommand[] = [
  {
    ...keylessFacts('wait', 3, '3.0.0', 'Waits until replicas have the writes before it.', SHARED),
    tips: ['request_policy:all_shards', 'response_policy:agg_min'],
    barrier: true,
    run: wait,
  },
  {
    ...keylessFacts(
      'waitaof',
      4,
      '7.2.0',
      'Waits until disks, here and of replicas, have the writes before it.',
      SHARED,
    ),
    tips: ['request_policy:all_shards', 'response_policy:agg_min'],
    barrier: true,
    run: waitAof,
  },
]
