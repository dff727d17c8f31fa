// biome-ignore-all lint/complexity/noExcessiveLinesPerFunction: one switch over all kinds reads best whole
// Executes the directives of an interaction trace against an adapter, and reports what
// happened as events of the same shape that output.mjs parses from the expected output.
import { positional, value, values } from './datadriven.mjs'
import { APPEND_THREAD, APPLY_THREAD, parseChanges, parseOutput } from './output.mjs'

const EMPTY_CONF = () => ({
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
})
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal', 'none']
const KNOWN_NODE_ARGS = [
  'voters',
  'learners',
  'inflight',
  'index',
  'content',
  'async-storage-writes',
  'prevote',
  'checkquorum',
  'max-committed-size-per-ready',
  'disable-conf-change-validation',
  'read-only',
  'step-down-on-removal',
  // not upstream's:
  'max-size-per-msg',
  'max-uncommitted-size',
  'max-inflight-bytes',
  'disable-proposal-forwarding',
]

/** An error that the trace format itself can express, as opposed to a crash of the core. */
function coded(err) {
  const code = typeof err === 'string' ? err : err?.code
  return ['PEER_NOT_FOUND', 'LOCAL_MESSAGE', 'PROPOSAL_DROPPED'].includes(code) ? code : undefined
}

const int = x => {
  const n = Number(x ?? 0)
  if (!Number.isSafeInteger(n)) throw new TypeError(`not a safe integer: ${x}`)
  return n
}
const text = d =>
  d === undefined || d === null ? '' : typeof d === 'string' ? d : new TextDecoder().decode(d)
const sorted = xs => [...(xs ?? [])].map(int).sort((a, b) => a - b)

/* Normal forms: whatever an adapter returns is copied into these before it is compared. */
export function normEntry(e) {
  const out = { term: int(e.term), index: int(e.index), type: e.type }
  if (!['Normal', 'ConfChange', 'ConfChangeV2'].includes(e.type))
    throw new TypeError(`entry type ${JSON.stringify(e.type)}`)
  if (e.type === 'Normal') out.data = text(e.data)
  else out.changes = (e.changes ?? []).map(c => ({ type: c.type, nodeId: int(c.nodeId) }))
  return out
}
export const normConf = c => ({
  voters: sorted(c?.voters),
  votersOutgoing: sorted(c?.votersOutgoing),
  learners: sorted(c?.learners),
  learnersNext: sorted(c?.learnersNext),
  autoLeave: Boolean(c?.autoLeave),
})
export const normSnapshot = s => ({
  index: int(s.index),
  term: int(s.term),
  confState: normConf(s.confState),
})
export function normMessage(m) {
  const to = t => (t === APPEND_THREAD || t === APPLY_THREAD ? t : int(t))
  const out = {
    from: to(m.from),
    to: to(m.to),
    type: m.type,
    term: int(m.term),
    logTerm: int(m.logTerm),
    index: int(m.index),
    commit: int(m.commit),
    vote: int(m.vote),
    reject: Boolean(m.reject),
    rejectHint: m.reject ? int(m.rejectHint) : 0,
    entries: (m.entries ?? []).map(normEntry),
  }
  if (m.snapshot && int(m.snapshot.index) !== 0) out.snapshot = normSnapshot(m.snapshot)
  if (m.responses?.length) out.responses = m.responses.map(normMessage)
  return out
}
const normHardState = h => ({ term: int(h.term), vote: int(h.vote), commit: int(h.commit) })
const emptyHardState = h => !h || (int(h.term) === 0 && int(h.vote) === 0 && int(h.commit) === 0)
const normProgress = (id, p) => ({
  id: int(id),
  state: p.state,
  match: int(p.match),
  next: int(p.next),
  isLearner: Boolean(p.isLearner),
  paused: Boolean(p.paused),
  pendingSnapshot: int(p.pendingSnapshot),
  recentActive: Boolean(p.recentActive),
  inflight: int(p.inflight),
  inflightFull: Boolean(p.inflightFull) && int(p.inflight) > 0,
})

