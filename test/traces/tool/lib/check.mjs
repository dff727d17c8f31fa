// Loading traces, and checking an adapter against them.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Comparison, Counter } from './compare.mjs'
import { parseDataDriven } from './datadriven.mjs'
import { Harness, normConf, Unsupported } from './harness.mjs'
import { parseOutput, summarize } from './output.mjs'
import { renderEvents } from './render.mjs'

/** Trace files of a directory (or one file), in order. */
export function listTraces(path) {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path)
    .filter(f => f.endsWith('.txt'))
    .sort()
    .map(f => join(path, f))
}

/**
 * One trace as data: a list of
 * {line, directive, args, input, output, comment, events, expected}, where `events` is the ordered
 * structure of the expected output and `expected` the same facts as flat lists.
 */
export function loadTrace(path) {
  return parseDataDriven(readFileSync(path, 'utf8'), path).map(block => {
    try {
      const events = parseOutput(block.output)
      return { ...block, events, expected: summarize(events) }
    } catch (err) {
      throw new SyntaxError(`${path}:${block.line}: ${err.message}`, { cause: err })
    }
  })
}

/** How many comparable facts a list of blocks holds, by kind. */
export function countFacts(blocks) {
  const c = new Counter()
  for (const b of blocks) {
    c.events(b.events)
    c.after(b.events)
  }
  return c.c.facts
}

// Outside quiet mode every event shows; in quiet mode only the directive's own error does.
const OWN_ERRORS = new Set(['campaign', 'propose', 'propose-conf-change'])

/**
 * Run one trace against an adapter.
 * @param {string} path
 * @param {import('../adapter.d.ts').RaftTraceAdapter} adapter
 * @param {import('../adapter.d.ts').CheckOptions} [options]
 * @returns {Promise<import('../adapter.d.ts').TraceResult>}
 */
export async function checkTrace(path, adapter, options = {}) {
  const file = basename(path)
  const blocks = loadTrace(path)
  const result = {
    file,
    status: 'pass',
    facts: {},
    mismatches: [],
    waived: [],
    invariantViolations: [],
    directives: blocks.length,
    ran: 0,
  }
  const harness = new Harness(adapter)
  const memory = {}
  const waivers = (options.waivers ?? []).filter(w => w.file === file)
  for (const block of blocks) {
    const cmp = new Comparison(options)
    const statuses = new Map()
    let crash
    try {
      const { events, quiet } = await harness.run(block)
      const shown = quiet
        ? events.filter(e => e.t === 'error' && OWN_ERRORS.has(block.directive))
        : events
      cmp.events('', block.events, shown)
      for (const n of harness.nodes) {
        const s = await n.node.status()
        statuses.set(n.id, { ...s, config: normConf(s.config) })
      }
      if (options.logFacts !== false) cmp.after('', block.events, id => statuses.get(id))
      if (options.invariants !== false)
        for (const text of await harness.invariants(memory))
          if (!result.invariantViolations.some(v => v.text === text))
            result.invariantViolations.push({ line: block.line, text })
      result.ran++
    } catch (err) {
      if (err instanceof Unsupported) {
        result.status = 'skip'
        result.reason = `needs ${err.message}`
        return result
      }
      crash = err
    }
    for (const [k, n] of Object.entries(cmp.facts)) result.facts[k] = (result.facts[k] ?? 0) + n
    for (const m of cmp.mismatches) {
      const entry = {
        line: block.line,
        directive: [
          block.directive,
          ...block.args.map(a =>
            a.vals.length
              ? `${a.key}=${a.vals.length > 1 ? `(${a.vals.join(',')})` : a.vals[0]}`
              : a.key,
          ),
        ].join(' '),
        ...m,
      }
      const waiver = waivers.find(
        w => w.line === block.line && (w.kind === undefined || w.kind === m.kind),
      )
      if (waiver) result.waived.push({ ...entry, reason: waiver.reason })
      else result.mismatches.push(entry)
    }
    if (crash) {
      result.status = 'crash'
      result.reason = `line ${block.line} (${block.directive}): ${crash.stack ?? crash}`
      return result
    }
    if (options.stopAtFirst && result.mismatches.length) break
  }
  if (result.mismatches.length || result.invariantViolations.length) result.status = 'fail'
  return result
}

/** Run every trace of a directory. */
export async function checkAll(path, adapter, options = {}) {
  const out = []
  for (const f of listTraces(path)) {
    if (options.only && !basename(f).includes(options.only)) continue
    out.push(await checkTrace(f, adapter, options))
  }
  return out
}

/**
 * Run a trace and write what happened as its expected output: for scenarios of one's own, recorded
 * with a core that is known to be right. Keeps everything but the output.
 */
export async function recordTrace(path, adapter) {
  const source = readFileSync(path, 'utf8')
  const blocks = parseDataDriven(source, path)
  const harness = new Harness(adapter)
  const lines = source.split('\n')
  const out = []
  let i = 0
  for (const block of blocks) {
    for (; i < block.line - 1; i++) out.push(lines[i])
    while (lines[i] !== '----') out.push(lines[i++])
    out.push('----')
    const { events, quiet } = await harness.run(block)
    out.push(
      renderEvents(
        quiet ? events.filter(e => e.t === 'error' && OWN_ERRORS.has(block.directive)) : events,
      ),
    )
    for (i++; i < lines.length && lines[i].trim() !== ''; i++);
  }
  const bad = await harness.invariants({})
  return { text: `${out.join('\n').trimEnd()}\n`, invariantViolations: bad }
}
