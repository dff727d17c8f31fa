// The hash by which nodes tell each other of channels: 52 bits, which a number holds.
//
// Two channels with one hash cost a message that nobody there wants, and nothing
// else: the node that gets it looks by name. So the hash need not be secret.

const MULTIPLIER_LOW = 0x85ebca6b
const MULTIPLIER_HIGH = 0xc2b2ae35
const SEED_LOW = 0x9e3779b1
const SEED_HIGH = 0x27d4eb2f
const HIGH_BITS = 0xfffff
const HIGH_SCALE = 0x1_0000_0000

/** @param name one character a byte (latin1) */
export function channelHash(name: string): number {
  let low = SEED_LOW ^ name.length
  let high = SEED_HIGH
  for (let i = 0; i < name.length; i += 1) {
    const byte = name.charCodeAt(i)
    low = Math.imul(low ^ byte, MULTIPLIER_LOW)
    high = Math.imul(high ^ byte, MULTIPLIER_HIGH)
    low ^= low >>> 15
    high ^= high >>> 13
  }
  low = Math.imul(low ^ (high >>> 16), MULTIPLIER_HIGH)
  high = Math.imul(high ^ (low >>> 13), MULTIPLIER_LOW)
  low ^= low >>> 16
  high ^= high >>> 15
  return (high & HIGH_BITS) * HIGH_SCALE + (low >>> 0)
}
