// Compares what a trace expects with what an adapter did, fact by fact.
import { logFacts } from './output.mjs'
import {
  renderConfig,
  renderEntry,
  renderEvents,
  renderHardState,
  renderMessage,
  renderSnapshot,
} from './render.mjs'

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)
/** JSON with sorted keys, so that the order of properties does not matter. */
const canon = v =>
  JSON.stringify(v, (_k, x) =>
    x && typeof x === 'object' && !Array.isArray(x)
      ? Object.fromEntries(
          Object.entries(x)
            .filter(([, y]) => y !== undefined)
            .sort(([p], [q]) => (p < q ? -1 : 1)),
        )
      : x,
  )
const equal = (a, b) => canon(a) === canon(b)

const sortedConf = c => ({
  voters: [...c.voters].sort((a, b) => a - b),
  votersOutgoing: [...c.votersOutgoing].sort((a, b) => a - b),
  learners: [...c.learners].sort((a, b) => a - b),
  learnersNext: [...c.learnersNext].sort((a, b) => a - b),
  autoLeave: c.autoLeave,
})
const normMsg = m => {
  const { responses, ...rest } = m
  if (rest.snapshot)
    rest.snapshot = { ...rest.snapshot, confState: sortedConf(rest.snapshot.confState) }
  return rest
}

/** Pair up the items of two lists by signature (longest common subsequence). */
function align(a, b, sig) {
  const x = a.map(sig)
  const y = b.map(sig)
  if (same(x, y)) return a.map((v, k) => [v, b[k]])
  const len = Array.from({ length: x.length + 1 }, () => new Int32Array(y.length + 1))
  for (let i = x.length - 1; i >= 0; i--)
    for (let j = y.length - 1; j >= 0; j--)
      len[i][j] = x[i] === y[j] ? len[i + 1][j + 1] + 1 : Math.max(len[i + 1][j], len[i][j + 1])
  const pairs = []
  let i = 0
  let j = 0
  while (i < x.length || j < y.length) {
    if (i < x.length && j < y.length && x[i] === y[j]) pairs.push([a[i++], b[j++]])
    else if (j >= y.length || (i < x.length && len[i + 1][j] >= len[i][j + 1]))
      pairs.push([a[i++], undefined])
    else pairs.push([undefined, b[j++]])
  }
  return pairs
}

const signature = ev => {
  switch (ev.t) {
    case 'section':
      return `section ${ev.node} ${ev.what}`
    case 'ready':
    case 'emptyReady':
      return 'ready'
    case 'message':
    case 'dropped':
    case 'processing':
      return `${ev.t} ${ev.msg.from}>${ev.msg.to} ${ev.msg.type}`
    case 'progress':
    case 'raftState':
      return `${ev.t} ${ev.id}`
    case 'logEntry':
      return `logEntry ${ev.entry.index}`
    case 'noWork':
      return `noWork ${ev.which}`
    default:
      return ev.t
  }
}

export class Comparison {
  /** @param {{ messageOrder?: 'per-destination'|'strict', mustSync?: boolean }} [options] */
  constructor(options = {}) {
    this.options = options
    this.facts = {} // kind -> number of facts in the expectation
    this.mismatches = [] // { kind, where, expected, actual } (texts; undefined: absent)
  }

  count(kind, n = 1) {
    this.facts[kind] = (this.facts[kind] ?? 0) + n
  }
  miss(kind, where, expected, actual) {
    this.mismatches.push({ kind, where, expected, actual })
  }

  /** One fact: count it if expected, report it if it differs. */
  fact(kind, where, expected, actual, render = v => JSON.stringify(v)) {
    if (expected !== undefined) this.count(kind)
    if (!equal(expected, actual))
      this.miss(
        kind,
        where,
        expected === undefined ? undefined : render(expected),
        actual === undefined ? undefined : render(actual),
      )
  }

  list(kind, where, expected, actual, render) {
    for (let k = 0; k < Math.max(expected.length, actual.length); k++)
      this.fact(kind, where, expected[k], actual[k], render)
  }

  message(kind, where, expected, actual) {
    this.fact(kind, where, expected && normMsg(expected), actual && normMsg(actual), renderMessage)
    const re = expected?.responses ?? []
    const ra = actual?.responses ?? []
    if (re.length || ra.length) this.messages('response', `${where}, responses`, re, ra)
  }

  messages(kind, where, expected, actual) {
    const key = m => (this.options.messageOrder === 'strict' ? '' : `${m.to}`)
    const dests = new Set([...expected, ...actual].map(key))
    for (const d of dests) {
      const e = expected.filter(m => key(m) === d)
      const a = actual.filter(m => key(m) === d)
      for (const [x, y] of align(e, a, m => `${m.from}>${m.to} ${m.type}`))
        this.message(kind, where, x, y)
    }
  }

