// examples/go: on grpc-go.

import { missingGo } from '../../go.ts'
import { directory, exists, has, type Language, make } from './language.ts'

export const go: Language = {
  name: 'go',
  missing() {
    if (!exists('go', 'Makefile')) return 'there is no client in Go'
    if (!has('make', '--version')) return 'there is no make'
    if (!has('protoc', '--version')) return 'there is no protoc'
    return missingGo(directory('go'))
  },
  build: () => make('go'),
  command: [`${directory('go')}main`],
}
