// The names that one call of `add` brought: it is done when all of them stand.

export class TopicGroup {
  readonly done: Promise<void>
  #resolve: () => void = () => {}
  #reject: (error: Error) => void = () => {}
  #open: number

  constructor(names: number) {
    this.#open = names
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Whoever does not wait for it does not mind.
    this.done.catch(() => {})
    if (names === 0) this.#resolve()
  }

  /** One of them stands, or is not wanted any more. */
  stood(): void {
    this.#open -= 1
    if (this.#open === 0) this.#resolve()
  }

  refused(error: Error): void {
    this.#reject(error)
  }
}
