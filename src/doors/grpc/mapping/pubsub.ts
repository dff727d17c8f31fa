// PubSubService as commands, as far as its calls are single ones.

import type * as message from '../../../gen/slotcast/v1/pubsub_service.ts'
import type { Mapping } from '../unary.ts'
import type { Words } from '../words.ts'
import * as read from './reading.ts'
import type { Fault } from './writing.ts'

/** Writes the command that publishes. */
export function writePublication(words: Words, publication: message.Publication): Fault {
  const { channel, payload, sharded } = publication
  words.text(sharded ? 'SPUBLISH' : 'PUBLISH')
  words.bytes(channel)
  words.bytes(payload)
  return channel.length === 0 ? 'channel is required' : null
}

const publish: Mapping<message.PublishRequest, message.PublishResponse> = {
  words: ({ publication }, words) =>
    publication === undefined ? 'publication is required' : writePublication(words, publication),
  answer: reply => ({ receivers: read.count(reply) }),
}

const listChannels: Mapping<message.ListChannelsRequest, message.ListChannelsResponse> = {
  words({ match, sharded }, words) {
    words.text('PUBSUB')
    words.text(sharded ? 'SHARDCHANNELS' : 'CHANNELS')
    if (match.length > 0) words.bytes(match)
    return null
  },
  answer: reply => ({ channels: read.items(reply).map(read.bytes) }),
}

const countSubscribers: Mapping<message.CountSubscribersRequest, message.CountSubscribersResponse> =
  {
    words({ channels, sharded }, words) {
      words.text('PUBSUB')
      words.text(sharded ? 'SHARDNUMSUB' : 'NUMSUB')
      for (const channel of channels) words.bytes(channel)
      return channels.length === 0 ? 'channels is empty' : null
    },
    answer(reply) {
      // Names and counts in turn.
      const counts = read.items(reply).filter((_, i) => i % 2 === 1)
      return { subscribers: counts.map(read.count) }
    },
  }

const countPatterns: Mapping<message.CountPatternsRequest, message.CountPatternsResponse> = {
  words(_request, words) {
    words.text('PUBSUB')
    words.text('NUMPAT')
    return null
  },
  answer: reply => ({ patterns: read.count(reply) }),
}

export const pubsubMappings = { publish, listChannels, countSubscribers, countPatterns }
