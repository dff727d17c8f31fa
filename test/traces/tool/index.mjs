// What a test suite needs of the tool, in one place.
// biome-ignore-all lint/performance/noBarrelFile: the entry of a tool that also stands alone
export {
  checkAll,
  checkTrace,
  countFacts,
  listTraces,
  loadTrace,
  recordTrace,
} from './lib/check.mjs'
export { Comparison } from './lib/compare.mjs'
export { parseDataDriven, parseDirective } from './lib/datadriven.mjs'
export { checkConfChange, checkQuorum, loadConfChange, loadQuorum } from './lib/extra.mjs'
export { Harness, Unsupported } from './lib/harness.mjs'
export { MemoryStorage, StorageError } from './lib/memory-storage.mjs'
export {
  APPEND_THREAD,
  APPLY_THREAD,
  logFacts,
  parseChanges,
  parseConfig,
  parseEntry,
  parseOutput,
  parseProgress,
  summarize,
} from './lib/output.mjs'
export { renderEntry, renderEvents, renderMessage } from './lib/render.mjs'
