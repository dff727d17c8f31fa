// Several connections to one server, some of which wait: who said what, who was answered
// what, and who is blocked.
//
// A connection besides these asks for CLIENT LIST. What is known before it is asked and
// what it says are then of one moment: whoever is owed a reply and is not blocked is
// still to be answered.

import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { encode } from '../chaos/connection.ts'
import { type Protocol, type Wire, WireReader } from './wire.ts'

type Words = readonly string[]

/** How long a server may take for what needs no waiting. */
const SETTLE_MS_MAX = 1_000

class Member {
  readonly #socket: Socket
  readonly #reader = new WireReader()
  /** Everything heard since the last `forget`. */
  heard: Wire[] = []
  sent = 0
  id = ''
  #told: (() => void) | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('error', () => {})
    socket.on('data', bytes => {
      this.#reader.push(bytes)
      for (let wire = this.#reader.next(); wire !== null; wire = this.#reader.next())
        this.heard.push(wire)
      this.#told?.()
    })
  }

  static open(port: number): Promise<Member> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => resolve(new Member(socket)))
    })
  }

  get owed(): number {
    return this.sent - this.heard.length
  }

  send(commands: readonly Words[]): void {
    this.sent += commands.length
    this.#socket.write(Buffer.concat(commands.map(encode)))
  }

  /** What came last, once everything that was asked is answered. */
  async ask(words: Words): Promise<Wire> {
    this.send([words])
    const since = performance.now()
    while (this.owed > 0) {
      if (performance.now() - since > SETTLE_MS_MAX) throw new Error(`no reply to ${words[0]}`)
      const timer = setTimeout(() => this.#told?.(), SETTLE_MS_MAX)
      await new Promise<void>(resolve => {
        this.#told = resolve
      })
      clearTimeout(timer)
      this.#told = null
    }
    return this.heard[this.heard.length - 1] as Wire
  }

  forget(): void {
    this.heard = []
    this.sent = 0
  }

  close(): void {
    this.#socket.destroy()
  }
}

function textOf(wire: Wire): string {
  return 'text' in wire ? wire.text : ''
}

export class Crowd {
  readonly protocol: Protocol
  readonly members: readonly Member[]
  readonly #witness: Member
  #list: Words = []

  private constructor(protocol: Protocol, members: readonly Member[], witness: Member) {
    this.protocol = protocol
    this.members = members
    this.#witness = witness
  }

  static async open(port: number, count: number, protocol: Protocol): Promise<Crowd> {
    const members: Member[] = []
    for (let i = 0; i < count; i += 1) members.push(await Member.open(port))
    const crowd = new Crowd(protocol, members, await Member.open(port))
    await crowd.#begin()
    return crowd
  }

  async #begin(): Promise<void> {
    for (const member of this.members) member.id = textOf(await member.ask(['CLIENT', 'ID']))
    this.#list = ['CLIENT', 'LIST', 'ID', ...this.members.map(({ id }) => id)]
    await this.restart()
  }

  member(on: number): Member {
    return this.members[on] as Member
  }

  /** Words of a script: `@2` stands for the ID of connection 2. */
  say(on: number, commands: readonly Words[]): void {
    const said = commands.map(words =>
      words.map(word => (/^@\d$/.test(word) ? this.member(Number(word.slice(1))).id : word)),
    )
    this.member(on).send(said)
  }

  /** Asks on the connection that takes no part. */
  async ask(words: Words): Promise<Wire> {
    const wire = await this.#witness.ask(words)
    this.#witness.forget()
    return wire
  }

  /** Who is blocked. */
  async blocked(): Promise<Set<number>> {
    const lines = textOf(await this.ask(this.#list)).split('\n')
    const found = new Set<number>()
    for (const [on, { id }] of this.members.entries()) {
      const line = lines.find(text => new RegExp(`\\bid=${id} `).test(text)) ?? ''
      if (/ flags=\w*b/.test(line)) found.add(on)
    }
    return found
  }

  /**
   * Waits until everybody is answered or blocked.
   *
   * @param answered nobody's wait counts but that of others than this connection
   * @returns who is blocked
   */
  async settle(answered = -1): Promise<Set<number>> {
    const since = performance.now()
    for (;;) {
      const owed = this.members.map(member => member.owed > 0)
      const blocked = await this.blocked()
      if (owed.every((is, on) => !is || (blocked.has(on) && on !== answered))) return blocked
      if (performance.now() - since > SETTLE_MS_MAX)
        throw new Error(`connection ${owed.indexOf(true)} is neither answered nor blocked`)
      await turn()
    }
  }

  /** Waits until as much was heard as `other` heard and the same are blocked, or says what is otherwise. */
  async settleAs(other: Crowd, blocked: ReadonlySet<number>): Promise<string | null> {
    const since = performance.now()
    const wanted = other.members.map(({ heard }) => heard.length)
    for (;;) {
      const counts = this.members.map(({ heard }) => heard.length)
      const more = counts.findIndex((count, on) => count > (wanted[on] as number))
      if (more >= 0) return `connection ${more} was answered, and waits there`
      const less = counts.findIndex((count, on) => count < (wanted[on] as number))
      const mine = await this.blocked()
      const strange = this.members.findIndex((_, on) => mine.has(on) !== blocked.has(on))
      if (less < 0 && strange < 0) return null
      if (performance.now() - since > SETTLE_MS_MAX)
        return less >= 0
          ? `connection ${less} waits, and was answered there`
          : `connection ${strange} is ${mine.has(strange) ? '' : 'not '}blocked, otherwise than there`
      await turn()
    }
  }

  /** Ends all waits and transactions. The keys stay. */
  async calm(): Promise<void> {
    for (let blocked = await this.settle(); blocked.size > 0; blocked = await this.settle())
      for (const on of blocked) await this.ask(['CLIENT', 'UNBLOCK', this.member(on).id])
  }

  /** All connections as if they were new, and no keys. */
  async restart(): Promise<void> {
    await this.calm()
    await this.ask(['FLUSHALL'])
    for (const member of this.members) {
      await member.ask(['RESET'])
      if (this.protocol === 3) await member.ask(['HELLO', '3'])
      member.forget()
    }
  }

  close(): void {
    for (const member of [...this.members, this.#witness]) member.close()
  }
}
