// What one shard has committed, as the whole cluster has shown it: the yardstick of the invariants.

import type { Index, NodeId, Term } from '../../src/base/types.ts'

/** A committed entry. */
type Fact = {
  readonly term: Term
  /** The lowest term of a leader under which it was seen committed. */
  committedIn: Term
  readonly seenOn: NodeId
}

/** An entry as some leader sent it. */
type Sent = { readonly checksum: number; readonly previousTerm: Term }

export class Ledger {
  readonly #facts: Fact[] = []
  readonly #sent = new Map<string, Sent>()
  readonly #digests = new Map<Index, { readonly digest: number; readonly node: NodeId }>()
  readonly #states = new Map<Index, { readonly checksum: number; readonly node: NodeId }>()
  readonly #payloads = new Map<Index, { readonly checksum: number; readonly node: NodeId }>()
  readonly #leaders = new Map<Term, NodeId>()
  readonly #votes = new Map<string, NodeId>()

  /** The highest index that any node ever took for committed. */
  get last(): Index {
    return this.#facts.length
  }

  termAt(index: Index): Term | null {
    return this.#facts[index - 1]?.term ?? null
  }

  committedIn(index: Index): Term {
    return this.#facts[index - 1]?.committedIn ?? 0
  }

  /** @returns what is wrong, or null */
  commit(index: Index, term: Term, under: Term, node: NodeId): string | null {
    const known = this.#facts[index - 1]
    if (known === undefined) {
      if (index !== this.#facts.length + 1) return `commit of ${index} seen before ${this.last + 1}`
      this.#facts.push({ term, committedIn: under, seenOn: node })
      return null
    }
    known.committedIn = Math.min(known.committedIn, under)
    if (known.term === term) return null
    return `entry ${index} is committed with term ${term}, with ${known.term} on n${known.seenOn}`
  }

  /** An entry that a leader sends: equal (index, term) is an equal entry behind an equal one. */
  send(index: Index, term: Term, previousTerm: Term, checksum: number): string | null {
    const key = `${index}:${term}`
    const known = this.#sent.get(key)
    if (known === undefined) {
      this.#sent.set(key, { checksum, previousTerm })
      return null
    }
    if (known.checksum !== checksum) return `two entries at index ${index}, term ${term}`
    if (known.previousTerm !== previousTerm)
      return `entry ${index}, term ${term} follows terms ${known.previousTerm} and ${previousTerm}`
    return null
  }

  previousTermOf(index: Index, term: Term): Term | null {
    return this.#sent.get(`${index}:${term}`)?.previousTerm ?? null
  }

  digest(index: Index, digest: number, node: NodeId): string | null {
    const known = this.#digests.get(index)
    if (known === undefined) this.#digests.set(index, { digest, node })
    else if (known.digest !== digest)
      return `the state at index ${index} is not the one of n${known.node}`
    return null
  }

  /** All that a replica holds behind the entry at `index`. */
  state(index: Index, checksum: number, node: NodeId): string | null {
    const known = this.#states.get(index)
    if (known === undefined) this.#states.set(index, { checksum, node })
    else if (known.checksum !== checksum) return `holds other keys at ${index} than n${known.node}`
    return null
  }

  payload(index: Index, checksum: number, node: NodeId): string | null {
    const known = this.#payloads.get(index)
    if (known === undefined) this.#payloads.set(index, { checksum, node })
    else if (known.checksum !== checksum)
      return `applies another command at index ${index} than n${known.node} did`
    return null
  }

  lead(term: Term, node: NodeId): string | null {
    const known = this.#leaders.get(term)
    if (known === undefined) this.#leaders.set(term, node)
    else if (known !== node) return `leads term ${term}, which n${known} led`
    return null
  }

  vote(node: NodeId, term: Term, candidate: NodeId): string | null {
    const key = `${node}:${term}`
    const known = this.#votes.get(key)
    if (known === undefined) this.#votes.set(key, candidate)
    else if (known !== candidate) return `voted for n${known} and for n${candidate} in term ${term}`
    return null
  }

  votedFor(node: NodeId, term: Term): NodeId | null {
    return this.#votes.get(`${node}:${term}`) ?? null
  }
}
