// What a command answers, as plain values.

/** An error within a larger answer. */
export class ErrorValue {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Keys and values in the order in which the command gave them. */
export class Pairs {
  /** Key, value, key, value. */
  readonly items: readonly Value[]

  constructor(items: readonly Value[]) {
    this.items = items
  }

  /** The value of a key that is text. */
  get(key: string): Value | undefined {
    for (let i = 0; i < this.items.length; i += 2)
      if (String(this.items[i]) === key) return this.items[i + 1]
    return undefined
  }
}

/** Numbers beyond 2^53 are bigint. Strings of bytes are text or Buffer, as the call asked. */
export type Value = null | string | number | bigint | Buffer | ErrorValue | Pairs | readonly Value[]
