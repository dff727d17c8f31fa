#!/usr/bin/env node
// Command line: see README.md.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import {
  checkAll,
  checkConfChange,
  checkQuorum,
  countFacts,
  listTraces,
  loadConfChange,
  loadQuorum,
  loadTrace,
  recordTrace,
  renderEvents,
} from './index.mjs'

const USAGE = `usage:
  run.mjs parse   --data DIR              parse every trace; print counts and the round-trip proof
  run.mjs dump    FILE                    one trace as JSON
  run.mjs check   --data DIR --adapter M  run every trace against an adapter module
                  [--only NAME] [--all] [--stop-at-first] [--strict-order] [--no-log-facts]
                  [--no-invariants] [--waivers FILE] [--json FILE]
  run.mjs record  FILE... --adapter M     run scenarios and write what happened as expected output
  run.mjs quorum  --data DIR --adapter M  the quorum arithmetic cases (adapter.quorum)
  run.mjs confchange --data DIR --adapter M  the configuration change cases (adapter.confChange)`

const { values: opt, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    adapter: { type: 'string' },
    only: { type: 'string' },
    all: { type: 'boolean' },
    'stop-at-first': { type: 'boolean' },
    'strict-order': { type: 'boolean' },
    'no-log-facts': { type: 'boolean' },
    'no-invariants': { type: 'boolean' },
    waivers: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean' },
  },
})
const command = positionals[0]
const need = name => {
  if (opt[name] !== undefined) return opt[name]
  console.error(`--${name} is missing\n${USAGE}`)
  return process.exit(2)
}
const pad = (s, n) => String(s).padEnd(n)
const num = (s, n) => String(s).padStart(n)

async function loadAdapter() {
  const mod = await import(pathToFileURL(resolve(need('adapter'))).href)
  const adapter = mod.default ?? mod.adapter
  return typeof adapter === 'function' ? await adapter() : adapter
}

const withoutLogs = text =>
  text
    .split('\n')
    .filter(l => !/^\s*(DEBUG|INFO|WARN|ERROR|FATAL) /.test(l))
    .join('\n') || 'ok'
const stripLogs = events =>
  events
    .filter(e => e.t !== 'log')
    .map(e => (e.t === 'section' ? { ...e, events: stripLogs(e.events) } : e))

function parse() {
  const perDirective = {}
  const total = {}
  let facts = 0
  let files = 0
  let blocks = 0
  let outputLines = 0
  let logLines = 0
  let broken = 0
  console.log(`${pad('file', 46) + num('directives', 11) + num('facts', 8)}  round trip`)
  for (const f of listTraces(need('data'))) {
    const trace = loadTrace(f)
    files++
    blocks += trace.length
    let bad = 0
    for (const b of trace) {
      perDirective[b.directive] ??= { count: 0, facts: 0 }
      perDirective[b.directive].count++
      const n = Object.values(countFacts([b])).reduce((x, y) => x + y, 0)
      perDirective[b.directive].facts += n
      const lines = b.output.split('\n').length
      outputLines += lines
      logLines += b.output
        .split('\n')
        .filter(l => /^\s*(DEBUG|INFO|WARN|ERROR|FATAL) /.test(l)).length
      // Both with the log lines in and without them, printing what was parsed gives the text back.
      if (
        renderEvents(b.events) !== b.output ||
        renderEvents(stripLogs(b.events)) !== withoutLogs(b.output)
      ) {
        bad++
        console.log(
          `--- ${basename(f)}:${b.line}\n${b.output}\n+++ printed\n${renderEvents(b.events)}`,
        )
      }
    }
    broken += bad
    const counts = countFacts(trace)
    const sum = Object.values(counts).reduce((x, y) => x + y, 0)
    facts += sum
    for (const [k, n] of Object.entries(counts)) total[k] = (total[k] ?? 0) + n
    console.log(
      `${pad(basename(f), 46) + num(trace.length, 11) + num(sum, 8)}  ${bad ? `${bad} BROKEN` : 'exact'}`,
    )
  }
  console.log(
    `\n${files} files, ${blocks} directives, ${outputLines} lines of expected output (${logLines} of them log lines), ${facts} comparable facts, ${broken} blocks that do not round-trip`,
  )
  console.log('\nby directive:')
  for (const [k, v] of Object.entries(perDirective).sort((a, b) => b[1].count - a[1].count))
    console.log(`  ${pad(k, 34)}${num(v.count, 5)}${num(v.facts, 7)} facts`)
  console.log('\nby kind of fact:')
  for (const [k, n] of Object.entries(total).sort((a, b) => b[1] - a[1]))
    console.log(`  ${pad(k, 34)}${num(n, 5)}`)
  return broken ? 1 : 0
}