export class Unsupported extends Error {}

export class Harness {
  /** @param {import('../adapter.d.ts').RaftTraceAdapter} adapter */
  constructor(adapter) {
    this.adapter = adapter
    this.nodes = [] // nodes[id-1] = { id, node, config, history, appendWork, applyWork }
    this.network = [] // messages in flight, in the order they were sent
    this.quiet = false // log-level none: run, but print nothing
  }

  at(id) {
    const n = this.nodes[int(id) - 1]
    if (!n) throw new Error(`there is no node ${id}`)
    return n
  }

  /** Run one block. @returns {Promise<{events: any[], quiet: boolean}>} */
  async run(block) {
    const events = []
    const pos = positional(block)
    const wasQuiet = this.quiet
    let quiet = this.quiet
    const attempt = async f => {
      try {
        const r = await f()
        const code = coded(r)
        if (code) events.push({ t: 'error', code })
      } catch (err) {
        const code = coded(err)
        if (!code) throw err
        events.push({ t: 'error', code })
      }
    }
    switch (block.directive) {
      case '_breakpoint':
        break
      case 'log-level': {
        const level = pos[0].toLowerCase()
        if (!LOG_LEVELS.includes(level)) throw new Error(`unknown log level ${level}`)
        this.quiet = level === 'none'
        return { events, quiet: this.quiet && wasQuiet }
      }
      case 'add-nodes':
        await this.addNodes(block)
        break
      case 'campaign':
        await attempt(() => this.at(pos[0]).node.campaign())
        break
      case 'propose':
        await attempt(() => this.at(pos[0]).node.propose(pos[1]))
        break
      case 'propose-conf-change':
        await attempt(() => this.proposeConfChange(block))
        break
      case 'process-ready':
        await this.each(pos, 'ready', (n, out) => this.processReady(n, out), events)
        break
      case 'process-append-thread':
        await this.each(pos, 'append', (n, out) => this.processAppendThread(n, out), events)
        break
      case 'process-apply-thread':
        await this.each(pos, 'apply', (n, out) => this.processApplyThread(n, out), events)
        break
      case 'deliver-msgs': {
        const type = value(block, 'type')
        let count = 0
        // nth, keep and reverse are not upstream's: they deliver one message only, leave what is
        // delivered on the network (so that it arrives again later), and deliver newest first.
        const how = {
          type,
          drop: false,
          nth: value(block, 'nth') === undefined ? undefined : int(value(block, 'nth')),
          keep: value(block, 'keep') === 'true',
          reverse: value(block, 'reverse') === 'true',
        }
        for (const id of pos) count += await this.deliver(int(id), how, events)
        for (const id of values(block, 'drop'))
          count += await this.deliver(int(id), { type, drop: true }, events)
        if (count === 0) events.push({ t: 'noMessages' })
        break
      }
      case 'stabilize': {
        const level = value(block, 'log-level')
        if (level !== undefined) quiet = level.toLowerCase() === 'none'
        await this.stabilize(pos.length ? pos.map(id => this.at(id)) : this.nodes, events)
        break
      }
      case 'tick-election':
        await this.tick(this.at(pos[0]), c => c.electionTick)
        break
      case 'tick-heartbeat':
        await this.tick(this.at(pos[0]), c => c.heartbeatTick)
        break
      case 'set-randomized-election-timeout':
        await this.at(pos[0]).node.setRandomizedElectionTimeout(int(value(block, 'timeout')))
        break
      case 'transfer-leadership':
        await this.at(value(block, 'from')).node.transferLeader(int(value(block, 'to')))
        break
      case 'forget-leader':
        await this.at(pos[0]).node.forgetLeader()
        break
      case 'report-unreachable':
        await this.at(pos[0]).node.reportUnreachable(int(pos[1]))
        break
      case 'send-snapshot':
        await this.sendSnapshot(this.at(pos[0]), int(pos[1]), events)
        break
      case 'step': // not upstream's: hand nodes the messages that the input lists
        for (const ev of parseOutput(block.input)) {
          if (ev.t !== 'message') throw new Error('step takes messages')
          this.network.push(ev.msg)
          await this.deliver(int(ev.msg.to), { drop: false, last: true }, events)
        }
        break
      case 'read-index':
        this.need('readIndex')
        await this.at(pos[0]).node.readIndex(pos[1])
        break
      case 'report-snapshot':
        await this.at(pos[0]).node.reportSnapshot(int(pos[1]), value(block, 'status') === 'finish')
        break
      case 'restart':
        await this.restart(this.at(pos[0]))
        break
      case 'compact':
        await this.at(pos[0]).node.compact(int(pos[1]))
        await this.raftLog(this.at(pos[0]), events)
        break
      case 'raft-log':
        await this.raftLog(this.at(pos[0]), events)
        break
      case 'raft-state':
        for (const n of this.nodes) {
          const s = await n.node.status()
          const c = normConf(s.config)
          events.push({
            t: 'raftState',
            id: n.id,
            role: s.role,
            voter: c.voters.includes(n.id) || c.votersOutgoing.includes(n.id),
            term: int(s.term),
            lead: int(s.lead),
          })
        }
        break
      case 'status': {
        const s = await this.at(pos[0]).node.status()
        const rows = Object.entries(s.progress ?? {}).map(([id, p]) => normProgress(id, p))
        rows.sort((a, b) => a.id - b.id)
        for (const p of rows) events.push({ t: 'progress', ...p })
        break
      }
      default:
        throw new Error(`unknown directive ${block.directive}`)
    }
    // At level "none" only errors are printed.
    return { events, quiet }
  }

