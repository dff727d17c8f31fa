// biome-ignore-all lint/complexity/noExcessiveLinesPerFunction: one switch over all kinds reads best whole
// biome-ignore-all lint/suspicious/noAssignInExpressions: a chain of "if this pattern matches" is a scanner
// Parser for the expected-output half of an etcd/raft interaction trace.
// Text in, plain data out: an ordered list of events (see the typedefs in ../adapter.d.ts
// for the shapes of Message, Entry, Snapshot, ...). Free-text log lines become events of
// type "log" and take no part in a comparison, except for the two that state a fact about
// a node (its role and its configuration): see logFacts().

const LEVELS = /^(DEBUG|INFO|WARN|ERROR|FATAL) (.*)$/
const MESSAGE_START = /^\s*\S+->\S+ Msg[A-Za-z]+ Term:/
const ENTRY_START = /^\s*\d+\/\d+ Entry/

/** Cursor over a string, with anchored regular expressions. */
class Scanner {
  constructor(text) {
    this.text = text
    this.pos = 0
  }
  get done() {
    return this.pos >= this.text.length
  }
  /** Try to match re (which must be sticky) here; advance past it. */
  take(re) {
    re.lastIndex = this.pos
    const m = re.exec(this.text)
    if (m) this.pos = re.lastIndex
    return m
  }
  need(re, what) {
    const m = this.take(re)
    if (!m)
      throw new SyntaxError(`expected ${what} at "${this.text.slice(this.pos, this.pos + 60)}"`)
    return m
  }
}

export const APPEND_THREAD = 'AppendThread'
export const APPLY_THREAD = 'ApplyThread'

function target(word) {
  if (word === APPEND_THREAD || word === APPLY_THREAD) return word
  if (word === 'None') return 0
  return parseInt(word, 16) // ids are printed in hexadecimal here
}

/** Undo Go's %q quoting. */
export function unquote(q) {
  let out = ''
  for (let i = 1; i < q.length - 1; i++) {
    if (q[i] !== '\\') {
      out += q[i]
      continue
    }
    const c = q[++i]
    const simple = {
      n: '\n',
      t: '\t',
      r: '\r',
      a: '\x07',
      b: '\b',
      f: '\f',
      v: '\v',
      '\\': '\\',
      '"': '"',
      "'": "'",
    }[c]
    if (simple !== undefined) {
      out += simple
      continue
    }
    const len = { x: 2, u: 4, U: 8 }[c]
    if (!len) throw new SyntaxError(`unknown escape \\${c}`)
    out += String.fromCodePoint(parseInt(q.slice(i + 1, i + 1 + len), 16))
    i += len
  }
  return out
}

const CHANGE_TYPES = { v: 'addVoter', l: 'addLearner', r: 'remove', u: 'update' }
/** "v1 l2 r3" -> [{type:'addVoter',nodeId:1}, ...] */
export function parseChanges(text) {
  const words = text.trim().split(/\s+/).filter(Boolean)
  return words.map(w => {
    const type = CHANGE_TYPES[w[0]]
    if (!type || !/^\d+$/.test(w.slice(1))) throw new SyntaxError(`bad configuration change "${w}"`)
    return { type, nodeId: Number(w.slice(1)) }
  })
}

function scanEntry(sc) {
  const m = sc.need(/ *(\d+)\/(\d+) (EntryNormal|EntryConfChangeV2|EntryConfChange)/y, 'an entry')
  const entry = { term: Number(m[1]), index: Number(m[2]), type: m[3].slice('Entry'.length) }
  const quoted = sc.take(/ ("(?:[^"\\]|\\.)*")/y)
  if (quoted) entry.data = unquote(quoted[1])
  else {
    const ops = sc.take(/((?: [vlru]\d+)+)/y)
    if (entry.type === 'Normal') entry.data = ''
    else entry.changes = parseChanges(ops ? ops[1] : '')
  }
  return entry
}

export function parseEntry(line) {
  const sc = new Scanner(line)
  const e = scanEntry(sc)
  if (!sc.done) throw new SyntaxError(`trailing text after entry: "${line}"`)
  return e
}

const ids = s => s.trim().split(/\s+/).filter(Boolean).map(Number)
function scanSnapshot(sc) {
  const m = sc.need(
    /Index:(\d+) Term:(\d+) ConfState:Voters:\[([^\]]*)\] VotersOutgoing:\[([^\]]*)\] Learners:\[([^\]]*)\] LearnersNext:\[([^\]]*)\] AutoLeave:(true|false)/y,
    'a snapshot',
  )
  return {
    index: Number(m[1]),
    term: Number(m[2]),
    confState: {
      voters: ids(m[3]),
      votersOutgoing: ids(m[4]),
      learners: ids(m[5]),
      learnersNext: ids(m[6]),
      autoLeave: m[7] === 'true',
    },
  }
}

