// A process port for nodes that are not processes of their own: a kilobyte, and no time.

import type { ProcessPort } from '../src/base/process.ts'

export const idleProcess: ProcessPort = {
  pid: 1,
  os: 'Linux 6.1.0 x86_64',
  executable: '/usr/bin/node',
  engine: 'v24.0.0',
  machineBytes: 1 << 30,
  memory: () => ({ resident: 4096, heap: 512, heapReserved: 2048, buffers: 512 }),
  cpu: () => ({ user: 0, system: 0 }),
  collect: () => {},
  stall: () => {},
}
