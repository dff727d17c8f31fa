// The gRPC door: one HTTP/2 server, the client API, health and reflection.
//
// Typed calls and Execute are unary (unary.ts); the fast path is a Session
// (session-stream.ts). All of them speak argv to the desk, so that both doors of a
// node mean the same.

import {
  status as codes,
  type handleBidiStreamingCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import { HealthImplementation } from 'grpc-health-check'
import { OperationalError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { Logger } from '../../base/log.ts'
import { type Counter, Metrics } from '../../base/metrics.ts'
import { AdminServiceService } from '../../gen/slotcast/v1/admin_service.ts'
import { ClusterServiceService } from '../../gen/slotcast/v1/cluster_service.ts'
import {
  CommandServiceService,
  type ExecuteRequest,
} from '../../gen/slotcast/v1/command_service.ts'
import type { ConsumeRequest, ConsumeResponse } from '../../gen/slotcast/v1/consume.ts'
import { GroupServiceService } from '../../gen/slotcast/v1/group_service.ts'
import { KeyServiceService } from '../../gen/slotcast/v1/key_service.ts'
import { ListServiceService } from '../../gen/slotcast/v1/list_service.ts'
import type { SubscribeRequest } from '../../gen/slotcast/v1/pubsub.ts'
import { PubSubServiceService } from '../../gen/slotcast/v1/pubsub_service.ts'
import { SetServiceService } from '../../gen/slotcast/v1/set_service.ts'
import { StreamServiceService } from '../../gen/slotcast/v1/stream_service.ts'
import { StringServiceService } from '../../gen/slotcast/v1/string_service.ts'
import type { Reply } from '../../machine/reply.ts'
import { Cluster } from './cluster.ts'
import { ConsumeCall, type ConsumeTools } from './consume/consume-call.ts'
import type { Desk } from './desk.ts'
import { adminMappings } from './mapping/admin.ts'
import { groupMappings } from './mapping/group.ts'
import { keyMappings } from './mapping/key.ts'
import { listMappings } from './mapping/list.ts'
import { pubsubMappings } from './mapping/pubsub.ts'
import { setMappings } from './mapping/set.ts'
import { streamMappings } from './mapping/stream.ts'
import { stringMappings } from './mapping/string.ts'
import { publishBatch } from './pubsub/publish-batch.ts'
import { SubscribeCall, type SubscribeTools } from './pubsub/subscribe-call.ts'
import { reflectionService } from './reflection.ts'
import { ReplyWriter } from './reply-writer.ts'
import { SessionStream, type SessionTools, sessionFault } from './session-stream.ts'
import { type Mapping, Unary } from './unary.ts'
import { Frame, varintBytes } from './wire.ts'
import { Words } from './words.ts'

/** Around the words of a command: tags, lengths and the producer's mark. */
const MESSAGE_SLACK_BYTES = 1024 * 1024
/** How often the health service looks at the node. */
const HEALTH_MS = 200
/** How long a door that stops waits for what is under way. */
const STOP_MS = 2000
/** Field `reply` of ExecuteResponse. */
const EXECUTE_REPLY = 0x0a

/** PubSubService, whose frames to subscribers are written by hand. */
const RAW_PUBSUB_SERVICE = {
  ...PubSubServiceService,
  subscribe: {
    ...PubSubServiceService.subscribe,
    responseSerialize: (frame: Buffer): Buffer => frame,
    responseDeserialize: (bytes: Buffer): Buffer => bytes,
  },
}

/** The services whose calls are single commands. */
const TYPED_SERVICES: readonly (readonly [object, Record<string, Mapping<never, unknown>>])[] = [
  [StreamServiceService, streamMappings],
  [GroupServiceService, groupMappings],
  [ListServiceService, listMappings],
  [StringServiceService, stringMappings],
  [SetServiceService, setMappings],
  [KeyServiceService, keyMappings],
  [AdminServiceService, adminMappings],
  [RAW_PUBSUB_SERVICE, pubsubMappings],
]

/** The name of a service stands in the path of each of its calls. */
function serviceName(definition: object): string {
  const [first] = Object.values(definition as ServiceDefinition)
  return first?.path.split('/')[1] ?? ''
}

/** What health is asked of: the node, and each service. */
const SERVICES = [
  '',
  ...TYPED_SERVICES.map(([definition]) => serviceName(definition)),
  serviceName(ClusterServiceService),
  serviceName(CommandServiceService),
]

/** What an operator may tune (config-table.ts). */
export type GrpcLimits = {
  /** How often a connection is pinged; 0: never. */
  readonly keepaliveMs: number
  /** How long it may take to answer. */
  readonly keepaliveTimeoutMs: number
  /** Calls of one connection at a time. */
  readonly streamsMax: number
  /** One message from a client. */
  readonly messageBytesMax: number
}

const LIMITS_DEFAULT: GrpcLimits = {
  keepaliveMs: 20_000,
  keepaliveTimeoutMs: 10_000,
  streamsMax: 10_000,
  messageBytesMax: limits.commandBytesMax + MESSAGE_SLACK_BYTES,
}

export type GrpcDoorOptions = {
  /** Where to listen; port 0 takes a free one. */
  readonly host: string
  readonly port: number
  /** The node's name, as the map has it. */
  readonly nodeName: string
  readonly logger: Logger
  readonly metrics?: Metrics
  readonly limits?: GrpcLimits
  /** How long `stop` waits for what is under way. */
  readonly stopMs?: number
}

export class GrpcDoor {
  readonly #desk: Desk
  readonly #options: GrpcDoorOptions
  readonly #server: Server
  readonly #cluster: Cluster
  readonly #sessions = new Set<SessionStream>()
  readonly #consumers = new Set<ConsumeCall>()
  readonly #subscribers = new Set<SubscribeCall>()
  readonly #slow: Counter
  /** Streams with something to send. */
  #gathered: (SessionStream | ConsumeCall | SubscribeCall)[] = []
  readonly #health = new HealthImplementation()
  #serving: boolean | null = null
  #healthTimer: NodeJS.Timeout | null = null
  #stopping = false

  constructor(desk: Desk, options: GrpcDoorOptions) {
    this.#desk = desk
    this.#options = options
    this.#cluster = new Cluster(desk, options.nodeName)
    const { keepaliveMs, keepaliveTimeoutMs, streamsMax, messageBytesMax } =
      options.limits ?? LIMITS_DEFAULT
    this.#server = new Server({
      'grpc.keepalive_time_ms': keepaliveMs,
      'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
      'grpc.max_receive_message_length': messageBytesMax,
      'grpc.max_send_message_length': -1,
      'grpc.max_concurrent_streams': streamsMax,
      // Only with channelz does grpc-js know its connections, and so can end them in kill.
      'grpc.enable_channelz': 1,
      'grpc.so_reuseport': 0,
    })
    const metrics = options.metrics ?? new Metrics()
    this.#slow = metrics.counter(
      'grpc_output_limit_total',
      'Subscribers cut because too much waited for them (client-output-buffer-limit)',
    )
    metrics.gauge({
      name: 'grpc_subscribers',
      help: 'Open PubSubService.Subscribe streams',
      read: () => this.#subscribers.size,
    })
    this.#addServices()
    this.#health.addToServer(this.#server)
    reflectionService().addToServer(this.#server)
    desk.onFlush(() => this.#flush())
    desk.watchTopology(() => this.#lookAtHealth())
  }

  /** Begins to listen. `done` gets the bound port, or why there is none. */
  listen(done: (error: OperationalError | null, port: number) => void): void {
    const { host, port, logger } = this.#options
    const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
    this.#server.bindAsync(authority, ServerCredentials.createInsecure(), (error, bound) => {
      if (error !== null) {
        done(new OperationalError('PORT', `gRPC cannot listen on ${authority}`, error), 0)
        return
      }
      logger.info({ host, port: bound }, 'grpc door open')
      this.#lookAtHealth()
      this.#healthTimer = setInterval(() => this.#lookAtHealth(), HEALTH_MS)
      this.#healthTimer.unref()
      done(null, bound)
    })
  }

  /**
   * Tells health watchers, takes no new calls, answers what is under way, and ends
   * sessions and watches, which would never end by themselves. What is not answered
   * within `stopMs` is cut off.
   */
  stop(done: () => void): void {
    this.#stopping = true
    this.#lookAtHealth()
    if (this.#healthTimer !== null) clearInterval(this.#healthTimer)
    for (const session of this.#sessions) session.finish()
    for (const consumer of this.#consumers) consumer.finish('the node stops')
    for (const subscriber of this.#subscribers) subscriber.finish('the node stops')
    this.#cluster.endWatches()
    const force = setTimeout(() => this.kill(), this.#options.stopMs ?? STOP_MS)
    this.#server.tryShutdown(() => {
      clearTimeout(force)
      done()
    })
  }

  /** Ends everything now. */
  kill(): void {
    if (this.#healthTimer !== null) clearInterval(this.#healthTimer)
    const streams = [...this.#sessions, ...this.#consumers, ...this.#subscribers]
    for (const stream of streams) stream.fail(codes.UNAVAILABLE, 'the node stopped')
    // A moment for the statuses of the sessions to leave.
    setImmediate(() => this.#server.forceShutdown())
  }

  #addServices(): void {
    const unary = new Unary(this.#desk, this.#localAddress)
    for (const [definition, mappings] of TYPED_SERVICES) {
      const handlers = Object.entries(mappings).map(([name, mapping]) => [
        name,
        unary.handler(mapping as Mapping<object, unknown>),
      ])
      this.#server.addService(definition as ServiceDefinition, {
        ...Object.fromEntries(handlers),
        ...(definition === GroupServiceService && { consume: this.#consumeHandler() }),
        ...(definition === RAW_PUBSUB_SERVICE && {
          publishBatch: publishBatch(this.#desk, () => this.#localAddress),
          subscribe: this.#subscribeHandler(),
        }),
      })
    }
    this.#server.addService(ClusterServiceService, {
      getTopology: this.#cluster.getTopology,
      watchTopology: this.#cluster.watchTopology,
    })
    this.#server.addService(RAW_COMMAND_SERVICE, {
      execute: unary.handler(executeMapping(new ReplyWriter())),
      session: this.#sessionHandler(),
    })
  }

  #sessionHandler(): handleBidiStreamingCall<Buffer, Buffer> {
    const tools: SessionTools = {
      desk: this.#desk,
      words: new Words(),
      writer: new ReplyWriter(),
      gathered: session => this.#gathered.push(session),
    }
    return call => {
      if (this.#refuses(call)) return
      const session = new SessionStream(call, tools, call.getPeer(), this.#localAddress)
      this.#sessions.add(session)
      call.on('cancelled', () => this.#sessions.delete(session))
    }
  }

  #consumeHandler(): handleBidiStreamingCall<ConsumeRequest, ConsumeResponse> {
    const tools: ConsumeTools = {
      desk: this.#desk,
      words: new Words(),
      nodeName: this.#options.nodeName,
      gathered: call => this.#gathered.push(call),
    }
    return call => {
      if (this.#refuses(call)) return
      const consumer = new ConsumeCall(call, tools, call.getPeer(), this.#localAddress)
      this.#consumers.add(consumer)
      call.on('cancelled', () => this.#consumers.delete(consumer))
    }
  }

  #subscribeHandler(): handleBidiStreamingCall<SubscribeRequest, Buffer> {
    const tools: SubscribeTools = {
      desk: this.#desk,
      words: new Words(),
      nodeName: this.#options.nodeName,
      gathered: call => this.#gathered.push(call),
      slow: (address, reason) => {
        this.#slow.add()
        this.#options.logger.warn({ address, reason }, 'slow client cut off')
      },
      now: () => performance.now(),
    }
    return call => {
      if (this.#refuses(call)) return
      const subscriber = new SubscribeCall(call, tools, call.getPeer(), this.#localAddress)
      this.#subscribers.add(subscriber)
      call.on('cancelled', () => this.#subscribers.delete(subscriber))
    }
  }

  /** A door that stops begins nothing new. */
  #refuses(call: { emit(event: 'error', error: Error): unknown }): boolean {
    if (!this.#stopping) return false
    const details = 'the node is stopping'
    call.emit('error', Object.assign(new Error(details), { code: codes.UNAVAILABLE, details }))
    return true
  }

  get #localAddress(): string {
    return `${this.#options.host}:${this.#options.port}`
  }

  #flush(): void {
    if (this.#gathered.length === 0) return
    const gathered = this.#gathered
    this.#gathered = []
    for (const session of gathered) session.flush()
  }

  #lookAtHealth(): void {
    const serving = !this.#stopping && this.#desk.health() === null
    if (serving === this.#serving) return
    this.#serving = serving
    const status = serving ? 'SERVING' : 'NOT_SERVING'
    for (const service of SERVICES) this.#health.setStatus(service, status)
  }
}

/** CommandService with messages that are bytes where the generated code would be slow. */
const RAW_COMMAND_SERVICE = {
  execute: {
    ...CommandServiceService.execute,
    responseSerialize: (response: Buffer): Buffer => response,
    responseDeserialize: (bytes: Buffer): Buffer => bytes,
  },
  session: {
    ...CommandServiceService.session,
    requestSerialize: (frame: Buffer): Buffer => frame,
    requestDeserialize: (bytes: Buffer): Buffer => bytes,
    responseSerialize: (frame: Buffer): Buffer => frame,
    responseDeserialize: (bytes: Buffer): Buffer => bytes,
  },
}

function executeMapping(writer: ReplyWriter): Mapping<ExecuteRequest, Buffer> {
  return {
    words(request, words) {
      if (request.argv.length === 0) return 'argv is empty'
      for (const word of request.argv) words.bytes(word)
      const fault = words.finish()
      return fault ?? sessionFault(words)
    },
    answer(reply: Reply): Buffer {
      const bytes = writer.measure(reply)
      const frame = new Frame(bytes + 1 + varintBytes(bytes))
      frame.byte(EXECUTE_REPLY)
      frame.varint(bytes)
      writer.write(frame, reply)
      return frame.take()
    },
    alone: () => true,
  }
}
