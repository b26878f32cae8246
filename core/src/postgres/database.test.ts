import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from './database.ts'
import { BusClient } from './bus-client.ts'
import { checkOut } from './check-out.ts'

/** AuthenticationOk, ReadyForQuery. */
const WELCOME = Buffer.concat([message('R', Buffer.from([0, 0, 0, 0])), message('Z', Buffer.from('I'))])
const GOODBYE = message(
  'E',
  Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'),
)

function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from(type), length, body])
}

test.for([true, false])(
  'a connection that Postgres ends in the moment in which it is opened does not end the process (G16); session of its own: %s',
  async (ownSession) => {
    const server = createServer((socket) => {
      // One write, so that the client reads both at once: before whoever asked for a connection has heard of it.
      socket.once('data', () => socket.end(Buffer.concat([WELCOME, GOODBYE])))
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { pool, close } = openDatabase(`postgres://u@127.0.0.1:${port}/d`, pino({ level: 'silent' }), ownSession)
    onTestFinished(() => close(new AbortController().signal))

    // It ends before its session is set up.
    if (ownSession) return expect(checkOut(pool)).rejects.toThrow('connection')
    const client = await checkOut(pool)
    await expect(client.query('select 1')).rejects.toThrow('connection')
    client.release(true)
    return undefined
  },
)

test('a server that falls silent once it has let the bus in is given up, and its connection with it', async () => {
  const closed = Promise.withResolvers<void>()
  const server = createServer((socket) => {
    socket.once('close', () => closed.resolve())
    socket.once('data', () => socket.write(WELCOME))
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = new BusClient({ host: '127.0.0.1', port, user: 'u', ownSession: true, answerWithinMs: 20 })
  await expect(client.connect()).rejects.toThrow('timeout')
  await closed.promise
})
