// A peer in a process of its own, to be stopped and killed by a test: peer-process.ts ID PORT...

import { End } from './end.ts'

const [id, ...ports] = process.argv.slice(2).map(Number)
const end = new End(id ?? 0, ports)
end.open().catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
process.on('disconnect', () => process.exit(0))