  ready(where, e, a) {
    if (e.t === 'emptyReady' || a.t === 'emptyReady') {
      if (e.t === 'emptyReady') this.count('emptyReady')
      if (e.t !== a.t)
        this.miss('emptyReady', where, renderEvents([e]), renderEvents([fillReady(a)]))
      return
    }
    this.fact(
      'softState',
      where,
      e.softState,
      a.softState,
      s => `Lead:${s.lead} State:State${s.role}`,
    )
    this.fact('hardState', where, e.hardState, a.hardState, h => `HardState ${renderHardState(h)}`)
    if (a.mustSync !== undefined && this.options.mustSync !== false)
      this.fact('mustSync', where, e.mustSync, a.mustSync, b => `MustSync=${b}`)
    this.list('readState', where, e.readStates, a.readStates)
    this.list('entry', `${where}, entries`, e.entries, a.entries, renderEntry)
    this.list(
      'committedEntry',
      `${where}, committed entries`,
      e.committedEntries,
      a.committedEntries,
      renderEntry,
    )
    const conf = s => s && { ...s, confState: sortedConf(s.confState) }
    this.fact('snapshot', where, conf(e.snapshot), conf(a.snapshot), renderSnapshot)
    this.messages('message', `${where}, messages`, e.messages, a.messages)
  }

  /** Compare two lists of events. */
  events(where, expected, actual) {
    const facts = evs => evs.filter(ev => ev.t !== 'log')
    for (const [e, a] of align(facts(expected), facts(actual), signature)) {
      const one = e ?? a
      const at = one.t === 'section' ? `${where}> ${one.node} ${one.what}` : where
      if (!e || !a) {
        const kind = one.t === 'emptyReady' ? 'ready' : one.t
        if (e) this.countAll(e)
        this.miss(kind, at, e && renderEvents([e]), a && renderEvents([fillReady(a)]))
        continue
      }
      switch (e.t) {
        case 'section':
          this.count('section')
          this.events(`${at} `, e.events, a.events)
          break
        case 'ready':
        case 'emptyReady':
          this.ready(`${where}Ready`, e, a)
          break
        case 'message':
          this.message('received', `${where}delivery`, e.msg, a.msg)
          break
        case 'dropped':
          this.message('dropped', `${where}drop`, e.msg, a.msg)
          break
        case 'processing':
          this.message('storageWork', `${where}storage work`, e.msg, a.msg)
          break
        case 'responses':
          this.messages('response', `${where}responses`, e.msgs, a.msgs)
          break
        case 'logEntry':
          this.fact('logEntry', `${where}raft log`, e.entry, a.entry, renderEntry)
          break
        case 'error':
          this.count('error')
          if (e.code !== 'OTHER' && e.code !== a.code) this.miss('error', where, e.text, a.code)
          break
        default: {
          this.count(e.t)
          if (!equal(e, a)) this.miss(e.t, where, renderEvents([e]), renderEvents([a]))
        }
      }
    }
  }

  /** Count the facts of an expected event that nothing answered to. */
  countAll(ev) {
    new Counter(this).events([ev])
  }

  /** What log lines say about roles, terms and configurations when the directive has ended. */
  after(where, expected, statusOf) {
    const { roles, configs } = logFacts(expected)
    for (const [id, r] of roles) {
      const s = statusOf(id)
      this.fact(
        'roleAfter',
        `${where}node ${id} afterwards`,
        r,
        s && { role: s.role, term: Number(s.term) },
        x => `${x.role} at term ${x.term}`,
      )
    }
    for (const [id, c] of configs) {
      const s = statusOf(id)
      this.fact(
        'configAfter',
        `${where}node ${id} afterwards`,
        sortedConf(c),
        s?.config,
        renderConfig,
      )
    }
  }
}

const fillReady = ev =>
  ev.t === 'ready'
    ? { mustSync: '?', readStates: [], entries: [], committedEntries: [], messages: [], ...ev }
    : ev

/** Counts the facts of expected events without comparing them to anything. */
export class Counter {
  constructor(into = new Comparison()) {
    this.c = into
  }
  events(events) {
    for (const ev of events) {
      switch (ev.t) {
        case 'log':
          break
        case 'section':
          this.c.count('section')
          this.events(ev.events)
          break
        case 'emptyReady':
          this.c.count('emptyReady')
          break
        case 'ready':
          if (ev.softState) this.c.count('softState')
          if (ev.hardState) this.c.count('hardState')
          this.c.count('mustSync')
          this.n('readState', ev.readStates.length)
          this.n('entry', ev.entries.length)
          this.n('committedEntry', ev.committedEntries.length)
          if (ev.snapshot) this.c.count('snapshot')
          this.msgs('message', ev.messages)
          break
        case 'message':
          this.msgs('received', [ev.msg])
          break
        case 'dropped':
          this.msgs('dropped', [ev.msg])
          break
        case 'processing':
          this.msgs('storageWork', [ev.msg])
          break
        case 'responses':
          this.msgs('response', ev.msgs)
          break
        default:
          this.c.count(ev.t)
      }
    }
    return this.c
  }
  after(events) {
    const { roles, configs } = logFacts(events)
    this.n('roleAfter', roles.size)
    this.n('configAfter', configs.size)
  }
  n(kind, k) {
    if (k) this.c.count(kind, k)
  }
  msgs(kind, list) {
    for (const m of list) {
      this.c.count(kind)
      if (m.responses?.length) this.msgs('response', m.responses)
    }
  }
}
