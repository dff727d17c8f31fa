// ClusterService: the map, once or as it changes.

import type { handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js'
import type {
  GetTopologyRequest,
  GetTopologyResponse,
  WatchTopologyRequest,
  WatchTopologyResponse,
} from '../../gen/slotcast/v1/cluster_service.ts'
import type { Desk } from './desk.ts'
import { topology } from './topology.ts'

type Watching = Parameters<
  handleServerStreamingCall<WatchTopologyRequest, WatchTopologyResponse>
>[0]

export class Cluster {
  readonly #desk: Desk
  readonly #self: string
  readonly #watching = new Set<Watching>()

  constructor(desk: Desk, self: string) {
    this.#desk = desk
    this.#self = self
  }

  readonly getTopology: handleUnaryCall<GetTopologyRequest, GetTopologyResponse> = (
    _call,
    callback,
  ) => callback(null, { topology: topology(this.#desk, this.#self) })

  /**
   * Tells the map at once and after each change. A watcher that does not read gets
   * the newest map when it does, and none of those between.
   */
  readonly watchTopology: handleServerStreamingCall<WatchTopologyRequest, WatchTopologyResponse> =
    call => {
      let full = false
      let stale = false
      const tell = (): void => {
        stale = full
        if (full) return
        full = !call.write({ topology: topology(this.#desk, this.#self) })
      }
      const unwatch = this.#desk.watchTopology(tell)
      this.#watching.add(call)
      call.on('drain', () => {
        full = false
        if (stale) tell()
      })
      const leave = (): void => {
        unwatch()
        this.#watching.delete(call)
      }
      call.on('cancelled', leave)
      call.on('error', leave)
      tell()
    }

  /** Ends all watches, for a door that closes: they would keep it open. */
  endWatches(): void {
    for (const call of this.#watching) call.end()
  }
}
