// Two smaller sets of data-driven files that upstream keeps for its quorum arithmetic and for
// its configuration changes. They need no nodes and no messages, so they suit the first days
// of a new core.
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { listTraces } from './check.mjs'
import { parseDataDriven, value, values } from './datadriven.mjs'
import { normConf } from './harness.mjs'
import { parseChanges, parseConfig, parseProgress } from './output.mjs'
import { renderConfig, renderProgress } from './render.mjs'

/** quorum/testdata: {line, kind:'committed'|'vote', voters, votersOutgoing, acked|votes, expected} */
export function loadQuorum(path) {
  return parseDataDriven(readFileSync(path, 'utf8'), path).map(b => {
    const voters = values(b, 'cfg').map(Number)
    const joint = values(b, 'cfgj')
    const votersOutgoing = joint[0] === 'zero' ? [] : joint.map(Number)
    const order = [...new Set([...voters, ...votersOutgoing])]
    const given = b.directive === 'vote' ? values(b, 'votes') : values(b, 'idx')
    const last = b.output.trim().split('\n').at(-1)
    if (given.length !== order.length) {
      // Upstream prints an error for these; they test its harness and not the arithmetic.
      return { line: b.line, kind: 'invalid', expected: last }
    }
    const at = new Map(order.map((id, k) => [id, given[k]]).filter(([, v]) => v !== '_'))
    if (b.directive === 'vote') {
      return {
        line: b.line,
        kind: 'vote',
        voters,
        votersOutgoing,
        votes: new Map([...at].map(([id, v]) => [id, v === 'y'])),
        expected: { VoteWon: 'won', VoteLost: 'lost', VotePending: 'pending' }[last],
      }
    }
    if (b.directive !== 'committed')
      throw new SyntaxError(`${path}:${b.line}: unknown directive ${b.directive}`)
    return {
      line: b.line,
      kind: 'committed',
      voters,
      votersOutgoing,
      acked: new Map([...at].map(([id, v]) => [id, Number(v)])),
      expected: last.endsWith('∞') ? Infinity : Number(last),
    }
  })
}

/** confchange/testdata: {line, kind, autoLeave, changes, expected: {error} | {config, progress}} */
export function loadConfChange(path) {
  return parseDataDriven(readFileSync(path, 'utf8'), path).map(b => {
    if (!['simple', 'enter-joint', 'leave-joint'].includes(b.directive))
      throw new SyntaxError(`${path}:${b.line}: unknown directive ${b.directive}`)
    const lines = b.output.trim().split('\n')
    const expected = lines[0].startsWith('voters=')
      ? { config: parseConfig(lines[0]), progress: lines.slice(1).map(parseProgress) }
      : { error: lines.join('\n') }
    return {
      line: b.line,
      kind: b.directive,
      autoLeave: value(b, 'autoleave') === 'true',
      changes: parseChanges(b.input),
      expected,
    }
  })
}

export async function checkQuorum(path, adapter) {
  const out = []
  for (const f of listTraces(path)) {
    const r = { file: basename(f), cases: 0, mismatches: [] }
    for (const c of loadQuorum(f)) {
      if (c.kind === 'invalid') continue
      const variants = [
        [c.voters, c.votersOutgoing],
        [c.votersOutgoing, c.voters],
      ] // the two halves are interchangeable
      for (const [a, b] of variants) {
        r.cases++
        const got =
          c.kind === 'vote'
            ? await adapter.voteResult(a, b, c.votes)
            : Number(await adapter.committedIndex(a, b, c.acked))
        // "No limit" may come back as any number that is larger than every index.
        const ok = c.expected === Infinity ? got >= Number.MAX_SAFE_INTEGER : got === c.expected
        if (!ok) r.mismatches.push({ line: c.line, expected: c.expected, actual: got })
      }
    }
    out.push(r)
  }
  return out
}

export async function checkConfChange(path, adapter) {
  const out = []
  for (const f of listTraces(path)) {
    const r = { file: basename(f), cases: 0, mismatches: [] }
    const changer = await adapter.newConfChanger()
    let lastIndex = 0
    for (const c of loadConfChange(f)) {
      r.cases++
      let got
      try {
        got =
          c.kind === 'simple'
            ? await changer.simple(lastIndex, c.changes)
            : c.kind === 'enter-joint'
              ? await changer.enterJoint(lastIndex, c.autoLeave, c.changes)
              : c.changes.length
                ? { error: 'no input is allowed' }
                : await changer.leaveJoint(lastIndex)
      } catch (err) {
        got = { error: String(err?.message ?? err) }
      }
      lastIndex++
      const show = x =>
        x.error !== undefined
          ? 'an error'
          : [
              renderConfig(normConf(x.config)),
              ...Object.entries(x.progress).map(([id, p]) =>
                renderProgress({ id: Number(id), recentActive: true, inflight: 0, ...p }),
              ),
            ].join('\n')
      // New members print as active or not depending on the core's taste: compare what matters.
      const want =
        c.expected.error !== undefined
          ? 'an error'
          : show({
              config: c.expected.config,
              progress: Object.fromEntries(
                c.expected.progress.map(({ id, ...p }) => [id, { ...p, recentActive: true }]),
              ),
            })
      const have =
        got.error !== undefined
          ? 'an error'
          : show({
              config: got.config,
              progress: Object.fromEntries(
                Object.entries(got.progress).map(([id, p]) => [
                  id,
                  {
                    state: p.state,
                    match: Number(p.match),
                    next: Number(p.next),
                    isLearner: Boolean(p.isLearner),
                    recentActive: true,
                  },
                ]),
              ),
            })
      if (want !== have)
        r.mismatches.push({
          line: c.line,
          expected: c.expected.error ?? want,
          actual: got.error ?? have,
        })
    }
    out.push(r)
  }
  return out
}
