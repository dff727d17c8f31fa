// The client in Go where the contract does not lead it: beside nodes that answer what real ones seldom do.

import { test } from 'node:test'
import { go } from './languages/go.ts'
import { make } from './languages/language.ts'

const skip = go.missing()

test('the client in Go is vetted and bears what nodes seldom answer', { skip }, () => {
  make('go', 'check')
})
