// RabbitMQ as a contender: three nodes, one quorum queue with a replica on each, publisher confirms.
//
// The nodes and their port mapper (epmd) are this run's own: own names, ports,
// directories and cookie, all on the loopback address.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'amqplib'
import { descendants, freePortBase, isInstalled, listens, Service } from './processes.ts'

const NODES = 3
const START_SECONDS = 120
const EPMD_SECONDS = 20
const QUEUE = 'bench'
/** The script of Debian's wrapper changes the user; this one does not. */
const PROGRAM = '/usr/lib/rabbitmq/bin/rabbitmq-server'

export const hasRabbit = (): boolean => isInstalled('rabbitmq-server') && isInstalled('epmd')

export class RabbitCluster {
  readonly #services: Service[] = []
  #epmd: Service | null = null
  #portBase = 0

  static async start(directory: string): Promise<RabbitCluster> {
    const cluster = new RabbitCluster()
    cluster.#portBase = await freePortBase([0, 1, 2, 10, 11, 12, 20])
    const home = join(directory, 'rabbit')
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, '.erlang.cookie'), 'slotcastbench', { mode: 0o400 })
    writeFileSync(join(home, 'enabled_plugins'), '[].\n')
    const names = Array.from({ length: NODES }, (_, i) => `bench${cluster.#portBase + i}@localhost`)
    writeFileSync(
      join(home, 'rabbitmq.conf'),
      [
        'cluster_formation.peer_discovery_backend = classic_config',
        ...names.map((name, i) => `cluster_formation.classic_config.nodes.${i + 1} = ${name}`),
        'log.console = true',
        'log.console.level = warning',
        'log.file = false',
      ].join('\n'),
    )
    const epmdPort = String(cluster.#portBase + 20)
    cluster.#epmd = new Service('epmd', 'epmd', ['-address', '127.0.0.1', '-port', epmdPort])
    // A node that finds no port mapper starts one itself, which would be left behind.
    await cluster.#epmd.until(() => listens(Number(epmdPort)), EPMD_SECONDS)
    for (const [i, name] of names.entries()) {
      const env = environment(
        home,
        name,
        cluster.#portBase + i,
        cluster.#portBase + 10 + i,
        epmdPort,
      )
      cluster.#services.push(new Service(`rabbitmq-server ${i}`, PROGRAM, [], { env, cwd: home }))
    }
    await cluster.#services[0]?.until(() => cluster.#makeQueue(), START_SECONDS)
    return cluster
  }

  /** The machines under the start scripts, one a node. */
  pids(): number[] {
    return this.#services.map(({ pid }) => descendants(pid).find(isMachine) ?? pid)
  }

  get port(): number {
    return this.#portBase
  }

  /** True once all nodes answer: a queue made earlier would have fewer replicas. */
  async #makeQueue(): Promise<boolean> {
    try {
      for (let i = NODES - 1; i >= 0; i -= 1) {
        const connection = await connect(`amqp://127.0.0.1:${this.#portBase + i}`)
        const channel = await connection.createChannel()
        if (i === 0) {
          // Its leader is the node that was asked.
          const size = { 'x-queue-type': 'quorum', 'x-quorum-initial-group-size': NODES }
          await channel.assertQueue(QUEUE, { durable: true, arguments: size })
        }
        await connection.close()
      }
      return true
    } catch {
      return false
    }
  }

  async stop(): Promise<void> {
    // The scripts do not hand a signal on; the machines end in order by themselves.
    for (const service of this.#services) {
      for (const pid of descendants(service.pid).reverse()) {
        process.kill(pid, 'SIGCONT')
        process.kill(pid, 'SIGKILL')
      }
    }
    await Promise.all(this.#services.map(({ ended }) => ended))
    await this.#epmd?.stop('SIGKILL')
  }
}

function isMachine(pid: number): boolean {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('beam')
}

function environment(
  home: string,
  name: string,
  port: number,
  distributionPort: number,
  epmdPort: string,
): NodeJS.ProcessEnv {
  return {
    PATH: `${process.env['PATH']}:/usr/sbin`,
    HOME: home,
    RABBITMQ_NODENAME: name,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_MNESIA_BASE: join(home, 'mnesia'),
    RABBITMQ_LOG_BASE: join(home, 'log'),
    RABBITMQ_CONFIG_FILE: join(home, 'rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
    ERL_EPMD_PORT: epmdPort,
    ERL_EPMD_ADDRESS: '127.0.0.1',
  }
}

/** Publishes with confirms, as many in flight as asked, for so long. @returns how many were confirmed */
export async function rabbitLoad(
  port: number,
  connections: number,
  inFlight: number,
  payload: Buffer,
  seconds: number,
): Promise<number> {
  const open = await Promise.all(
    Array.from({ length: connections }, () =>
      connect(`amqp://127.0.0.1:${port}`, { noDelay: true }),
    ),
  )
  const channels = await Promise.all(open.map(connection => connection.createConfirmChannel()))
  const until = performance.now() + seconds * 1000
  const counts = await Promise.all(
    channels.map(
      channel =>
        new Promise<number>((resolve, reject) => {
          let confirmed = 0
          let owed = 0
          const publish = (): void => {
            owed += 1
            channel.publish('', QUEUE, payload, { persistent: true }, error => {
              if (error) return reject(error)
              owed -= 1
              confirmed += 1
              if (performance.now() < until) publish()
              else if (owed === 0) resolve(confirmed)
            })
          }
          for (let i = 0; i < inFlight; i += 1) publish()
        }),
    ),
  )
  await Promise.all(open.map(connection => connection.close()))
  return counts.reduce((sum, count) => sum + count, 0)
}