  async addNodes(block) {
    const flag = k => {
      const v = value(block, k)
      if (v === undefined) return false
      if (v === 'true') return true
      if (v === 'false') return false
      throw new Error(`${k}=${v}`)
    }
    for (const a of block.args.slice(1))
      if (!KNOWN_NODE_ARGS.includes(a.key)) throw new Error(`add-nodes: unknown argument ${a.key}`)
    const readOnly = value(block, 'read-only') ?? 'safe'
    const index = int(value(block, 'index'))
    const content = value(block, 'content') ?? ''
    const confState = {
      ...EMPTY_CONF(),
      voters: values(block, 'voters').map(int),
      learners: values(block, 'learners').map(int),
    }
    const bootstrapped =
      index > 0 || content !== '' || confState.voters.length > 0 || confState.learners.length > 0
    if (bootstrapped && index <= 1) throw new Error('add-nodes: index must be above 1')
    const snapshot = { index, term: bootstrapped ? 1 : 0, confState, data: content }
    const need = {
      asyncStorageWrites: flag('async-storage-writes'),
      preVote: flag('prevote'),
      checkQuorum: flag('checkquorum'),
      disableConfChangeValidation: flag('disable-conf-change-validation'),
      stepDownOnRemoval: flag('step-down-on-removal'),
      leaseRead: readOnly === 'lease-based',
    }
    for (const [k, on] of Object.entries(need)) if (on) this.need(k)
    const limit = k => {
      const v = value(block, k)
      return v === undefined ? Infinity : int(v)
    }
    for (let k = int(block.args[0].key); k > 0; k--) {
      const rec = {
        id: this.nodes.length + 1,
        history: [structuredClone(snapshot)],
        appendWork: [],
        applyWork: [],
      }
      rec.config = {
        id: rec.id,
        electionTick: 3,
        heartbeatTick: 1,
        maxSizePerMsg: limit('max-size-per-msg'),
        maxInflightBytes: limit('max-inflight-bytes'),
        maxUncommittedEntriesSize: limit('max-uncommitted-size'),
        disableProposalForwarding: flag('disable-proposal-forwarding'),
        maxInflightMsgs:
          value(block, 'inflight') === undefined ? 2 ** 31 - 1 : int(value(block, 'inflight')),
        maxCommittedSizePerReady: limit('max-committed-size-per-ready'),
        asyncStorageWrites: need.asyncStorageWrites,
        preVote: need.preVote,
        checkQuorum: need.checkQuorum,
        readOnly,
        disableConfChangeValidation: need.disableConfChangeValidation,
        stepDownOnRemoval: need.stepDownOnRemoval,
        applied: index,
        snapshot: bootstrapped ? structuredClone(snapshot) : null,
        latestSnapshot: () => structuredClone(rec.history[rec.history.length - 1]),
      }
      rec.node = await this.adapter.createNode(rec.config)
      this.nodes.push(rec)
    }
  }

