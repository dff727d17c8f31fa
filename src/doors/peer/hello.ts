// The handshake: what two nodes must share before one believes a word of the other.

import type { NodeId } from '../../base/types.ts'
import type { Hello } from '../../gen/slotcast/peer/v1/peer.ts'
import { PROTOCOL_VERSION } from './codec.ts'

/** Who this node is, and what it knows of others. */
export type PeerIdentity = {
  readonly id: NodeId
  /** Random id of the data directory. */
  readonly incarnation: string
  readonly clusterName: string
  /** Hash over the options that all nodes agree on. */
  readonly fingerprint: string
  /** The incarnation that the cluster knows for a peer, or null when it knows none yet. */
  readonly incarnationOf: (peer: NodeId) => string | null
}

export function helloOf(identity: PeerIdentity): Hello {
  return {
    protocol: PROTOCOL_VERSION,
    cluster: identity.clusterName,
    fingerprint: identity.fingerprint,
    node: identity.id,
    incarnation: identity.incarnation,
  }
}

/**
 * Why this node does not talk to who says `hello`, in one line, or null.
 *
 * A peer whose data directory is not the one the cluster knows has forgotten its
 * votes and its log, so it must not count as the node it says it is.
 */
export function refusalOf(
  identity: PeerIdentity,
  hello: Hello | undefined,
  isPeer: (node: NodeId) => boolean,
): string | null {
  if (hello === undefined) return 'no hello'
  if (hello.protocol !== PROTOCOL_VERSION) {
    return `peer protocol ${hello.protocol} is not ${PROTOCOL_VERSION}`
  }
  if (hello.cluster !== identity.clusterName) {
    return `cluster "${hello.cluster}" is not "${identity.clusterName}"`
  }
  if (hello.fingerprint !== identity.fingerprint) {
    return `n${hello.node} and n${identity.id} differ in options that all nodes must agree on`
  }
  if (hello.node === identity.id) return `n${hello.node} is taken`
  if (!isPeer(hello.node)) return `n${hello.node} is not among the seeds of n${identity.id}`
  const known = identity.incarnationOf(hello.node)
  if (known !== null && known !== hello.incarnation) {
    return `n${hello.node} has another data directory than the cluster knows`
  }
  return null
}
