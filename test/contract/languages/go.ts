// examples/go.

import { directory, exists, has, type Language, make } from './language.ts'

export const go: Language = {
  name: 'go',
  missing() {
    if (!exists('go', 'Makefile')) return 'there is no client in Go yet'
    if (!has('make', '--version')) return 'there is no make'
    return has('go', 'version') ? false : 'there is no go'
  },
  build: () => make('go'),
  command: [`${directory('go')}main`],
}
