// Broken invariants end the process: a stopped replica is repaired, a wrong one spreads.

/** What `assert` throws. Nobody catches it but the roof, which logs it and exits with 70. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure'
}

/**
 * States an invariant. Stays on in production.
 *
 * @param message what was expected, with the numbers; build it lazily in hot paths
 */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionFailure(typeof message === 'string' ? message : message())
}

/** Marks a branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${String(value)}`)
}
