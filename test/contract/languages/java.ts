// examples/java.

import { directory, exists, has, type Language, make } from './language.ts'

export const java: Language = {
  name: 'java',
  missing() {
    if (!exists('java', 'Makefile')) return 'there is no client in Java yet'
    if (!has('make', '--version')) return 'there is no make'
    return has('javac', '-version') ? false : 'there is no javac'
  },
  build: () => make('java'),
  command: [`${directory('java')}main`],
}