  /** Skip the trace if the adapter says that its core lacks this. */
  need(capability) {
    if (this.adapter.capabilities?.[capability] === false) throw new Unsupported(capability)
  }

  /** Crash a node and start it again from what it had persisted; committed entries apply anew. */
  async restart(n) {
    this.need('restart')
    n.appendWork = []
    n.applyWork = []
    let base = 0 // the state machine goes back to the last snapshot that the node started from or restored
    for (let k = 0; k < n.history.length; k++) if (n.history[k].restored) base = k
    n.history = n.history.slice(0, base + 1)
    n.node = await n.node.restart(n.history[base].index)
  }

  async proposeConfChange(block) {
    const v1 = value(block, 'v1') === 'true'
    const transition = value(block, 'transition') ?? 'auto'
    if (!['auto', 'implicit', 'explicit'].includes(transition))
      throw new Error(`transition=${transition}`)
    if (v1) this.need('confChangeV1')
    const changes = parseChanges(block.input)
    return this.at(positional(block)[0]).node.proposeConfChange({ v1, transition, changes })
  }

  /** Run f for each node; with several nodes each gets a section of its own. */
  async each(idList, what, f, events) {
    for (const id of idList) {
      const n = this.at(id)
      if (idList.length === 1) await f(n, events)
      else {
        const ev = { t: 'section', node: n.id, what, events: [] }
        events.push(ev)
        await f(n, ev.events)
      }
    }
  }

  async processReady(n, out) {
    const rd = await n.node.ready()
    const ev = {
      t: 'ready',
      entries: (rd.entries ?? []).map(normEntry),
      committedEntries: (rd.committedEntries ?? []).map(normEntry),
      messages: (rd.messages ?? []).map(normMessage),
      readStates: (rd.readStates ?? []).map(r => ({ index: int(r.index), ctx: text(r.ctx) })),
    }
    if (rd.mustSync !== undefined) ev.mustSync = Boolean(rd.mustSync)
    if (rd.softState) ev.softState = { lead: int(rd.softState.lead), role: rd.softState.role }
    if (!emptyHardState(rd.hardState)) ev.hardState = normHardState(rd.hardState)
    if (rd.snapshot && int(rd.snapshot.index) !== 0) ev.snapshot = normSnapshot(rd.snapshot)
    const empty =
      !ev.softState &&
      !ev.hardState &&
      !ev.snapshot &&
      [ev.entries, ev.committedEntries, ev.messages, ev.readStates].every(l => l.length === 0)
    out.push(empty ? { t: 'emptyReady' } : ev)

    const sync = !n.config.asyncStorageWrites
    if (sync) {
      await this.persist(n, rd.hardState, rd.entries, rd.snapshot)
      await this.apply(n, rd.committedEntries)
    }
    for (const m of rd.messages ?? []) {
      if (m.to === APPEND_THREAD) n.appendWork.push(m)
      else if (m.to === APPLY_THREAD) n.applyWork.push(m)
      else this.network.push(m)
    }
    if (sync) await n.node.advance()
  }

