// One node as a process: its parts made from the configuration, its doors opened, and both ended in order.

import { flushCompileCache } from 'node:module'
import type { OperationalError } from './base/errors.ts'
import { Metrics } from './base/metrics.ts'
import type { Broker } from './broker/broker.ts'
import type { NodeConfig } from './config.ts'
import { formatAddress, loadConfig, printableSettings } from './config.ts'
import { AdminDoor } from './doors/admin/server.ts'
import { GrpcDoor } from './doors/grpc/server.ts'
import { PeerDoor } from './doors/peer/server.ts'
import { RESP_LIMITS, RespDoor } from './doors/resp/server.ts'
import { type Node, startNode } from './node.ts'
import { NodeDisk } from './storage/node-disk.ts'
import {
  EXIT_OPERATIONAL,
  exitOnUncaught,
  exitWith,
  makeLog,
  makeProcessPort,
  measureProcess,
  type SystemLog,
  silenceGrpc,
  systemClock,
  systemProcesses,
  systemRandom,
  tuneMemory,
} from './system.ts'
import type { SlotMap } from './topology/slot-map.ts'

/** A stop that takes longer is ended: whoever stops nodes counts on five seconds. */
const STOP_MS_MAX = 4_500
/** How long clients may take to read their last answers. */
const DOOR_CLOSE_MS = 1_000
/**
 * How long clients are still told where to go once everything is handed over: who was
 * answered just now, and asks again at once, would else find its connection closed.
 */
const DRAIN_MS = 100

type Environment = Readonly<Record<string, string>>
type Done = (error: OperationalError | null) => void

/** A door, with its ways to open and close. */
type Opening = {
  readonly open: (done: Done) => void
  readonly close: (done: () => void) => void
  /** Peers learn at once that this node is gone, clients a little later. */
  readonly isForClients?: true
}

/** Runs the node that `files`, the environment and `overrides` to it describe, until a signal. */
export function serveNode(files: readonly string[], overrides: Environment = {}): void {
  tuneMemory()
  const { config, settings } = loadConfig(files, { ...process.env, ...overrides })
  const log = makeLog(config.node.log.level, config.node.name)
  exitOnUncaught(log)
  silenceGrpc()
  log.logger.info({ pid: process.pid, node: process.version }, 'starting')
  log.logger.info(printableSettings(settings), 'effective configuration')
  const metrics = new Metrics()
  measureProcess(metrics)
  let peerDoor: PeerDoor | null = null
  let stop: (why: string) => void = () => {}
  const node = startNode(
    {
      clock: systemClock,
      random: systemRandom,
      disk: new NodeDisk(),
      logger: log.logger,
      metrics,
      processes: systemProcesses,
      process: makeProcessPort(),
      setLogLevel: log.setLevel,
      shutdown: () => stop('SHUTDOWN'),
      exit: (code, reason) => exitWith(log, code, reason),
      network: (listener, identity) => {
        peerDoor = new PeerDoor({
          listener,
          identity,
          listen: config.node.peer.listen,
          peers: config.node.seeds,
          bufferBytesMax: config.cluster.peers.bufferBytesMax,
          logger: log.logger,
          metrics,
        })
        return peerDoor
      },
    },
    config,
  )
  if (peerDoor === null) throw new Error('the node asked for no network')
  const doors = makeDoors(config, node, peerDoor, metrics, log)
  openInTurn(doors, error => {
    if (error !== null) exitWith(log, EXIT_OPERATIONAL, error.message)
    log.logger.info({ resp: formatAddress(config.node.resp.listen) }, 'doors open')
    // At the end of a process it is kept by itself, but a node may be killed before.
    flushCompileCache()
  })
  stop = stopOnSignal(node, doors, log)
}

function makeDoors(
  config: NodeConfig,
  node: Node,
  peerDoor: PeerDoor,
  metrics: Metrics,
  log: SystemLog,
): readonly Opening[] {
  const { logger } = log
  const { resp, grpc, admin, name } = config.node
  const broker: Broker = node.broker
  const adminDoor = new AdminDoor({
    listen: admin.listen,
    metrics,
    logger,
    ready: () => node.ready(),
    topology: () => topologyOf(node.map(), broker),
    desk: broker,
    allowOrigins: admin.allowOrigins,
  })
  const { sessionOutputBytesMax } = config.cluster.limits
  const respDoor = new RespDoor(broker, {
    ...resp.listen,
    logger,
    metrics,
    limits: { ...RESP_LIMITS, outputBytesMax: sessionOutputBytesMax },
  })
  const grpcDoor = new GrpcDoor(broker, {
    ...grpc.listen,
    nodeName: name,
    logger,
    metrics,
    limits: config.cluster.grpc,
  })
  return [
    // Health can be asked from the first moment; clients come last.
    { open: done => adminDoor.open(done), close: done => adminDoor.close(done) },
    { open: done => peerDoor.open(done), close: done => peerDoor.close(done) },
    {
      isForClients: true,
      open: done => grpcDoor.listen(done),
      close: done => {
        const timer = setTimeout(() => grpcDoor.kill(), DOOR_CLOSE_MS)
        grpcDoor.stop(() => {
          clearTimeout(timer)
          done()
        })
      },
    },
    {
      isForClients: true,
      open: done => respDoor.listen(done),
      close: done => respDoor.stop(done),
    },
  ]
}

function openInTurn(doors: readonly Opening[], done: Done): void {
  const [first, ...rest] = doors
  if (first === undefined) {
    done(null)
    return
  }
  first.open(error => {
    if (error !== null) done(error)
    else openInTurn(rest, done)
  })
}

/**
 * SIGTERM, SIGINT, or the end of the supervisor: leaders hand over, doors close, exit code 0.
 *
 * @returns the same for whoever has another reason
 */
function stopOnSignal(
  node: Node,
  doors: readonly Opening[],
  log: SystemLog,
): (why: string) => void {
  let stopping = false
  const stop = (why: string): void => {
    if (stopping) return
    stopping = true
    log.logger.info({ why }, 'stopping')
    const leave = (): never => {
      log.logger.info({}, 'stopped')
      log.flush()
      process.exit(0)
    }
    setTimeout(leave, STOP_MS_MAX)
    node.stop(() => {
      let open = doors.length
      for (const door of doors) {
        const close = (): void =>
          door.close(() => {
            open -= 1
            if (open === 0) leave()
          })
        if (door.isForClients) setTimeout(close, DRAIN_MS)
        else close()
      }
    })
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  // The supervisor holds the other end: when it goes, however it goes, so does the node.
  if (process.channel !== undefined) process.on('disconnect', () => stop('the supervisor is gone'))
  return stop
}

function topologyOf(map: SlotMap, broker: Broker): unknown {
  return {
    epoch: map.epoch,
    clusterId: map.clusterId,
    nodes: [...map.nodes.values()],
    shards: [...map.shards.values()].map(shard => ({
      ...shard,
      leader: broker.leaderOf(shard.id),
    })),
  }
}
