// A queue whose ends cost the same however long it is.

/** What was taken before the array is cut. */
const CUT = 1_024

export class Fifo<T> {
  #items: (T | undefined)[] = []
  #from = 0

  get length(): number {
    return this.#items.length - this.#from
  }

  push(item: T): void {
    this.#items.push(item)
  }

  peek(): T | undefined {
    return this.#items[this.#from]
  }

  shift(): T | undefined {
    if (this.#from === this.#items.length) return undefined
    const item = this.#items[this.#from]
    this.#items[this.#from] = undefined
    this.#from += 1
    if (this.#from === this.#items.length) {
      this.#items.length = 0
      this.#from = 0
    } else if (this.#from >= CUT && this.#from * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#from)
      this.#from = 0
    }
    return item
  }

  /** Takes all, oldest first. */
  drain(): T[] {
    const items = this.#items.slice(this.#from) as T[]
    this.#items = []
    this.#from = 0
    return items
  }
}
