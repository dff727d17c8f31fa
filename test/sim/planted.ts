// Bugs that were put into the product on purpose, one at a time: each must be caught.

export type Planted = {
  readonly name: string
  /** What is wrong, and where it is written that it must not be. */
  readonly what: string
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[]
  /** What catches it. */
  readonly caughtBy: { readonly seeds: string } | { readonly tests: string }
}

export const PLANTED: readonly Planted[] = []
