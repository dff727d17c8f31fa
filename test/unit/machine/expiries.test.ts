import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Expiries, NO_PLACE } from '../../../src/machine/expiries.ts'
import type { Holder } from '../../../src/machine/holder.ts'
import { Stream } from '../../../src/machine/types/stream.ts'

function holder(number: number, expiry: number): Holder {
  const rest = { changed: 0, used: 0, place: NO_PLACE, slot: 0 }
  const list = { before: null, after: null, died: 0, ...rest }
  return { key: `k${number}`, value: new Stream(), number, expiry, ...list }
}

test('what is due is what a list would say, however times change', () => {
  const step = fc.tuple(fc.nat(15), fc.nat(20))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat(20), (steps, now) => {
      const expiries = new Expiries()
      const all = Array.from({ length: 16 }, (_, i) => holder(i, 0))
      for (const [i, expiry] of steps) {
        const one = all[i] as Holder
        one.expiry = expiry
        if (expiry === 0) expiries.remove(one)
        else expiries.put(one)
      }
      const here = all.filter(one => one.expiry > 0)
      assert.equal(expiries.size, here.length)
      const due = here.filter(one => one.expiry <= now).map(one => one.key)
      assert.deepEqual(new Set(expiries.due(now, 100)), new Set(due))
      assert.equal(expiries.due(now, 3).length, Math.min(3, due.length))
    }),
    { seed: 3 },
  )
})
