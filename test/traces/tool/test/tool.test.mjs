import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  Comparison,
  checkTrace,
  countFacts,
  listTraces,
  loadTrace,
  MemoryStorage,
  parseDataDriven,
  parseDirective,
  parseOutput,
  renderEvents,
} from '../index.mjs'
import { unquote } from '../lib/output.mjs'
import { quote } from '../lib/render.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const dirs = [
  process.env.ETCD_TRACES && join(process.env.ETCD_TRACES, 'interaction'),
  join(here, '..', '..', 'scenarios'),
].filter(d => d && existsSync(d))

test('directive lines', () => {
  assert.deepEqual(parseDirective('add-nodes 3 voters=(1, 2 3) index=10 read-only=lease-based'), {
    directive: 'add-nodes',
    args: [
      { key: '3', vals: [] },
      { key: 'voters', vals: ['1', '2', '3'] },
      { key: 'index', vals: ['10'] },
      { key: 'read-only', vals: ['lease-based'] },
    ],
  })
  assert.deepEqual(parseDirective('propose 1 "foo"').args[1], { key: '"foo"', vals: [] })
})

test('blocks, comments, input, both kinds of separator', () => {
  const blocks = parseDataDriven(
    '# hello\nfirst 1\ninput\n----\nout 1\nout 2\n\n\n# more\nsecond\n----\n----\na\n\nb\n----\n----\n',
  )
  assert.deepEqual(
    blocks.map(b => [b.directive, b.input, b.output, b.line, b.comment]),
    [
      ['first', 'input', 'out 1\nout 2', 2, 'hello'],
      ['second', '', 'a\n\nb', 10, 'more'],
    ],
  )
  assert.throws(() => parseDataDriven('lonely\n'), /no "----"/)
})

test('quoted strings', () => {
  for (const s of ['', 'plain', '"quoted"', 'a\\b', 'line\nbreak\ttab', '\x01'])
    assert.equal(unquote(quote(s)), s)
})

const SAMPLE = `> 1 handling Ready
  Ready MustSync=true:
  Lead:1 State:StateLeader
  HardState Term:2 Vote:1 Commit:10
  Entries:
  2/11 EntryNormal ""
  CommittedEntries:
  1/9 EntryConfChangeV2 r1 v4
  1/10 EntryConfChangeV2
  Messages:
  1->2 MsgApp Term:2 Log:1/8 Commit:10 Entries:[
    1/9 EntryConfChangeV2 r1 v4
    2/11 EntryNormal "say \\"hi\\""
  ]
  1->3 MsgSnap Term:2 Log:0/0
    Snapshot: Index:4 Term:1 ConfState:Voters:[2 3 4] VotersOutgoing:[1 2 3] Learners:[] LearnersNext:[] AutoLeave:true
  1->AppendThread MsgStorageAppend Term:2 Log:0/0 Commit:10 Vote:1 Entries:[2/11 EntryNormal ""] Responses:[
    1->1 MsgAppResp Term:2 Log:0/11
    AppendThread->1 MsgStorageAppendResp Term:2 Log:2/11
  ]
  INFO 1 switched to configuration voters=(2 3 4)&&(1 2 3) autoleave
> 2 receiving messages
  3->2 MsgAppResp Term:2 Log:1/20 Rejected (Hint: 19)
  raft: cannot step as peer not found`

test('expected output parses into structure and prints back', () => {
  const events = parseOutput(SAMPLE)
  assert.equal(renderEvents(events), SAMPLE)
  const [ready] = events[0].events
  assert.deepEqual(ready.softState, { lead: 1, role: 'Leader' })
  assert.equal(ready.messages.length, 3)
  assert.equal(ready.messages[0].entries[1].data, 'say "hi"')
  assert.deepEqual(ready.messages[1].snapshot.confState.votersOutgoing, [1, 2, 3])
  assert.equal(ready.messages[2].responses[1].from, 'AppendThread')
  assert.deepEqual(events[1].events[1], {
    t: 'error',
    code: 'PEER_NOT_FOUND',
    text: 'raft: cannot step as peer not found',
  })
})

test('every trace at hand parses and prints back exactly', { skip: dirs.length === 0 }, () => {
  let facts = 0
  for (const d of dirs)
    for (const f of listTraces(d)) {
      const trace = loadTrace(f)
      for (const b of trace) assert.equal(renderEvents(b.events), b.output, `${f}:${b.line}`)
      facts += Object.values(countFacts(trace)).reduce((a, b) => a + b, 0)
    }
  assert.ok(facts > 1000)
})

