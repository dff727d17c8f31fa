// What CONFIG SET may change while a node runs, as its configuration has it at the start.

import { type RedisLogLevel, Settings } from './broker/settings.ts'
import type { LogLevel, NodeConfig } from './config.ts'

/** Our levels of the log in Redis' words, and the other way about. */
const REDIS_LOG_LEVELS = {
  debug: 'debug',
  info: 'notice',
  warn: 'warning',
  error: 'nothing',
} as const satisfies Record<LogLevel, RedisLogLevel>
const LOG_LEVELS: Readonly<Record<RedisLogLevel, LogLevel>> = {
  debug: 'debug',
  verbose: 'info',
  notice: 'info',
  warning: 'warn',
  nothing: 'error',
}

/** @param setLogLevel told of each new level */
export function settingsOf(
  { cluster, node }: NodeConfig,
  setLogLevel: (level: LogLevel) => void,
): Settings {
  const settings = new Settings({
    memoryBytesMax: cluster.limits.memoryBytesMax,
    clientsMax: cluster.limits.connectionsMax,
    slowerThanMicros: node.slowLog.slowerThanMicros,
    slowLogLengthMax: node.slowLog.lengthMax,
    logLevel: REDIS_LOG_LEVELS[node.log.level],
  })
  let { logLevel } = settings
  settings.onChange(() => {
    if (settings.logLevel === logLevel) return
    logLevel = settings.logLevel
    setLogLevel(LOG_LEVELS[logLevel])
  })
  return settings
}
