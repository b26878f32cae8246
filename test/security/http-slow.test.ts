/** A client that is slow, or says nothing, costs a bounded time and a bounded number of connections (G19). */
import { once } from 'node:events'
import { reply } from '@outbus/core'
import { httpHandler, httpServer } from '@outbus/http'
import { expect, onTestFinished, test } from 'vitest'
import { allOf, httpService, statusesOf } from './http-service.ts'

const HEAD = 'POST /echo HTTP/1.1\r\nHost: here\r\nContent-Type: text/plain\r\n'

/** Writes a byte now and then, for as long as anybody listens. */
function drip(socket: { write(text: string): unknown; destroyed: boolean }, text: string): void {
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer)
    else socket.write(text)
  }, 20)
  onTestFinished(() => clearInterval(timer))
}

test.for<[what: string, head: string, more: string]>([
  ['never comes', `${HEAD}Content-Length: 100\r\n\r\nx`, ''],
  ['comes byte by byte', `${HEAD}Content-Length: 100000\r\n\r\n`, 'x'],
  ['comes in chunks without end', `${HEAD}Transfer-Encoding: chunked\r\n\r\n`, '1\r\nx\r\n'],
])('a body that %s ends with timeoutMs, and so does its connection', async ([_what, head, more]) => {
  const { bus, db, route, connection } = await httpService({ timeoutMs: 300 })
  await route('echo', { path: '/echo' }, ({ event }) => reply(event.body))
  await bus.start()
  const socket = connection()
  socket.on('error', () => undefined)
  const startedAt = performance.now()
  socket.write(head)
  if (more !== '') drip(socket, more)
  const answer = await allOf(socket)
  expect(performance.now() - startedAt).toBeLessThan(10_000)
  expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  expect(answer).toMatch(/\r\nconnection: close\r\n/i)
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
})

test('for a server that speaks fetch a body that never comes is a 408 as well', async () => {
  const { bus } = await httpService()
  const cancelled = Promise.withResolvers<unknown>()
  const body = new ReadableStream<Uint8Array>({ cancel: (reason) => cancelled.resolve(reason) })
  const request = new Request('http://here/', { method: 'POST', body, duplex: 'half' })
  const response = await httpHandler(bus, { timeoutMs: 50 })(request)
  expect([response.status, await response.json()]).toMatchObject([408, { error: { code: 'timeout' } }])
  await cancelled.promise
})

test('the time that a body took is not there for its reply', async () => {
  const { bus, route, connection } = await httpService({ timeoutMs: 1_500 })
  await route('never', { path: '/echo' }, () => new Promise(() => undefined))
  await bus.start()
  const socket = connection()
  const startedAt = performance.now()
  socket.write(`${HEAD}Connection: close\r\nContent-Length: 2\r\n\r\nx`)
  setTimeout(() => socket.write('y'), 1_000)
  expect(await allOf(socket)).toMatch(/^HTTP\/1\.1 504 /)
  expect(performance.now() - startedAt).toBeLessThan(2_300)
})

test('a body that ends early is nobody’s error', async () => {
  const failed: unknown[] = []
  const { bus, db, route, connection, call } = await httpService({ onError: ({ error }) => failed.push(error) })
  await route('echo', { path: '/echo' }, ({ event }) => reply(event.body))
  await bus.start()
  const socket = connection()
  socket.write(`${HEAD}Content-Length: 100\r\n\r\nx`)
  await once(socket, 'connect')
  await call('/echo')
  socket.destroy()
  await call('/echo')
  expect((await db.pool.query(`select from outbus.outbox`)).rowCount).toBe(0)
  expect(failed).toEqual([])
})

test('the body of a GET is not taken for the next request: its connection ends', async () => {
  const { bus, route, raw } = await httpService()
  await route('any', { path: '/*' }, ({ event }) => reply(event.path))
  await bus.start()
  const inner = 'GET /inner HTTP/1.1\r\nHost: here\r\n\r\n'
  const answer = await raw(`GET /outer HTTP/1.1\r\nHost: here\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`)
  expect(statusesOf(answer)).toEqual(['200'])
  expect(answer).toContain('"/outer"')
})

test('a listener works on so many requests at once, and refuses the next one until one of them is over', async () => {
  const { bus, route, call } = await httpService({ maxInFlight: 2 })
  const goOn = Promise.withResolvers<void>()
  const started = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let calls = 0
  await route('slow', { path: '/slow' }, async () => {
    started[calls++]?.resolve()
    await goOn.promise
    return reply('slow')
  })
  await route('fast', { path: '/fast' }, () => reply('fast'))
  await bus.start()
  const slow = [call('/slow'), call('/slow')]
  await Promise.all(started.map(({ promise }) => promise))
  const refused = await call('/fast')
  expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'overloaded' } }])
  expect(refused.headers.get('retry-after')).toBe('1')
  goOn.resolve()
  for (const response of await Promise.all(slow)) expect(response.status).toBe(200)
  expect((await call('/fast')).status).toBe(200)
})

test('httpServer closes whoever sends no head, sends it byte by byte, or is one too many', async () => {
  const { bus, route, connection, call } = await httpService({}, {}, (forBus) =>
    httpServer(forBus, { maxConnections: 2, headersTimeoutMs: 300, timeoutMs: 5_000 }),
  )
  await route('echo', { path: '/echo' }, ({ event }) => reply(event.body))
  await bus.start()
  const silent = connection()
  const slow = connection()
  for (const socket of [silent, slow]) socket.on('error', () => undefined)
  await Promise.all([once(silent, 'connect'), once(slow, 'connect')])
  slow.write('GET /echo HTTP/1.1\r\n')
  drip(slow, 'x-a: b\r\n')
  const oneTooMany = connection()
  expect(await allOf(oneTooMany)).toBe('')
  const [nothing, late] = await Promise.all([allOf(silent), allOf(slow)])
  expect(['', '408']).toContain(statusesOf(nothing)[0] ?? '')
  expect(statusesOf(late)).toEqual(['408'])
  expect((await call('/echo')).status).toBe(204)
})
