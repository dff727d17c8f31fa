// Keys and what they hold, as plain as can be: the state of the model that histories are judged by.

export type Answer = string | number | null | readonly Answer[] | object

export type ListValue = { readonly kind: 'list'; readonly items: readonly string[] }
/** Members in order, so that equal sets are equal texts. */
export type SetValue = { readonly kind: 'set'; readonly items: readonly string[] }
export type TextValue = {
  readonly kind: 'text'
  readonly text: string
  readonly dies: Death | null
}
type Value = ListValue | SetValue | TextValue

/** When a key's time comes: not before, and not after. */
export type Death = { readonly from: number; readonly to: number }

/** When a deed took effect: not before, and not after. */
export type Moment = { readonly from: number; readonly to: number }

export type Result = { readonly answer: Answer; readonly state: State }

/** Never changes. */
export class State {
  readonly #values: ReadonlyMap<string, Value>
  #text: string | null = null

  constructor(values: ReadonlyMap<string, Value>) {
    this.#values = values
  }

  get(key: string): Value | null {
    return this.#values.get(key) ?? null
  }

  list(key: string): readonly string[] {
    const value = this.get(key)
    return value?.kind === 'list' ? value.items : []
  }

  set(key: string): readonly string[] {
    const value = this.get(key)
    return value?.kind === 'set' ? value.items : []
  }

  with(key: string, value: Value | null): State {
    const values = new Map(this.#values)
    const isEmpty = value === null || (value.kind !== 'text' && value.items.length === 0)
    if (isEmpty) values.delete(key)
    else values.set(key, value)
    return new State(values)
  }

  /** Equal for equal states. */
  text(): string {
    this.#text ??= JSON.stringify([...this.#values].sort(([a], [b]) => (a < b ? -1 : 1)))
    return this.#text
  }
}

export function isSame(a: Answer, b: Answer): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}

export type Handler = (
  state: State,
  words: readonly string[],
  moment: Moment,
  wanted?: Answer,
) => Result[]

export function only(answer: Answer, state: State): Result[] {
  return [{ answer, state }]
}