  /** Make state durable: what a Ready (or a storage-append message) asks for. */
  async persist(n, hardState, entries, snapshot) {
    const write = { entries: entries ?? [] }
    if (!emptyHardState(hardState)) write.hardState = hardState
    if (snapshot && int(snapshot.index) !== 0) write.snapshot = snapshot
    if (write.snapshot && write.entries.length)
      throw new Error('a Ready held both a snapshot and entries')
    await n.node.persist(write)
    if (write.snapshot)
      n.history.push({
        restored: true,
        index: int(snapshot.index),
        term: int(snapshot.term),
        confState: normConf(snapshot.confState),
        data: snapshot.data === undefined ? undefined : text(snapshot.data),
      })
  }

  /** Apply entries to the state machine, which appends each payload to a string. */
  async apply(n, entries) {
    for (const e of entries ?? []) {
      const last = n.history[n.history.length - 1]
      // data is undefined from a restored snapshot on whose data the core did not carry along.
      const next = {
        index: int(e.index),
        term: int(e.term),
        confState: last.confState,
        data: last.data,
      }
      if (e.type !== 'Normal') next.confState = normConf(await n.node.applyConfChange(e))
      else if (next.data !== undefined) next.data += text(e.data)
      n.history.push(next)
    }
  }

  async processAppendThread(n, out) {
    const m = n.appendWork.shift()
    if (!m) {
      out.push({ t: 'noWork', which: 'append' })
      return
    }
    out.push({ t: 'processing', msg: withoutResponses(m) })
    await this.persist(n, { term: m.term, vote: m.vote, commit: m.commit }, m.entries, m.snapshot)
    this.respond(m, out)
  }

  async processApplyThread(n, out) {
    const m = n.applyWork.shift()
    if (!m) {
      out.push({ t: 'noWork', which: 'apply' })
      return
    }
    out.push({ t: 'processing', msg: withoutResponses(m) })
    await this.apply(n, m.entries)
    this.respond(m, out)
  }

  respond(m, out) {
    const responses = m.responses ?? []
    out.push({ t: 'responses', msgs: responses.map(normMessage) })
    this.network.push(...responses)
  }

  /** Take the messages for one recipient off the network, oldest first. */
  take(id, { type, drop, nth, keep, reverse, last }) {
    const local = m =>
      m.from === m.to || [m.from, m.to].some(x => x === APPEND_THREAD || x === APPLY_THREAD)
    if (last) return [this.network.pop()]
    const picked = []
    let seen = 0
    this.network = this.network.filter(m => {
      const hit =
        m.to !== APPEND_THREAD &&
        m.to !== APPLY_THREAD &&
        int(m.to) === id &&
        !(drop && local(m)) &&
        (type === undefined || m.type === type) &&
        (nth === undefined || ++seen === nth)
      if (hit) picked.push(m)
      return !hit || keep
    })
    return reverse ? picked.reverse() : picked
  }

  async deliver(id, how, out) {
    const { drop } = how
    const msgs = this.take(id, how)
    for (const m of msgs) {
      out.push({ t: drop ? 'dropped' : 'message', msg: normMessage(m) })
      if (drop) continue
      try {
        const code = coded(await this.at(id).node.step(m))
        if (code) out.push({ t: 'error', code })
      } catch (err) {
        const code = coded(err)
        if (!code) throw err
        out.push({ t: 'error', code })
      }
    }
    return msgs.length
  }

  /** Handle Readys, deliver messages and do storage work until there is nothing left to do. */
  async stabilize(nodes, events) {
    const section = async (n, what, f) => {
      const ev = { t: 'section', node: n.id, what, events: [] }
      events.push(ev)
      await f(ev.events)
    }
    for (let rounds = 0, busy = true; busy; rounds++) {
      if (rounds > 300) throw new Error('stabilize does not come to rest')
      busy = false
      for (const n of nodes)
        if (await n.node.hasReady()) {
          busy = true
          await section(n, 'ready', out => this.processReady(n, out))
        }
      for (const n of nodes)
        if (
          this.network.some(m => m.to === n.id || (typeof m.to === 'bigint' && int(m.to) === n.id))
        ) {
          busy = true
          await section(n, 'receive', out => this.deliver(n.id, { drop: false }, out))
        }
      for (const n of nodes)
        if (n.appendWork.length) {
          busy = true
          await section(n, 'append', async out => {
            while (n.appendWork.length) await this.processAppendThread(n, out)
          })
        }
      for (const n of nodes)
        if (n.applyWork.length) {
          busy = true
          await section(n, 'apply', async out => {
            while (n.applyWork.length) await this.processApplyThread(n, out)
          })
        }
    }
  }

