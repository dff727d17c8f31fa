// examples/python: on asyncio and grpcio.

import { directory, has, type Language, make } from './language.ts'

/** Debian's, which has grpcio from Debian, unless another is named. */
export const { SLOTCAST_PYTHON: PYTHON = '/usr/bin/python3' } = process.env

export const python: Language = {
  name: 'python',
  missing() {
    if (!has('make', '--version')) return 'there is no make'
    if (!has(PYTHON, '-c', 'import asyncio, grpc.aio, google.protobuf; asyncio.TaskGroup'))
      return `${PYTHON} is not there, is older than 3.11, or has no grpcio`
    const canMake = has(PYTHON, '-c', 'import grpc_tools') || has('which', 'grpc_python_plugin')
    return canMake ? false : 'neither grpcio-tools nor protoc with grpc_python_plugin is here'
  },
  build: () => make('python', `PYTHON=${PYTHON}`, 'gen'),
  command: [PYTHON, `${directory('python')}main.py`],
}
