// Puts a planted bug into the product while it is loaded: no test code in src, no second copy of it.
//
// A loader hook replaces a piece of one source file's text before it is compiled.
// The original text must be there exactly once, or loading fails: a plant that no
// longer fits must be mended, not silently do nothing.
//
// `node --import ./test/sim/plant.ts` plants what the variable PLANT names, for
// bugs that other tests than the simulator catch.

import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { PLANTED, type Planted } from './planted.ts'

const ROOT = new URL('../../', import.meta.url)

export function plant(name: string): void {
  const bug = PLANTED.find(each => each.name === name)
  if (bug === undefined)
    throw new Error(`there is no planted bug ${name}; there are ${PLANTED.map(each => each.name)}`)
  plantAll(bug.edits)
}

function plantAll(edits: Planted['edits']): void {
  const byUrl = new Map<string, Planted['edits'][number][]>()
  for (const edit of edits) {
    const url = new URL(edit.file, ROOT).href
    byUrl.set(url, [...(byUrl.get(url) ?? []), edit])
  }
  // Read now, so that a plant that does not fit fails even if its file is loaded late.
  for (const [url, own] of byUrl) patched(readFileSync(fileURLToPath(url), 'utf8'), own)
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const own = byUrl.get(url)
      if (own === undefined) return loaded
      return { ...loaded, source: patched(String(loaded.source), own) }
    },
  })
}

function patched(source: string, edits: readonly Planted['edits'][number][]): string {
  let text = source
  for (const { file, from, to } of edits) {
    const parts = text.split(from)
    if (parts.length !== 2)
      throw new Error(`${file} has the text to be replaced ${parts.length - 1} times:\n${from}`)
    text = parts.join(to)
  }
  return text
}

const { PLANT: wanted } = process.env
const isImported = pathToFileURL(process.argv[1] ?? '').href !== import.meta.url
if (wanted !== undefined && isImported) plant(wanted)
