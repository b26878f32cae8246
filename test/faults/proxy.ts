/** TCP between processes and the server, that can be hurt. Back-pressure goes through it: a slow reader slows its writer. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Address, Proxy } from './world.ts'

/** An end of one side is told to the other, which may still send, as it is without a proxy. */
const HALF_OPEN = { allowHalfOpen: true, noDelay: true } as const
/** A delayed flow that holds so many chunks reads no more of them. */
const HELD_CHUNKS = 1_024
const LISTEN_AGAIN_MS = 20

/** Listens on a free port of 127.0.0.1, or on `port`; passes everything on to `target` until told otherwise. */
export async function startProxy(target: Address, port = 0): Promise<Proxy> {
  const proxy = new TcpProxy(target)
  await proxy.listen(port)
  return proxy
}

/**
 * Modes, each from the last `stall`, `delay` or `refuse` until `heal`:
 *
 *   passing ──stall──▶ stalled (sockets are not read; whoever connects is accepted and hears nothing)
 *           ──delay──▶ delayed (chunks wait their time, in order)
 *           ──refuse─▶ refusing (nobody listens)
 */
class TcpProxy implements Proxy {
  #target: Address
  readonly #links = new Set<Link>()
  #server: Server | undefined
  #port = 0
  #stalled = false
  #delayMs = 0

  constructor(target: Address) {
    this.#target = target
  }

  get port(): number {
    return this.#port
  }

  async listen(port: number): Promise<void> {
    this.#server = this.#open(port)
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  cut(): void {
    for (const link of this.#links) link.cut()
  }

  stall(): void {
    this.#stalled = true
    for (const link of this.#links) link.stall(true)
  }

  delay(ms: number): void {
    this.#delayMs = ms
  }

  refuse(): void {
    this.#server?.close()
    this.#server = undefined
    this.cut()
  }

  heal(): void {
    this.#delayMs = 0
    this.#stalled = false
    for (const link of this.#links) link.stall(false)
    this.#server ??= this.#open(this.#port)
  }

  redirect(target: Address, { keep } = { keep: false }): void {
    this.#target = target
    if (!keep) this.cut()
  }

  async close(): Promise<void> {
    const server = this.#server
    this.refuse()
    if (server?.listening === true) await once(server, 'close')
  }

  #open(port: number): Server {
    const server = createServer(HALF_OPEN, (client) => {
      // Accepted in the moment of `refuse`: as refused as the others.
      if (this.#server !== server) {
        client.resetAndDestroy()
        return
      }
      const link = new Link(client, this.#target, () => this.#delayMs)
      this.#links.add(link)
      void link.gone.then(() => this.#links.delete(link))
      if (this.#stalled) link.stall(true)
    })
    // While it was refused, somebody's outgoing connection may have been given the port; it is free again after that.
    server.on('error', () => {
      setTimeout(() => {
        if (this.#server === server) server.listen(port, '127.0.0.1')
      }, LISTEN_AGAIN_MS)
    })
    return server.listen(port, '127.0.0.1')
  }
}

/** One connection through the proxy: two sockets and, between them, a flow each way. */
class Link {
  readonly gone: Promise<unknown>
  readonly #ends: readonly [Socket, Socket]
  readonly #flows: readonly [Flow, Flow]

  constructor(client: Socket, target: Address, delayMs: () => number) {
    const server = connect({ ...target, ...HALF_OPEN })
    this.#ends = [client, server]
    this.#flows = [new Flow(client, server, delayMs), new Flow(server, client, delayMs)]
    // Whatever befalls one side, the other is told by RST; an end in peace goes by way of the flow.
    for (const end of this.#ends) end.on('error', () => this.cut())
    this.gone = Promise.all(this.#ends.map((end) => new Promise((closed) => end.once('close', closed))))
  }

  stall(stalled: boolean): void {
    for (const flow of this.#flows) flow.stall(stalled)
  }

  cut(): void {
    for (const end of this.#ends) {
      // Reset while its end is being told, a socket is never closed by Node, and its loop spins over it.
      if (end.writableEnded) end.destroy()
      else if (!end.destroyed) end.resetAndDestroy()
    }
  }
}

/** One way of a connection: what is read is written in its order, when its time has come and the reader has room. */
class Flow {
  readonly #from: Socket
  readonly #to: Socket
  readonly #held: { readonly chunk: Buffer | 'end'; readonly due: number }[] = []
  #stalled = false
  #full = false
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket, delayMs: () => number) {
    this.#from = from
    this.#to = to
    const hold = (chunk: Buffer | 'end') => {
      this.#held.push({ chunk, due: performance.now() + delayMs() })
      this.#pump()
    }
    from.on('data', hold)
    from.on('end', () => hold('end'))
    to.on('drain', () => {
      this.#full = false
      this.#pump()
    })
    to.on('close', () => clearTimeout(this.#timer))
  }

  stall(stalled: boolean): void {
    this.#stalled = stalled
    this.#pump()
  }

  #pump(): void {
    clearTimeout(this.#timer)
    while (!this.#stalled && !this.#full) {
      const [next] = this.#held
      if (next === undefined) break
      const waitMs = next.due - performance.now()
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pump(), waitMs)
        break
      }
      this.#held.shift()
      if (next.chunk === 'end') this.#to.end()
      else this.#full = !this.#to.write(next.chunk)
    }
    if (this.#stalled || this.#full || this.#held.length >= HELD_CHUNKS) this.#from.pause()
    else this.#from.resume()
  }
}
