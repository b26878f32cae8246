import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { startProxy } from './proxy.ts'

/** A proxy before a server that answers with what it hears. */
async function setUp() {
  const behind: Socket[] = []
  const echo = createServer({ allowHalfOpen: true }, (socket) => {
    behind.push(socket)
    socket.on('error', () => undefined)
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(echo, 'listening')
  const proxy = await startProxy({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port })
  onTestFinished(async () => {
    await proxy.close()
    for (const socket of behind) socket.destroy()
    echo.close()
  })
  return { proxy, behind }
}

class Caller {
  readonly socket: Socket
  heard = ''
  readonly #watching = new Set<() => void>()

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1' })
    this.socket.on('data', (chunk) => {
      this.heard += chunk.toString()
      for (const watch of this.#watching) watch()
    })
    // What a test wants to know of it, it asks `lost`.
    this.socket.on('error', () => undefined)
    onTestFinished(() => void this.socket.destroy())
  }

  say(text: string): this {
    this.socket.write(text)
    return this
  }

  until(text: string): Promise<void> {
    return new Promise((resolve) => {
      const watch = () => {
        if (this.heard !== text) return
        this.#watching.delete(watch)
        resolve()
      }
      this.#watching.add(watch)
      watch()
    })
  }

  async lost(): Promise<string | undefined> {
    const errored = once(this.socket, 'error')
    return ((await errored)[0] as NodeJS.ErrnoException).code
  }
}

async function said(port: number, text: string): Promise<Caller> {
  const caller = new Caller(port).say(text)
  await caller.until(text)
  return caller
}

/** A few turns of the loop in which caller, proxy and server all live: what would come through has come through. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

it('passes both ways, ten megabytes through slow readers, and the end of one side while the other still sends', async () => {
  const { proxy } = await setUp()
  const caller = new Caller(proxy.port)
  let bytes = 0
  caller.socket.removeAllListeners('data')
  caller.socket.on('data', (chunk) => {
    bytes += chunk.length
    caller.socket.pause()
    setImmediate(() => caller.socket.resume())
  })
  const ended = once(caller.socket, 'end')
  for (let i = 0; i < 160; i++) caller.socket.write(Buffer.alloc(65_536, i))
  caller.socket.end()
  await ended
  expect(bytes).toBe(160 * 65_536)
})

it('cut ends what is there by RST on both sides, and takes new connections', async () => {
  const { proxy, behind } = await setUp()
  const caller = await said(proxy.port, 'a')
  const both = Promise.all([caller.lost(), once(behind[0] as Socket, 'error')])
  proxy.cut()
  expect((await both)[0]).toBe('ECONNRESET')
  await said(proxy.port, 'b')
})

it('stall passes nothing and ends nothing, for those who connect as well, and gives everything after heal', async () => {
  const { proxy } = await setUp()
  const before = await said(proxy.port, 'a')
  proxy.stall()
  before.say('b')
  const during = new Caller(proxy.port).say('c')
  await once(during.socket, 'connect')
  await settled()
  expect([before.heard, during.heard]).toEqual(['a', ''])
  proxy.heal()
  await Promise.all([before.until('ab'), during.until('c')])
})

it('a caller that leaves during a stall is told of to the server after it', async () => {
  const { proxy, behind } = await setUp()
  const caller = await said(proxy.port, 'a')
  const told = once(behind[0] as Socket, 'close')
  proxy.stall()
  caller.socket.destroy()
  proxy.heal()
  expect(await told).toEqual([false])
})

it('delay holds each chunk and keeps their order, also around heal', async () => {
  const { proxy } = await setUp()
  const caller = await said(proxy.port, 'a')
  proxy.delay(30)
  const began = performance.now()
  caller.say('b')
  await caller.until('ab')
  // There and back.
  expect(performance.now() - began).toBeGreaterThanOrEqual(59)
  caller.say('c')
  proxy.heal()
  caller.say('d')
  await caller.until('abcd')
})

it('refuse cuts and refuses until heal, on the same port after it', async () => {
  const { proxy } = await setUp()
  const caller = await said(proxy.port, 'a')
  const lost = caller.lost()
  proxy.refuse()
  expect(await lost).toBe('ECONNRESET')
  expect(await new Caller(proxy.port).lost()).toBe('ECONNREFUSED')
  proxy.heal()
  await said(proxy.port, 'b')
})