  async tick(n, ticks) {
    for (let k = ticks(n.config); k > 0; k--) await n.node.tick()
  }

  async sendSnapshot(n, to, events) {
    const { term } = await n.node.status()
    const m = {
      from: n.id,
      to,
      type: 'MsgSnap',
      term,
      logTerm: 0,
      index: 0,
      commit: 0,
      vote: 0,
      reject: false,
      rejectHint: 0,
      entries: [],
      snapshot: n.config.latestSnapshot(),
    }
    this.network.push(m)
    events.push({ t: 'message', msg: normMessage(m) })
  }

  async raftLog(n, events) {
    const { firstIndex, lastIndex, entries } = await n.node.log()
    if (int(lastIndex) < int(firstIndex))
      events.push({ t: 'logEmpty', first: int(firstIndex), last: int(lastIndex) })
    else for (const e of entries) events.push({ t: 'logEntry', entry: normEntry(e) })
  }

  /**
   * Properties that must hold at any moment, whatever the trace says. @returns {Promise<string[]>}
   * The checker keeps what it has seen (leaders by term, applied entries by index) in `memory`.
   */
  async invariants(memory) {
    const bad = []
    memory.leaders ??= new Map()
    memory.applied ??= new Map()
    memory.terms ??= new Map()
    for (const n of this.nodes) {
      const s = await n.node.status()
      const term = int(s.term)
      if (s.role === 'Leader') {
        const before = memory.leaders.get(term)
        if (before !== undefined && before !== n.id)
          bad.push(`election safety: nodes ${before} and ${n.id} both led term ${term}`)
        memory.leaders.set(term, n.id)
      }
      if (term < (memory.terms.get(n.id) ?? 0))
        bad.push(`node ${n.id} went back from term ${memory.terms.get(n.id)} to ${term}`)
      memory.terms.set(n.id, term)
      for (let k = 1; k < n.history.length; k++) {
        const h = n.history[k]
        const known = memory.applied.get(h.index)
        if (!known) memory.applied.set(h.index, { id: n.id, term: h.term, data: h.data })
        else if (known.term !== h.term)
          bad.push(
            `state machine safety: index ${h.index} was applied with term ${known.term} on node ${known.id}, with term ${h.term} on node ${n.id}`,
          )
        else if (known.data !== undefined && h.data !== undefined && known.data !== h.data)
          bad.push(
            `state machine safety: after index ${h.index} node ${known.id} holds ${JSON.stringify(known.data)}, node ${n.id} holds ${JSON.stringify(h.data)}`,
          )
        if (h.index <= n.history[k - 1].index)
          bad.push(`node ${n.id} applied index ${h.index} after ${n.history[k - 1].index}`)
      }
    }
    // Log matching: equal (index, term) means equal everything before.
    const logs = []
    for (const n of this.nodes)
      logs.push(
        new Map(
          (await n.node.log()).entries.map(e => [int(e.index), JSON.stringify(normEntry(e))]),
        ),
      )
    for (let a = 0; a < logs.length; a++)
      for (let b = a + 1; b < logs.length; b++) {
        let agreed = false
        for (const index of [...logs[a].keys()].sort((x, y) => y - x)) {
          if (!logs[b].has(index)) continue
          const same = logs[a].get(index) === logs[b].get(index)
          if (agreed && !same)
            bad.push(`log matching: nodes ${a + 1} and ${b + 1} differ at ${index} but agree later`)
          if (same) agreed = true
        }
      }
    return bad
  }
}

function withoutResponses(m) {
  const out = normMessage(m)
  delete out.responses
  return out
}