const indent = text =>
  text
    .split('\n')
    .map(l => `      ${l}`)
    .join('\n')

async function check() {
  const adapter = await loadAdapter()
  const waivers = opt.waivers ? JSON.parse(readFileSync(opt.waivers, 'utf8')) : []
  const results = await checkAll(need('data'), adapter, {
    only: opt.only,
    stopAtFirst: opt['stop-at-first'],
    messageOrder: opt['strict-order'] ? 'strict' : 'per-destination',
    logFacts: !opt['no-log-facts'],
    invariants: !opt['no-invariants'],
    waivers,
  })
  let facts = 0
  let missed = 0
  let waived = 0
  for (const r of results) {
    const n = Object.values(r.facts).reduce((x, y) => x + y, 0)
    facts += n
    missed += r.mismatches.length
    waived += r.waived.length
    console.log(
      `${pad(r.status.toUpperCase(), 6)}${pad(r.file, 46)}${num(n, 6)} facts${num(r.mismatches.length, 5)} differ${r.waived.length ? ` ${r.waived.length} waived` : ''}${r.reason ? `  ${r.reason.split('\n')[0]}` : ''}`,
    )
    const firstLines = [...new Set(r.mismatches.map(m => m.line))].slice(0, opt.all ? undefined : 1)
    for (const m of r.mismatches
      .filter(x => firstLines.includes(x.line))
      .slice(0, opt.all ? undefined : 4)) {
      console.log(`    line ${m.line}: ${m.directive}: ${m.kind}, ${m.where || 'output'}`)
      console.log(
        `      expected:\n${indent(m.expected ?? '(nothing)')}\n      got:\n${indent(m.actual ?? '(nothing)')}`,
      )
    }
    for (const v of r.invariantViolations) console.log(`    line ${v.line}: INVARIANT: ${v.text}`)
  }
  const by = s => results.filter(r => r.status === s).length
  console.log(
    `\n${results.length} traces: ${by('pass')} pass, ${by('fail')} fail, ${by('crash')} crash, ${by('skip')} skipped; ${facts} facts compared, ${missed} differ, ${waived} waived`,
  )
  if (opt.json) writeFileSync(opt.json, JSON.stringify(results, null, 2))
  return by('fail') + by('crash') === 0 ? 0 : 1
}

async function small(load, run, part) {
  if (!opt.adapter) {
    let n = 0
    for (const f of listTraces(need('data'))) {
      const cases = load(f).filter(c => c.kind !== 'invalid')
      n += cases.length
      console.log(pad(basename(f), 46) + num(cases.length, 6))
    }
    console.log(`${n} cases`)
    return 0
  }
  const adapter = (await loadAdapter())[part]
  if (!adapter) {
    console.error(`the adapter has no "${part}"`)
    return 2
  }
  let bad = 0
  let n = 0
  for (const r of await run(need('data'), adapter)) {
    n += r.cases
    bad += r.mismatches.length
    console.log(
      `${r.mismatches.length ? 'FAIL' : 'PASS'}  ${pad(r.file, 40)}${num(r.cases, 5)} cases`,
    )
    for (const m of r.mismatches)
      console.log(
        `    line ${m.line}\n      expected:\n${indent(String(m.expected))}\n      got:\n${indent(String(m.actual))}`,
      )
  }
  console.log(`${n} cases, ${bad} differ`)
  return bad ? 1 : 0
}

let code = 2
switch (command) {
  case 'parse':
    code = parse()
    break
  case 'dump': {
    const f = positionals[1]
    if (!f || !existsSync(f)) {
      console.error(USAGE)
      break
    }
    console.log(
      JSON.stringify(
        loadTrace(f).map(({ output, ...b }) => b),
        null,
        2,
      ),
    )
    code = 0
    break
  }
  case 'record': {
    const adapter = await loadAdapter()
    code = 0
    for (const f of positionals.slice(1)) {
      const r = await recordTrace(f, adapter)
      for (const v of r.invariantViolations) {
        console.error(`${f}: INVARIANT: ${v}`)
        code = 1
      }
      if (readFileSync(f, 'utf8') !== r.text) {
        writeFileSync(f, r.text)
        console.log(`wrote ${f}`)
      }
    }
    break
  }
  case 'check':
    code = await check()
    break
  case 'quorum':
    code = await small(loadQuorum, checkQuorum, 'quorum')
    break
  case 'confchange':
    code = await small(loadConfChange, checkConfChange, 'confChange')
    break
  default:
    console.error(USAGE)
}
process.exitCode = code
