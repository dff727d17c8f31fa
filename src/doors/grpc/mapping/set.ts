// SetService as commands.

import type * as message from '../../../gen/slotcast/v1/set_service.ts'
import type { Mapping } from '../unary.ts'
import type { Words } from '../words.ts'
import * as read from './reading.ts'
import * as write from './writing.ts'

function writeMembers(
  words: Words,
  command: string,
  request: { key: Uint8Array; members: readonly Uint8Array[] },
): write.Fault {
  return (
    write.writeKeyed(words, command, request.key) ??
    write.writeAll(words, 'members', request.members)
  )
}

const add: Mapping<message.SetServiceAddRequest, message.SetServiceAddResponse> = {
  words: (request, words) => writeMembers(words, 'SADD', request),
  answer: reply => ({ added: read.count(reply) }),
}

const remove: Mapping<message.SetServiceRemoveRequest, message.SetServiceRemoveResponse> = {
  words: (request, words) => writeMembers(words, 'SREM', request),
  answer: reply => ({ removed: read.count(reply) }),
}

const isMember: Mapping<message.SetServiceIsMemberRequest, message.SetServiceIsMemberResponse> = {
  words: (request, words) => writeMembers(words, 'SMISMEMBER', request),
  answer: reply => ({ areMembers: read.items(reply).map(read.flag) }),
}

const members: Mapping<message.SetServiceMembersRequest, message.SetServiceMembersResponse> = {
  words: (request, words) => write.writeKeyed(words, 'SMEMBERS', request.key),
  answer: reply => ({ members: read.bytesOfAll(reply) }),
}

const count: Mapping<message.SetServiceCountRequest, message.SetServiceCountResponse> = {
  words: (request, words) => write.writeKeyed(words, 'SCARD', request.key),
  answer: reply => ({ count: read.count(reply) }),
}

const pop: Mapping<message.SetServicePopRequest, message.SetServicePopResponse> = {
  words(request, words) {
    const fault = write.writeKeyed(words, 'SPOP', request.key)
    words.number(request.count === 0n ? 1n : request.count)
    return fault
  },
  answer: reply => ({ members: read.bytesOfAll(reply) }),
}

const randomMembers: Mapping<
  message.SetServiceRandomMembersRequest,
  message.SetServiceRandomMembersResponse
> = {
  words(request, words) {
    const fault = write.writeKeyed(words, 'SRANDMEMBER', request.key)
    const wanted = request.count === 0n ? 1n : request.count
    words.number(request.allowRepeats ? -wanted : wanted)
    return fault
  },
  answer: reply => ({ members: read.bytesOfAll(reply) }),
}

const move: Mapping<message.SetServiceMoveRequest, message.SetServiceMoveResponse> = {
  words(request, words) {
    const { source, destination, member } = request
    words.text('SMOVE')
    words.bytes(source)
    words.bytes(destination)
    words.bytes(member)
    return write.nameFault('source', source) ?? write.nameFault('destination', destination)
  },
  answer: reply => ({ moved: read.flag(reply) }),
}

const scan: Mapping<message.SetServiceScanRequest, message.SetServiceScanResponse> = {
  words: (request, words) =>
    write.writeKeyed(words, 'SSCAN', request.key) ?? write.writePage(words, request),
  answer(reply) {
    const { found, nextPageToken } = read.page(reply)
    return { members: found, nextPageToken }
  },
}

export const setMappings = {
  add,
  remove,
  isMember,
  members,
  count,
  pop,
  randomMembers,
  move,
  scan,
}