function scanMessage(sc) {
  const m = sc.need(/\s*(\S+?)->(\S+) (Msg[A-Za-z]+) Term:(\d+) Log:(\d+)\/(\d+)/y, 'a message')
  const msg = {
    from: target(m[1]),
    to: target(m[2]),
    type: m[3],
    term: Number(m[4]),
    logTerm: Number(m[5]),
    index: Number(m[6]),
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    entries: [],
  }
  let p
  if ((p = sc.take(/ Rejected \(Hint: (\d+)\)/y))) {
    msg.reject = true
    msg.rejectHint = Number(p[1])
  }
  if ((p = sc.take(/ Commit:(\d+)/y))) msg.commit = Number(p[1])
  if ((p = sc.take(/ Vote:(\d+)/y))) msg.vote = Number(p[1])
  if (sc.take(/ Entries:\[/y)) {
    if (sc.take(/(?=\n)/y)) {
      while (!sc.take(/\n *\]/y)) {
        sc.need(/\n/y, 'a line break in an entry list')
        msg.entries.push(scanEntry(sc))
      }
    } else {
      msg.entries.push(scanEntry(sc))
      sc.need(/\]/y, '"]" after an entry')
    }
  }
  if (sc.take(/\n *Snapshot: /y)) msg.snapshot = scanSnapshot(sc)
  if (sc.take(/ Responses:\[/y)) {
    msg.responses = []
    while (!sc.take(/\n *\]/y)) {
      sc.need(/\n/y, 'a line break in a response list')
      msg.responses.push(scanMessage(sc))
    }
  }
  return msg
}

/** Parse one message from the start of lines[i]; returns the message and the next line's number. */
function messageAt(lines, i) {
  const sc = new Scanner(lines.slice(i).join('\n'))
  const msg = scanMessage(sc)
  if (!sc.done && sc.text[sc.pos] !== '\n')
    throw new SyntaxError(`trailing text after message: "${sc.text.slice(sc.pos, sc.pos + 60)}"`)
  const used = sc.text.slice(0, sc.pos).split('\n').length
  return { msg, next: i + used }
}

const SECTION =
  /^> (\d+) (handling Ready|receiving messages|processing append thread|processing apply thread)$/
const SECTION_KIND = {
  'handling Ready': 'ready',
  'receiving messages': 'receive',
  'processing append thread': 'append',
  'processing apply thread': 'apply',
}

/** Parse "1: StateReplicate match=13 next=14 ..." */
export function parseProgress(line) {
  const m = /^(\d+): State(Probe|Replicate|Snapshot) match=(\d+) next=(\d+)(.*)$/.exec(line)
  if (!m) throw new SyntaxError(`bad progress line "${line}"`)
  const pr = {
    id: Number(m[1]),
    state: m[2],
    match: Number(m[3]),
    next: Number(m[4]),
    isLearner: false,
    paused: false,
    pendingSnapshot: 0,
    recentActive: true,
    inflight: 0,
    inflightFull: false,
  }
  for (const word of m[5].split(/\s+/).filter(Boolean)) {
    let p
    if (word === 'learner') pr.isLearner = true
    else if (word === 'paused') pr.paused = true
    else if (word === 'inactive') pr.recentActive = false
    else if ((p = /^pendingSnap=(\d+)$/.exec(word))) pr.pendingSnapshot = Number(p[1])
    else if ((p = /^inflight=(\d+)(\[full\])?$/.exec(word))) {
      pr.inflight = Number(p[1])
      pr.inflightFull = p[2] !== undefined
    } else throw new SyntaxError(`unknown word "${word}" in progress line "${line}"`)
  }
  return pr
}

/** Parse "voters=(1 2 3)&&(1 2) learners=(4) learners_next=(5) autoleave" */
export function parseConfig(text) {
  const m =
    /^voters=\(([^)]*)\)(?:&&\(([^)]*)\))?(?: learners=\(([^)]*)\))?(?: learners_next=\(([^)]*)\))?( autoleave)?$/.exec(
      text,
    )
  if (!m) throw new SyntaxError(`bad configuration "${text}"`)
  const hex = s =>
    (s ?? '')
      .split(/\s+/)
      .filter(Boolean)
      .map(x => parseInt(x, 16))
  return {
    voters: hex(m[1]),
    votersOutgoing: hex(m[2]),
    learners: hex(m[3]),
    learnersNext: hex(m[4]),
    autoLeave: m[5] !== undefined,
  }
}

