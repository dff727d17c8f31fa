// A log store in memory with the read interface that an etcd-style core expects of its
// storage. Adapters may use it, or bring the store that the core comes with.

export class StorageError extends Error {
  /** @param {'COMPACTED'|'UNAVAILABLE'|'SNAP_OUT_OF_DATE'} code */
  constructor(code, message) {
    super(message ?? code)
    this.code = code
  }
}

export class MemoryStorage {
  /**
   * @param {object} [opts]
   * @param {() => any} [opts.latestSnapshot] what snapshot() returns; the stored snapshot by default
   * @param {(entry: any) => number} [opts.entrySize] size of an entry for the maxSize of entries()
   */
  constructor(opts = {}) {
    this.opts = opts
    this.hardState = { term: 0, vote: 0, commit: 0 }
    this.base = { index: 0, term: 0 } // the compacted entry just before the first one held
    this.log = [] // log[k] has index base.index + 1 + k
    this.snap = {
      index: 0,
      term: 0,
      confState: {
        voters: [],
        votersOutgoing: [],
        learners: [],
        learnersNext: [],
        autoLeave: false,
      },
      data: '',
    }
  }

  initialState() {
    return { hardState: { ...this.hardState }, confState: structuredClone(this.snap.confState) }
  }
  firstIndex() {
    return this.base.index + 1
  }
  lastIndex() {
    return this.base.index + this.log.length
  }

  term(index) {
    if (index < this.base.index)
      throw new StorageError(
        'COMPACTED',
        `term(${index}) but the log starts at ${this.firstIndex()}`,
      )
    if (index === this.base.index) return this.base.term
    if (index > this.lastIndex())
      throw new StorageError(
        'UNAVAILABLE',
        `term(${index}) but the log ends at ${this.lastIndex()}`,
      )
    return this.log[index - this.base.index - 1].term
  }

  /** Entries in [lo, hi), at least one, no more than maxSize in total. */
  entries(lo, hi, maxSize = Infinity) {
    if (lo <= this.base.index)
      throw new StorageError(
        'COMPACTED',
        `entries(${lo}, ${hi}) but the log starts at ${this.firstIndex()}`,
      )
    if (hi > this.lastIndex() + 1)
      throw new StorageError(
        'UNAVAILABLE',
        `entries(${lo}, ${hi}) but the log ends at ${this.lastIndex()}`,
      )
    const all = this.log.slice(lo - this.base.index - 1, hi - this.base.index - 1)
    if (maxSize === Infinity) return all
    const size = this.opts.entrySize ?? (e => 16 + (e.data?.length ?? 0))
    let total = 0
    let n = 0
    while (n < all.length && (n === 0 || total + size(all[n]) <= maxSize)) total += size(all[n++])
    return all.slice(0, n)
  }

  snapshot() {
    return structuredClone(this.opts.latestSnapshot ? this.opts.latestSnapshot() : this.snap)
  }

  setHardState(hs) {
    this.hardState = { ...hs }
  }

  /** Replace everything with a snapshot. */
  applySnapshot(snap) {
    if (this.snap.index !== 0 && this.snap.index >= snap.index)
      throw new StorageError(
        'SNAP_OUT_OF_DATE',
        `snapshot ${snap.index} is not newer than ${this.snap.index}`,
      )
    this.snap = structuredClone(snap)
    this.base = { index: snap.index, term: snap.term }
    this.log = []
  }

  /** Append, replacing everything from the first new index on. */
  append(entries) {
    const add = entries.filter(e => e.index > this.base.index)
    if (add.length === 0) return
    const at = add[0].index - this.base.index - 1
    if (at > this.log.length)
      throw new StorageError(
        'UNAVAILABLE',
        `append at ${add[0].index} leaves a gap after ${this.lastIndex()}`,
      )
    this.log = this.log.slice(0, at).concat(add)
  }

  /** Forget entries up to and including index. */
  compact(index) {
    if (index <= this.base.index)
      throw new StorageError('COMPACTED', `compact(${index}) below ${this.base.index}`)
    if (index > this.lastIndex())
      throw new StorageError('UNAVAILABLE', `compact(${index}) above ${this.lastIndex()}`)
    const term = this.term(index)
    this.log = this.log.slice(index - this.base.index)
    this.base = { index, term }
  }
}
