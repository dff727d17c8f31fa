// One line of CLIENT LIST, with what is true here. Figures that only Redis' own buffers have are 0.

import type { Desk } from '../desk.ts'
import type { Session } from '../session.ts'

function flagsOf(desk: Desk, session: Session): string {
  let flags = ''
  if (session.subscribed) flags += 'P'
  if (session.transaction !== null) flags += 'x'
  if (isBlocked(desk, session)) flags += 'b'
  if (session.readonly) flags += 'r'
  if (session.noEvict) flags += 'e'
  if (session.noTouch) flags += 'T'
  if (session.closing !== null) flags += 'c'
  return flags === '' ? 'N' : flags
}

/** Bytes that wait in the doors for one client: half received, and not written yet. */
function waitingBytes(session: Session): { readonly input: number; readonly output: number } {
  return session.client.buffers?.() ?? { input: 0, output: 0 }
}

/** Bytes that wait in the doors for all clients. */
export function clientBytes(desk: Desk): number {
  let bytes = 0
  for (const session of desk.sessions.values()) {
    const { input, output } = waitingBytes(session)
    bytes += input + output
  }
  return bytes
}

/** Whether a command of the session waits: for data, for others, or for the end of a pause. */
export function isBlocked(desk: Desk, session: Session): boolean {
  return session.blocked.size > 0 || desk.pause.keeps(session)
}

export function clientLine(desk: Desk, session: Session): string {
  const { listener, options } = session
  const now = desk.ports.clock.monotonic()
  const { input, output } = waitingBytes(session)
  const seconds = (since: number) => Math.max(0, Math.floor((now - since) / 1000))
  return [
    `id=${session.id}`,
    `addr=${options.address}`,
    `laddr=${options.localAddress}`,
    'fd=-1',
    `name=${session.name}`,
    `age=${seconds(session.connectedAt)}`,
    `idle=${seconds(session.lastAt)}`,
    `flags=${flagsOf(desk, session)}`,
    `db=0 sub=${listener?.channels.size ?? 0} psub=${listener?.patterns.size ?? 0} ssub=${listener?.shardChannels.size ?? 0}`,
    `multi=${session.transaction?.steps.length ?? -1} watch=${session.watch?.count ?? 0}`,
    `qbuf=${input} qbuf-free=0 argv-mem=0 multi-mem=${session.transaction?.bytes ?? 0}`,
    `rbs=0 rbp=0 obl=${output} oll=0 omem=${output} omem-shared=0 omem-unshared=0 tot-mem=${input + output} events=r`,
    `cmd=${session.lastCommand}`,
    'user=default redir=-1',
    `resp=${session.protocol}`,
    `lib-name=${session.libName}`,
    `lib-ver=${session.libVersion}`,
    'io-thread=0',
    `tot-net-in=${session.bytesIn}`,
    `tot-net-out=${session.bytesOut}`,
    `tot-cmds=${session.commandCount}`,
    'read-events=0 avg-pipeline-len-sum=0 avg-pipeline-len-cnt=0',
  ].join(' ')
}