export const ERROR_CODES = {
  'raft: cannot step as peer not found': 'PEER_NOT_FOUND',
  'raft: cannot step raft local message': 'LOCAL_MESSAGE',
  'raft proposal dropped': 'PROPOSAL_DROPPED',
}

function parseReady(lines, i, header) {
  const ev = {
    t: 'ready',
    mustSync: header[1] === 'true',
    entries: [],
    committedEntries: [],
    messages: [],
    readStates: [],
  }
  let into = null // the list that entry lines go to
  for (; i < lines.length; ) {
    const line = lines[i]
    let m
    if ((m = /^Lead:(\d+) State:State(\w+)$/.exec(line))) {
      ev.softState = { lead: Number(m[1]), role: m[2] }
      i++
    } else if ((m = /^HardState Term:(\d+)(?: Vote:(\d+))? Commit:(\d+)$/.exec(line))) {
      ev.hardState = { term: Number(m[1]), vote: Number(m[2] ?? 0), commit: Number(m[3]) }
      i++
    } else if ((m = /^ReadStates \[(.*)\]$/.exec(line))) {
      ev.readStates = [...m[1].matchAll(/\{(\d+) \[([^\]]*)\]\}/g)].map(r => ({
        index: Number(r[1]),
        ctx: String.fromCharCode(...ids(r[2])),
      }))
      i++
    } else if (line === 'Entries:') {
      into = ev.entries
      i++
    } else if (line === 'CommittedEntries:') {
      into = ev.committedEntries
      i++
    } else if ((m = /^Snapshot (?=Index:)/.exec(line))) {
      ev.snapshot = scanSnapshot(new Scanner(line.slice(m[0].length)))
      i++
    } else if (line === 'Messages:') {
      into = null
      i++
      while (i < lines.length && MESSAGE_START.test(lines[i])) {
        const r = messageAt(lines, i)
        ev.messages.push(r.msg)
        i = r.next
      }
    } else if (into && ENTRY_START.test(line)) {
      into.push(parseEntry(line))
      i++
    } else break
  }
  return { ev, next: i }
}

/** Parse expected output into an ordered list of events. @param {string} text */
export function parseOutput(text) {
  return parseLines(text === '' ? [] : text.split('\n'))
}

function parseLines(lines) {
  const events = []
  let i = 0
  while (i < lines.length) {
    const line = lines[i]
    let m
    if ((m = SECTION.exec(line))) {
      const body = []
      for (i++; i < lines.length && lines[i].startsWith('  '); i++) body.push(lines[i].slice(2))
      events.push({
        t: 'section',
        node: Number(m[1]),
        what: SECTION_KIND[m[2]],
        events: parseLines(body),
      })
    } else if ((m = LEVELS.exec(line))) {
      events.push({ t: 'log', level: m[1], text: m[2] })
      i++
    } else if ((m = /^Ready MustSync=(true|false):$/.exec(line))) {
      const r = parseReady(lines, i + 1, m)
      events.push(r.ev)
      i = r.next
    } else if (line === '<empty Ready>') {
      events.push({ t: 'emptyReady' })
      i++
    } else if (line.startsWith('dropped: ')) {
      const r = messageAt([line.slice(9), ...lines.slice(i + 1)], 0)
      events.push({ t: 'dropped', msg: r.msg })
      i += r.next
    } else if (line === 'Processing:') {
      const r = messageAt(lines, i + 1)
      events.push({ t: 'processing', msg: r.msg })
      i = r.next
    } else if (line === 'Responses:') {
      const msgs = []
      for (i++; i < lines.length && MESSAGE_START.test(lines[i]); ) {
        const r = messageAt(lines, i)
        msgs.push(r.msg)
        i = r.next
      }
      events.push({ t: 'responses', msgs })
    } else if (MESSAGE_START.test(line)) {
      const r = messageAt(lines, i)
      events.push({ t: 'message', msg: r.msg })
      i = r.next
    } else if ((m = /^(\d+): State(\w+) \((Voter|Non-Voter)\) Term:(\d+) Lead:(\d+)$/.exec(line))) {
      events.push({
        t: 'raftState',
        id: Number(m[1]),
        role: m[2],
        voter: m[3] === 'Voter',
        term: Number(m[4]),
        lead: Number(m[5]),
      })
      i++
    } else if (/^\d+: State(Probe|Replicate|Snapshot) match=/.test(line)) {
      events.push({ t: 'progress', ...parseProgress(line) })
      i++
    } else if (ENTRY_START.test(line)) {
      events.push({ t: 'logEntry', entry: parseEntry(line) })
      i++
    } else if ((m = /^log is empty: first index=(\d+), last index=(\d+)/.exec(line))) {
      events.push({ t: 'logEmpty', first: Number(m[1]), last: Number(m[2]) })
      i++
    } else if (line === 'no messages') {
      events.push({ t: 'noMessages' })
      i++
    } else if ((m = /^no (append|apply) work to perform$/.exec(line))) {
      events.push({ t: 'noWork', which: m[1] })
      i++
    } else if (line === 'ok') {
      i++
    } else {
      events.push({ t: 'error', code: ERROR_CODES[line] ?? 'OTHER', text: line })
      i++
    }
  }
  return events
}