/** Everything that could differ in one message, changed in turn, is noticed. */
test('the comparison notices any change of a fact', () => {
  const base = parseOutput(SAMPLE)
  const same = new Comparison()
  same.events('', base, structuredClone(base))
  assert.deepEqual(same.mismatches, [])
  const changes = {
    term: e => {
      e[0].events[0].messages[0].term++
    },
    logTerm: e => {
      e[0].events[0].messages[0].logTerm++
    },
    index: e => {
      e[0].events[0].messages[0].index++
    },
    commit: e => {
      e[0].events[0].messages[0].commit--
    },
    entryTerm: e => {
      e[0].events[0].messages[0].entries[0].term = 2
    },
    entryData: e => {
      e[0].events[0].messages[0].entries[1].data = 'x'
    },
    entryCount: e => {
      e[0].events[0].messages[0].entries.pop()
    },
    change: e => {
      e[0].events[0].committedEntries[0].changes[0].type = 'addLearner'
    },
    reject: e => {
      e[1].events[0].msg.reject = false
    },
    hint: e => {
      e[1].events[0].msg.rejectHint = 3
    },
    snapshot: e => {
      e[0].events[0].messages[1].snapshot.index = 5
    },
    confState: e => {
      e[0].events[0].messages[1].snapshot.confState.autoLeave = false
    },
    response: e => {
      e[0].events[0].messages[2].responses[0].index = 12
    },
    vote: e => {
      e[0].events[0].hardState.vote = 2
    },
    hardState: e => {
      delete e[0].events[0].hardState
    },
    softState: e => {
      e[0].events[0].softState.role = 'Follower'
    },
    mustSync: e => {
      e[0].events[0].mustSync = false
    },
    missingMessage: e => {
      e[0].events[0].messages.shift()
    },
    extraMessage: e => {
      e[0].events[0].messages.push(structuredClone(e[0].events[0].messages[0]))
    },
    missingSection: e => {
      e.pop()
    },
    error: e => {
      e[1].events.pop()
    },
    emptyReady: e => {
      e[0].events[0] = { t: 'emptyReady' }
    },
  }
  for (const [name, change] of Object.entries(changes)) {
    const other = structuredClone(base)
    change(other)
    const cmp = new Comparison()
    cmp.events('', base, other)
    assert.ok(cmp.mismatches.length > 0, name)
  }
})

test('the order of messages to different nodes is free, to the same node it is not', () => {
  const text = a => `Ready MustSync=false:\nMessages:\n${a.join('\n')}`
  const x = '1->2 MsgApp Term:1 Log:1/11 Commit:11'
  const y = '1->3 MsgApp Term:1 Log:1/11 Commit:11'
  const z = '1->2 MsgApp Term:1 Log:1/11 Commit:12'
  const differ = (a, b, options) => {
    const c = new Comparison(options)
    c.events('', parseOutput(text(a)), parseOutput(text(b)))
    return c.mismatches.length > 0
  }
  assert.equal(differ([x, y], [y, x]), false)
  assert.equal(differ([x, y], [y, x], { messageOrder: 'strict' }), true)
  assert.equal(differ([x, z], [z, x]), true)
})

test('a core that throws is a crash, a missing capability a skip', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'traces-'))
  const f = join(dir, 't.txt')
  writeFileSync(f, 'add-nodes 1 voters=(1) index=2 prevote=true\n----\nok\n')
  const boom = await checkTrace(f, {
    name: 'x',
    createNode() {
      throw new Error('boom')
    },
  })
  assert.equal(boom.status, 'crash')
  const skip = await checkTrace(f, {
    name: 'x',
    capabilities: { preVote: false },
    createNode() {
      throw new Error('boom')
    },
  })
  assert.equal(skip.status, 'skip')
})

test('memory storage', () => {
  const s = new MemoryStorage()
  assert.deepEqual([s.firstIndex(), s.lastIndex(), s.term(0)], [1, 0, 0])
  s.applySnapshot({ index: 10, term: 3, confState: { voters: [1] } })
  s.append([
    { index: 11, term: 3 },
    { index: 12, term: 3 },
    { index: 13, term: 4 },
  ])
  assert.deepEqual([s.firstIndex(), s.lastIndex(), s.term(10), s.term(13)], [11, 13, 3, 4])
  s.append([{ index: 12, term: 5 }])
  assert.deepEqual([s.lastIndex(), s.term(12)], [12, 5])
  assert.throws(() => s.term(13), { code: 'UNAVAILABLE' })
  assert.throws(() => s.term(9), { code: 'COMPACTED' })
  assert.throws(() => s.append([{ index: 14, term: 5 }]), { code: 'UNAVAILABLE' })
  assert.equal(s.entries(11, 13, 0).length, 1)
  s.compact(11)
  assert.deepEqual([s.firstIndex(), s.term(11)], [12, 3])
  assert.throws(() => s.entries(11, 12), { code: 'COMPACTED' })
  assert.throws(() => s.applySnapshot({ index: 10, term: 3, confState: { voters: [] } }), {
    code: 'SNAP_OUT_OF_DATE',
  })
})
