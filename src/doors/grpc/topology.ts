// The slot map as messages: whole for those who route, and one slot's place for redirects.

import type { Endpoint, SlotMoved, Topology } from '../../gen/slotcast/v1/topology.ts'
import type { Redirect } from '../../machine/reply.ts'
import type { Desk, MapView } from './desk.ts'

type Atlas = Pick<Desk, 'map' | 'leaderOf'>
type NodeView = MapView['nodes'] extends ReadonlyMap<number, infer V> ? V : never

function endpoint(node: NodeView): Endpoint {
  return { nodeId: node.name, host: node.grpc.host, port: node.grpc.port }
}

/** Where a redirect leads, as this node's map knows it. */
export function slotMoved(atlas: Atlas, redirect: Redirect): SlotMoved {
  const map = atlas.map()
  const shard = map.shards.get(redirect.shard)
  const leader = map.nodes.get(redirect.leader)
  const replicas: Endpoint[] = []
  for (const id of shard?.voters ?? []) {
    const node = map.nodes.get(id)
    if (id !== redirect.leader && node !== undefined) replicas.push(endpoint(node))
  }
  const { slot } = redirect
  const range = shard?.ranges.find(({ first, last }) => first <= slot && slot <= last)
  return {
    slot,
    configEpoch: BigInt(redirect.epoch),
    shardId: redirect.shard,
    leader: leader === undefined ? undefined : endpoint(leader),
    replicas,
    range,
  }
}

/** The whole map. `self` is the name of this node. */
export function topology(atlas: Atlas, self: string): Topology {
  const map = atlas.map()
  const name = (id: number): string => map.nodes.get(id)?.name ?? ''
  return {
    clusterId: map.clusterId,
    configEpoch: BigInt(map.epoch),
    nodeId: self,
    nodes: [...map.nodes.values()].map(node => ({
      nodeId: node.name,
      grpc: endpoint(node),
      resp: { nodeId: node.name, host: node.resp.host, port: node.resp.port },
      hostLabel: node.hostLabel,
    })),
    shards: [...map.shards.values()].map(shard => ({
      shardId: shard.id,
      ranges: shard.ranges.map(({ first, last }) => ({ first, last })),
      replicaNodeIds: shard.voters.map(name),
      leaderNodeId: name(atlas.leaderOf(shard.id)),
    })),
  }
}
