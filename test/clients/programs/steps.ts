// What the programs in TypeScript share: their arguments, their lines, and the loops that every user writes.

import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long a user tries again after an exception. */
const AGAIN_MS_MAX = 30_000
const AGAIN_PAUSE_MS = 50
const POLL_MS = 10

export type Step = () => Promise<void>
export type Address = { readonly host: string; readonly port: number }

const [addresses = '', keys = ''] = process.argv.slice(2)

export const ADDRESSES: readonly Address[] = addresses.split(',').map(address => {
  const [host = '', port = ''] = address.split(':')
  return { host, port: Number(port) }
})
export const KEYS: readonly string[] = keys.split(',')

/** What comes before the kill and after it, by the names of the steps. */
export type Steps = { readonly before: Record<string, Step>; readonly after: Record<string, Step> }

/** Goes through all steps and ends the process. */
export async function go({ before, after }: Steps): Promise<never> {
  try {
    await all(before)
    const killed = heard('killed')
    tell('waiting')
    await killed
    await all(after)
    tell('done')
  } catch (error) {
    console.error(error)
    process.exit(1)
  }
  process.exit(0)
}

async function all(steps: Record<string, Step>): Promise<void> {
  for (const [name, step] of Object.entries(steps)) {
    await step()
    tell(name)
  }
}

function tell(step: string): void {
  console.log(JSON.stringify({ step }))
}

function heard(word: string): Promise<void> {
  return new Promise(resolve => {
    createInterface(process.stdin).on('line', line => {
      if (line === word) resolve()
    })
  })
}

/** Does it again after an exception, as every user does. */
export async function again<T>(attempt: () => Promise<T>): Promise<T> {
  const end = performance.now() + AGAIN_MS_MAX
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > end) throw error
      await sleep(AGAIN_PAUSE_MS)
    }
  }
}

/** Waits until it holds. @throws when it does not */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  pauseMs = POLL_MS,
): Promise<void> {
  const end = performance.now() + AGAIN_MS_MAX
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${AGAIN_MS_MAX} ms`)
    await sleep(pauseMs)
  }
}
