// What happens to a leader, and how it comes back.

import type { LocalNode } from '../chaos/cluster.ts'

export type Fault = {
  readonly name: string
  strike(node: LocalNode): Promise<void>
  heal(node: LocalNode): void
}

/** Its connections break. */
export const KILLED: Fault = {
  name: 'killed',
  strike: node => node.kill(),
  heal: node => node.start(),
}

/** Its connections stay, and nothing comes: only the silence tells. */
export const PAUSED: Fault = {
  name: 'paused',
  strike: async node => node.signal('SIGSTOP'),
  heal: node => node.signal('SIGCONT'),
}

/** It hands over, says that it goes, and settles what it owes. */
export const STOPPED: Fault = {
  name: 'stopped',
  strike: async node => {
    await node.terminate()
  },
  heal: node => node.start(),
}
