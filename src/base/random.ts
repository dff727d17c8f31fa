// The port for chance.

export interface Random {
  /** A whole number in [0, bound). */
  below(bound: number): number
  /** `count` random bytes. */
  bytes(count: number): Uint8Array
}