/**
 * The facts that log lines state about a node's state when the directive has ended:
 * the last "became ROLE at term T" and the last "switched to configuration C" of each node.
 */
export function logFacts(events) {
  const roles = new Map()
  const configs = new Map()
  const visit = evs => {
    for (const ev of evs) {
      if (ev.t === 'section') visit(ev.events)
      if (ev.t !== 'log') continue
      let m
      if (
        (m = /^([0-9a-f]+) became (follower|pre-candidate|candidate|leader) at term (\d+)$/.exec(
          ev.text,
        ))
      ) {
        const role = {
          follower: 'Follower',
          'pre-candidate': 'PreCandidate',
          candidate: 'Candidate',
          leader: 'Leader',
        }[m[2]]
        roles.set(parseInt(m[1], 16), { role, term: Number(m[3]) })
      } else if ((m = /^([0-9a-f]+) switched to configuration (.*)$/.exec(ev.text))) {
        configs.set(parseInt(m[1], 16), parseConfig(m[2]))
      }
    }
  }
  visit(events)
  return { roles, configs }
}

/** Flatten events into lists by kind, for readers that want facts and not order. */
export function summarize(events) {
  const out = {
    readies: 0,
    emptyReadies: 0,
    softStates: [],
    hardStates: [],
    mustSync: [],
    readStates: [],
    entries: [],
    committed: [],
    snapshots: [],
    messages: [],
    received: [],
    dropped: [],
    processing: [],
    responses: [],
    raftLog: [],
    logEmpty: [],
    progress: [],
    raftState: [],
    errors: [],
    notices: [],
    sections: [],
    logLines: 0,
    rolesAfter: [],
    configsAfter: [],
  }
  const visit = (evs, node) => {
    for (const ev of evs) {
      switch (ev.t) {
        case 'section':
          out.sections.push({ node: ev.node, what: ev.what })
          visit(ev.events, ev.node)
          break
        case 'log':
          out.logLines++
          break
        case 'emptyReady':
          out.emptyReadies++
          break
        case 'ready':
          out.readies++
          out.mustSync.push({ node, mustSync: ev.mustSync })
          if (ev.softState) out.softStates.push({ node, ...ev.softState })
          if (ev.hardState) out.hardStates.push({ node, ...ev.hardState })
          for (const r of ev.readStates) out.readStates.push({ node, ...r })
          for (const e of ev.entries) out.entries.push({ node, ...e })
          for (const e of ev.committedEntries) out.committed.push({ node, ...e })
          if (ev.snapshot) out.snapshots.push({ node, ...ev.snapshot })
          out.messages.push(...ev.messages)
          break
        case 'message':
          out.received.push(ev.msg)
          break
        case 'dropped':
          out.dropped.push(ev.msg)
          break
        case 'processing':
          out.processing.push(ev.msg)
          break
        case 'responses':
          out.responses.push(...ev.msgs)
          break
        case 'logEntry':
          out.raftLog.push(ev.entry)
          break
        case 'logEmpty':
          out.logEmpty.push({ first: ev.first, last: ev.last })
          break
        case 'progress': {
          const { t, ...pr } = ev
          out.progress.push(pr)
          break
        }
        case 'raftState': {
          const { t, ...st } = ev
          out.raftState.push(st)
          break
        }
        case 'error':
          out.errors.push({ code: ev.code, text: ev.text })
          break
        case 'noMessages':
          out.notices.push('no messages')
          break
        case 'noWork':
          out.notices.push(`no ${ev.which} work`)
          break
        default:
          throw new Error(`unknown event ${ev.t}`)
      }
    }
  }
  visit(events, undefined)
  const { roles, configs } = logFacts(events)
  out.rolesAfter = [...roles].map(([node, r]) => ({ node, ...r }))
  out.configsAfter = [...configs].map(([node, config]) => ({ node, ...config }))
  return out
}
