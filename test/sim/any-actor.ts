// Any command of the whole table, well-formed and not, on keys of its own. What it is
// answered proves nothing; that all replicas stay equal is what the invariants watch.

import fc from 'fast-check'
import { Argv } from '../../src/base/argv.ts'
import { slotOf } from '../../src/base/slot.ts'
import { isError } from '../../src/machine/command.ts'
import { machineTable } from '../../src/machine/commands/table.ts'
import { keysOf } from '../../src/machine/keys-of.ts'
import { Machine } from '../../src/machine/machine.ts'
import { filled, reads, type Words, writes } from '../fuzz/words.ts'
import { Actor, type Stage } from './actor.ts'
import type { Task } from './client.ts'
import type { Cluster } from './cluster.ts'
import type { Prng } from './prng.ts'

const PREFIX = '{any}:'
const KEY = `${PREFIX}s`
/** Commands drawn at once: the generator begins anew each time. */
const DRAWN = 40
const READS = 0.15
const BROKEN = 0.1
const TRANSACTIONS = 0.1
const FLUSHES = 0.03
/** What nobody thought of, in the place of a word. */
const JUNK = ['', '-1', '0', '1.5', '9223372036854775807', '(-', '5-', '>', 'COUNT', 'LIMIT', 'é\0']
/** Seconds for which lists are waited for; what waits for ever would never be answered. */
const TIMEOUT = '0.2'
const BLOCK_MS = 200
/** Where a command says how long it waits, from its end if negative. */
const TIMEOUT_AT: Readonly<Record<string, number>> = {
  blmove: 5,
  blmovem: 5,
  blmpop: 1,
  blpop: -1,
  brpop: -1,
  brpoplpush: -1,
}

export class Anyone extends Actor {
  readonly #cluster: Cluster
  readonly #producer: string | null
  /** All keys may be removed at once: nobody else acts in this run. */
  readonly #flushes: boolean
  #sequence = 0
  #drawn: Words[] = []

  constructor(
    stage: Stage,
    prng: Prng,
    id: number,
    cluster: Cluster,
    producer: string | null,
    flushes: boolean,
  ) {
    super(stage, prng, id)
    this.#cluster = cluster
    this.#producer = producer
    this.#flushes = flushes
  }

  protected act(): void {
    if (this.prng.chance(TRANSACTIONS)) {
      const count = this.prng.between(2, 5)
      const transaction = Array.from({ length: count }, () => this.#next())
      this.#send({ words: ['EXEC'], transaction }, true)
      return
    }
    const words = this.#next()
    const spec = machineTable.find(Argv.of(...words))
    this.#send({ words }, !isError(spec) && spec.apply !== undefined)
  }

  #send(what: Pick<Task, 'words' | 'transaction'>, isWrite: boolean): void {
    this.#sequence += 1
    const producer =
      this.#producer === null || !isWrite
        ? null
        : { id: this.#producer, epoch: 1, sequence: this.#sequence }
    const rest = { key: KEY, repeatable: !isWrite, block: BLOCK_MS, expects: 'any' as const }
    this.perform({ ...what, ...rest, producer }, () => {})
  }

  /** The next command, with keys of this actor's slot and with what only the state knows. */
  #next(): (string | Buffer)[] {
    if (this.#flushes && this.prng.chance(FLUSHES)) return ['FLUSHALL']
    for (;;) {
      const drawn = this.#drawn.pop()
      if (drawn === undefined) {
        this.#draw()
        continue
      }
      if (!this.#flushes && drawn[0]?.startsWith('flush')) continue
      return this.#fill(placed(this.prng.chance(BROKEN) ? this.#broken(drawn) : drawn))
    }
  }

  #draw(): void {
    const all = this.prng.chance(READS) ? reads : writes
    this.#drawn = fc.sample(all, { seed: this.prng.word() | 0, numRuns: DRAWN })
  }

  /** Words that are missing, doubled, or something else. */
  #broken(words: Words): Words {
    const broken = [...words]
    const at = this.prng.between(1, Math.max(1, broken.length - 1))
    const how = this.prng.float()
    if (how < 0.35) broken.splice(at, 1)
    else if (how < 0.5) broken.splice(at, 0, broken[at] ?? '')
    else broken[at] = this.prng.pick(JUNK)
    return broken
  }

  #fill(words: Words): (string | Buffer)[] {
    const slot = slotOf(Buffer.from(KEY, 'latin1'))
    for (const { node, process } of this.#cluster.machines) {
      const shard = node?.map().ownerOf(slot)
      for (const { shard: id, machine } of node?.replicas() ?? []) {
        if (id !== shard || process === null || !(machine instanceof Machine)) continue
        const all = filled(machine, words, process.now())
        return all.map(word => (typeof word === 'string' ? word : Buffer.from(word as Uint8Array)))
      }
    }
    return [...words]
  }
}

/** The command on keys of one slot, and waiting only so long. */
function placed(words: Words): Words {
  const all = [...words]
  const name = all[0] ?? ''
  const at = TIMEOUT_AT[name]
  if (at !== undefined) all[at < 0 ? all.length - 1 : at] = TIMEOUT
  for (const [i, word] of all.entries())
    if (word === 'BLOCK' && i + 1 < all.length) all[i + 1] = '50'
  const argv = Argv.of(...all)
  const spec = machineTable.find(argv)
  if (isError(spec)) return all
  const keys = new Set(keysOf(spec, argv))
  return all.map((word, i) => {
    if (keys.has(i)) return `${PREFIX}${word}`
    return word.startsWith('%') ? `%${PREFIX}${word.slice(1)}` : word
  })
}
