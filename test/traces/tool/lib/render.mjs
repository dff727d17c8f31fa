// biome-ignore-all lint/complexity/noExcessiveLinesPerFunction: one switch over all kinds reads best whole
// biome-ignore-all lint/suspicious/useIterableCallbackReturn: push returns a length that nobody takes
// The inverse of output.mjs: print events in the traces' own notation. Used to prove that
// the parser drops nothing (parse, print, compare text) and to show readable mismatches.
import { APPEND_THREAD, APPLY_THREAD, ERROR_CODES } from './output.mjs'

const target = t =>
  t === APPEND_THREAD || t === APPLY_THREAD ? t : t === 0 ? 'None' : t.toString(16)
const list = xs => `[${xs.join(' ')}]`
const OPS = { addVoter: 'v', addLearner: 'l', remove: 'r', update: 'u' }

export function quote(s) {
  let out = '"'
  for (const ch of s) {
    const c = ch.codePointAt(0)
    const short = {
      '\n': '\\n',
      '\t': '\\t',
      '\r': '\\r',
      '\x07': '\\a',
      '\b': '\\b',
      '\f': '\\f',
      '\v': '\\v',
      '\\': '\\\\',
      '"': '\\"',
    }[ch]
    out += short ?? (c < 0x20 || c === 0x7f ? `\\x${c.toString(16).padStart(2, '0')}` : ch)
  }
  return `${out}"`
}

export function renderEntry(e) {
  const tail =
    e.type === 'Normal'
      ? quote(e.data ?? '')
      : (e.changes ?? []).map(c => `${OPS[c.type]}${c.nodeId}`).join(' ')
  return `${e.term}/${e.index} Entry${e.type}${tail === '' ? '' : ` ${tail}`}`
}
export function renderConfState(cs) {
  return `Voters:${list(cs.voters)} VotersOutgoing:${list(cs.votersOutgoing)} Learners:${list(cs.learners)} LearnersNext:${list(cs.learnersNext)} AutoLeave:${cs.autoLeave}`
}
export const renderSnapshot = s =>
  `Index:${s.index} Term:${s.term} ConfState:${renderConfState(s.confState)}`
export const renderHardState = h =>
  `Term:${h.term}${h.vote ? ` Vote:${h.vote}` : ''} Commit:${h.commit}`

export function renderMessage(m, pad = '') {
  let s = `${pad}${target(m.from)}->${target(m.to)} ${m.type} Term:${m.term} Log:${m.logTerm}/${m.index}`
  if (m.reject) s += ` Rejected (Hint: ${m.rejectHint})`
  if (m.commit) s += ` Commit:${m.commit}`
  if (m.vote) s += ` Vote:${m.vote}`
  if (m.entries.length === 1) s += ` Entries:[${renderEntry(m.entries[0])}]`
  else if (m.entries.length > 1)
    s += ` Entries:[${m.entries.map(e => `\n${pad}  ${renderEntry(e)}`).join('')}\n${pad}]`
  if (m.snapshot) s += `\n${pad}  Snapshot: ${renderSnapshot(m.snapshot)}`
  if (m.responses?.length)
    s += ` Responses:[${m.responses.map(r => `\n${renderMessage(r, `${pad}  `)}`).join('')}\n${pad}]`
  return s
}

export function renderProgress(p) {
  let s = `${p.id}: State${p.state} match=${p.match} next=${p.next}`
  if (p.isLearner) s += ' learner'
  if (p.paused) s += ' paused'
  if (p.pendingSnapshot) s += ` pendingSnap=${p.pendingSnapshot}`
  if (!p.recentActive) s += ' inactive'
  if (p.inflight) s += ` inflight=${p.inflight}${p.inflightFull ? '[full]' : ''}`
  return s
}

export function renderConfig(c) {
  const set = xs => `(${xs.map(x => x.toString(16)).join(' ')})`
  return (
    `voters=${set(c.voters)}${c.votersOutgoing.length ? `&&${set(c.votersOutgoing)}` : ''}` +
    `${c.learners.length ? ` learners=${set(c.learners)}` : ''}${c.learnersNext.length ? ` learners_next=${set(c.learnersNext)}` : ''}${c.autoLeave ? ' autoleave' : ''}`
  )
}

const HEADS = {
  ready: 'handling Ready',
  receive: 'receiving messages',
  append: 'processing append thread',
  apply: 'processing apply thread',
}

function lines(events) {
  const out = []
  const push = text => out.push(...text.split('\n'))
  for (const ev of events) {
    switch (ev.t) {
      case 'section':
        push(`> ${ev.node} ${HEADS[ev.what]}`)
        for (const l of lines(ev.events)) out.push(`  ${l}`)
        break
      case 'log':
        push(`${ev.level} ${ev.text}`)
        break
      case 'emptyReady':
        push('<empty Ready>')
        break
      case 'ready':
        push(`Ready MustSync=${ev.mustSync}:`)
        if (ev.softState) push(`Lead:${ev.softState.lead} State:State${ev.softState.role}`)
        if (ev.hardState) push(`HardState ${renderHardState(ev.hardState)}`)
        if (ev.readStates.length)
          push(
            `ReadStates [${ev.readStates.map(r => `{${r.index} [${[...r.ctx].map(c => c.charCodeAt(0)).join(' ')}]}`).join(' ')}]`,
          )
        if (ev.entries.length) {
          push('Entries:')
          ev.entries.forEach(e => push(renderEntry(e)))
        }
        if (ev.snapshot) push(`Snapshot ${renderSnapshot(ev.snapshot)}`)
        if (ev.committedEntries.length) {
          push('CommittedEntries:')
          ev.committedEntries.forEach(e => push(renderEntry(e)))
        }
        if (ev.messages.length) {
          push('Messages:')
          ev.messages.forEach(m => push(renderMessage(m)))
        }
        break
      case 'message':
        push(renderMessage(ev.msg))
        break
      case 'dropped':
        push(`dropped: ${renderMessage(ev.msg)}`)
        break
      case 'processing':
        push('Processing:')
        push(renderMessage(ev.msg))
        break
      case 'responses':
        push('Responses:')
        ev.msgs.forEach(m => push(renderMessage(m)))
        break
      case 'logEntry':
        push(renderEntry(ev.entry))
        break
      case 'logEmpty':
        push(`log is empty: first index=${ev.first}, last index=${ev.last}`)
        break
      case 'progress':
        push(renderProgress(ev))
        break
      case 'raftState':
        push(
          `${ev.id}: State${ev.role} (${ev.voter ? 'Voter' : 'Non-Voter'}) Term:${ev.term} Lead:${ev.lead}`,
        )
        break
      case 'noMessages':
        push('no messages')
        break
      case 'noWork':
        push(`no ${ev.which} work to perform`)
        break
      case 'error':
        push(ev.text ?? Object.keys(ERROR_CODES).find(k => ERROR_CODES[k] === ev.code) ?? ev.code)
        break
      default:
        throw new Error(`unknown event ${ev.t}`)
    }
  }
  return out
}

/** Print events as expected output. An empty list prints as "ok". */
export function renderEvents(events) {
  const out = lines(events)
  return out.length ? out.join('\n') : 'ok'
}
