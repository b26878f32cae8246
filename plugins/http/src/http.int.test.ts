/** Routes over a real socket and a real Postgres. */
import { once } from 'node:events'
import { createServer, request as nodeRequest } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { createBus, DeliveryFailure, discard, reply, retryAfter } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { causalityHeaders, http, httpHandler, httpListener, respond } from './index.ts'
import type { HttpHandlerOptions, HttpRequestEvent } from './index.ts'

async function setUp(options: HttpHandlerOptions = {}, dispatch: Record<string, number> = {}) {
  const db = await useTestDatabase({ plugins: [http()] })
  const bus = await createBus({
    database: db.url,
    plugins: [http()],
    app: 'shop',
    migrate: true,
    dispatch,
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const server = createServer(httpListener(bus, options)).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const route = (
    name: string,
    filter: Parameters<typeof bus.on<'http'>>[2],
    handler: Parameters<typeof bus.on<'http'>>[3],
  ) => bus.on(name, 'http', filter, handler)
  const call = (path: string, init: RequestInit = {}) => fetch(`${url}${path}`, init)
  const until = async (query: string) => {
    while ((await db.pool.query(query)).rowCount === 0) await db.pool.query('select pg_sleep(0.02)')
  }
  return { db, bus, url, route, call, until }
}

const json = (body: unknown, method = 'POST'): RequestInit => ({
  method,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
})

test('a route gets method, path, parameters, query, headers and body, and its reply is the response', async () => {
  const { bus, route, call } = await setUp()
  const events: HttpRequestEvent[] = []
  await route('create', { method: 'POST', path: '/users/:id/notes' }, ({ event }) => {
    events.push(event)
    return respond({ status: 201, headers: { location: '/notes/1' }, body: { made: true } })
  })
  await bus.start()
  const response = await call('/users/a%20b/notes?tag=x&tag=y&q=1', {
    ...json({ text: 'hello' }),
    headers: { 'content-type': 'application/json', authorization: 'Bearer secret', 'x-own': 'yes' },
  })
  expect(response.status).toBe(201)
  expect(response.headers.get('location')).toBe('/notes/1')
  expect(await response.json()).toEqual({ made: true })
  expect(events).toMatchObject([
    {
      method: 'POST',
      path: '/users/a%20b/notes',
      params: { id: 'a b' },
      query: { tag: ['x', 'y'], q: '1' },
      headers: { 'x-own': 'yes' },
      body: { text: 'hello' },
      encoding: 'json',
    },
  ])
  expect(events[0]?.headers).not.toHaveProperty('authorization')
})

test('text comes as text, bytes in base64, and what a handler says as it is', async () => {
  const { bus, route, call } = await setUp()
  await route('echo', { path: '/echo' }, ({ event }) => reply([event.body, event.encoding]))
  await route('text', { path: '/text' }, () => respond({ body: 'plain' }))
  await route('nothing', { path: '/nothing' }, () => undefined)
  await route('not needed', { path: '/discard' }, () => discard('not needed'))
  await bus.start()
  const echoed = async (body: string | Uint8Array<ArrayBuffer>, type: string) =>
    (await call('/echo', { method: 'PUT', body, headers: { 'content-type': type } })).json()
  expect(await echoed('a=1', 'application/x-www-form-urlencoded')).toEqual(['a=1', 'text'])
  expect(await echoed(new Uint8Array([0, 255]), 'application/octet-stream')).toEqual(['AP8=', 'base64'])
  expect(await (await call('/echo')).json()).toEqual([null, null])
  const text = await call('/text')
  expect([await text.text(), text.headers.get('content-type')]).toEqual(['plain', 'text/plain;charset=UTF-8'])
  expect((await call('/nothing')).status).toBe(204)
  expect((await call('/discard')).status).toBe(204)
})

test('HEAD of a GET route is answered as GET is, without the body', async () => {
  const { bus, route, call } = await setUp()
  const methods: string[] = []
  await route('show', { method: 'GET', path: '/users/:id' }, ({ event }) => {
    methods.push(event.method)
    return respond({ headers: { 'x-own': 'yes' }, body: { name: 'Ada' } })
  })
  await route('any', { path: '/users/*' }, () => reply('any'))
  await route('own', { method: 'HEAD', path: '/own' }, () => respond({ status: 200, headers: { 'x-own': 'head' } }))
  await route('get own', { method: ['POST', 'GET'], path: '/own' }, () => reply('get'))
  await route('nothing', { method: 'GET', path: '/nothing' }, () => undefined)
  await route('fails', { method: 'GET', path: '/fails' }, () => Promise.reject(new Error('no')))
  await route('post', { method: 'POST', path: '/post' }, () => reply('post'))
  await bus.start()
  const asked = async (path: string) => {
    const [got, head] = [await call(path), await call(path, { method: 'HEAD' })]
    expect(await head.text()).toBe('')
    const shown = ({ status, headers }: Response) => [status, headers.get('content-type'), headers.get('x-own')]
    return {
      got: shown(got),
      head: shown(head),
      bytes: (await got.arrayBuffer()).byteLength,
      said: head.headers.get('content-length'),
    }
  }
  for (const path of ['/users/ada', '/fails', '/nowhere', '/%zz']) {
    const { got, head, bytes, said } = await asked(path)
    expect(head).toEqual(got)
    // What a failure says names its request, whose id is another one of the same length.
    expect(said).toBe(String(bytes))
  }
  expect(methods).toEqual(['GET', 'HEAD'])
  expect((await asked('/users/ada')).head[0]).toBe(200)
  expect((await asked('/own')).head).toEqual([200, null, 'head'])
  expect((await asked('/nothing')).head[0]).toBe(204)
  expect((await call('/post', { method: 'HEAD' })).status).toBe(405)
})

test('a path without a route for the method says which methods it has; OPTIONS is answered with them', async () => {
  const { db, bus, route, call } = await setUp()
  await route('show', { method: 'GET', path: '/users/:id' }, () => reply('show'))
  await route('change', { method: ['PUT', 'DELETE'], path: '/users/:id' }, () => reply('change'))
  await route('own options', { method: 'OPTIONS', path: '/own' }, () =>
    respond({ status: 200, headers: { allow: 'GET' } }),
  )
  await bus.context().triggers.create({
    name: 'nowhere',
    source: 'http',
    filter: { method: 'GET', path: '/nowhere' },
    target: { type: 'function', name: 'nowhere' },
  })
  await bus.start()
  const asked = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const response = await call(path, { method, headers })
    await response.text()
    return [response.status, response.headers.get('allow')]
  }
  expect(await asked('POST', '/users/1')).toEqual([405, 'GET, HEAD, PUT, DELETE'])
  expect(await asked('POST', '/users/1', { prefer: 'respond-async' })).toEqual([405, 'GET, HEAD, PUT, DELETE'])
  expect(await asked('OPTIONS', '/users/1')).toEqual([204, 'GET, HEAD, PUT, DELETE, OPTIONS'])
  expect(await asked('OPTIONS', '/own')).toEqual([200, 'GET'])
  expect(await asked('POST', '/elsewhere')).toEqual([404, null])
  expect(await asked('OPTIONS', '/elsewhere')).toEqual([404, null])
  // There is a route, and its function is nowhere.
  expect(await asked('GET', '/nowhere')).toEqual([404, null])
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
})

async function raw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(text)
  let answer = ''
  for await (const chunk of socket.setEncoding('utf8')) answer += String(chunk)
  return answer
}

test('a request of HTTP/1.0 needs no Host header, one of HTTP/1.1 does', async () => {
  const { bus, url, route } = await setUp()
  await route('show', { method: 'GET', path: '/show' }, ({ event }) => reply(event.query))
  await bus.start()
  const served = await raw(url, 'GET /show?a=1 HTTP/1.0\r\n\r\n')
  expect(served).toMatch(/^HTTP\/1\.[01] 200 /)
  expect(served).toContain('{"a":"1"}')
  expect(await raw(url, 'HEAD /show HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.[01] 200 [^{]*$/s)
  expect(await raw(url, 'GET /show HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
})

test.for(
  ['%', '/a/%', '/%zz', '/%00', '/a%00b', '/%c0%af', '/%ed%a0%80', '/%ff', '/a/%2', '/%2f%00'].map((path) => [path]),
)('the path %s is refused, and nothing is written', async ([path]) => {
  const { db, bus, url, route } = await setUp()
  await route('any', { path: '/*' }, () => reply('ran'))
  await route('one', { path: '/a/:id' }, () => reply('ran'))
  await bus.start()
  const answer = await raw(url, `GET ${path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n`)
  expect(answer).toMatch(/^HTTP\/1\.1 400 /)
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
})

test('separators that were sent encoded stay encoded; dots are resolved before a route is looked for', async () => {
  const { bus, url, route } = await setUp()
  await route('file', { path: '/files/*path' }, ({ event }) => reply(event.params))
  await route('any', { path: '/*' }, ({ event }) => reply(event.path))
  await bus.start()
  const says = async (path: string) =>
    (await raw(url, `GET ${path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n`)).split('\r\n\r\n')[1]
  expect(await says('/files/..%2f..%5cetc')).toContain('{"path":"..%2F..%5Cetc"}')
  expect(await says('/files/a/../../etc')).toContain('"/etc"')
  expect(await says('/files/%2e%2e/etc')).toContain('"/etc"')
})

test('the most specific route answers; none is a 404, and nothing is written', async () => {
  const { db, bus, route, call } = await setUp()
  await route('any', { path: '/*' }, () => reply('any'))
  await route('one', { path: '/users/:id' }, () => reply('one'))
  await route('me', { path: '/users/me' }, () => reply('me'))
  await route('post me', { method: ['POST', 'PUT'], path: '/users/me' }, () => reply('post me'))
  await bus.start()
  const says = async (path: string, init?: RequestInit) => (await call(path, init)).json()
  expect(await says('/users/me')).toBe('me')
  expect(await says('/users/me', { method: 'PUT' })).toBe('post me')
  expect(await says('/users/7')).toBe('one')
  expect(await says('/')).toBe('any')
  const { bus: other, call: ask } = await setUp()
  await other.start()
  const response = await ask('/users/7')
  expect([response.status, await response.json()]).toMatchObject([404, { error: { code: 'not_found' } }])
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
})

test.for<[status: number, failure: string, handler: () => unknown, retryAfter: string | null]>([
  [500, 'handler_error', () => Promise.reject(new Error('internal detail')), null],
  [403, 'forbidden', () => Promise.reject(new DeliveryFailure('forbidden', 'x')), null],
  [503, 'unavailable', () => Promise.reject(new DeliveryFailure('unavailable', 'x', { retryAfterMs: 1_200 })), '2'],
  [503, 'overloaded', () => Promise.reject(new DeliveryFailure('overloaded', 'x', { retryAfterMs: 1 })), '1'],
  [500, 'handler_error', () => retryAfter(3_000), '3'],
  [500, 'handler_error', () => respond({ status: 99 }), null],
  [500, 'handler_error', () => respond({ headers: { 'x-bad': 'a\r\nb' } }), null],
])('%i for %s', async ([status, code, handler, after]) => {
  const { bus, route, call } = await setUp()
  await route('failing', { path: '/' }, handler as never)
  await bus.start()
  const response = await call('/')
  expect(response.status).toBe(status)
  expect(response.headers.get('retry-after')).toBe(after)
  const body = await response.json()
  expect(body).toMatchObject({ error: { code } })
  expect(JSON.stringify(body)).not.toContain('internal detail')
})

test('a request that no dispatcher takes is a 504', async () => {
  const { call, route } = await setUp({ timeoutMs: 300 })
  await route('slow', { path: '/slow' }, () => reply('never'))
  const alone = await call('/slow')
  expect([alone.status, await alone.json()]).toMatchObject([504, { error: { code: 'timeout' } }])
})

test('a function that is nowhere is a 404, a handler that takes too long a 504', async () => {
  const { bus, call } = await setUp({ exposeErrors: true })
  const cx = bus.context()
  const target = { type: 'function', name: 'nowhere' }
  await cx.triggers.create({ name: 'nowhere', source: 'http', filter: { path: '/nowhere' }, target })
  await cx.triggers.create({
    name: 'slow',
    source: 'http',
    filter: { path: '/slow' },
    target: { type: 'function', name: 'slow' },
    timeoutMs: 50,
  })
  bus.handle('slow', () => new Promise(() => undefined))
  await bus.start()
  expect((await call('/nowhere')).status).toBe(404)
  const slow = await call('/slow')
  expect([slow.status, await slow.json()]).toMatchObject([
    504,
    { error: { message: expect.stringContaining('50 ms') } },
  ])
})

test('a client that disconnects is one abandoned execution (G8)', async () => {
  const { bus, url, route, until } = await setUp()
  const started = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  await route('slow', { path: '/slow' }, async () => {
    started.resolve()
    await goOn.promise
    return reply('late')
  })
  await bus.start()
  const client = nodeRequest(`${url}/slow`)
  client.on('error', () => undefined)
  client.end()
  await started.promise
  client.destroy()
  await until('select from outbus.outbox where reply_by <= clock_timestamp()')
  goOn.resolve()
  await until('select from outbus.abandoned_executions')
  expect((await bus.context().requests.abandoned()).items).toMatchObject([{ reply: { ok: true, value: 'late' } }])
})

test('Prefer: respond-async is a 202 with the id that finds the reply', async () => {
  const { bus, route, call, until } = await setUp({ respondAsync: true })
  await route('later', { path: '/later' }, () => reply(42))
  const response = await call('/later', { headers: { prefer: 'wait=5, respond-async' } })
  expect(response.status).toBe(202)
  expect(response.headers.get('preference-applied')).toBe('respond-async')
  const { requestId } = (await response.json()) as { requestId: string }
  const cx = bus.context()
  expect(await cx.requests.get(requestId)).toMatchObject({ state: 'pending' })
  await bus.start()
  // Whoever waits goes first.
  expect(await (await call('/later')).json()).toBe(42)
  await until('select from outbus.replies where reply_by is null')
  expect(await cx.requests.get(requestId)).toMatchObject({ state: 'replied', reply: { ok: true, value: 42 } })
  expect((await call('/nothing', { headers: { prefer: 'respond-async' } })).status).toBe(404)
})

test.for<[what: string, init: RequestInit, status: number, code: string]>([
  ['a body over the limit', json('x'.repeat(2_000)), 413, 'payload.too_large'],
  [
    'a body over the limit that does not say so',
    { method: 'POST', body: endless(), duplex: 'half' } as RequestInit,
    413,
    'payload.too_large',
  ],
  ['what is not JSON', json('{"a":'), 400, 'payload.not_json'],
  ['a key twice', json('{"a":1,"b":{"c":1,"c":2}}'), 400, 'payload.duplicate_key'],
  ['what is too deep', json('['.repeat(500) + ']'.repeat(500)), 400, 'payload.too_deep'],
  ['a NUL', json('{"a":"\\u0000"}'), 400, 'payload.nul_character'],
  ['__proto__', json('{"__proto__":1}'), 400, 'payload.reserved_key'],
  ['a number out of range', json('1e400'), 400, 'payload.number_range'],
  [
    'text that is not UTF-8',
    { method: 'POST', body: new Uint8Array([255]), headers: { 'content-type': 'text/plain' } },
    400,
    'payload.not_json',
  ],
  ['a method that is unknown', { method: 'PROPFIND' }, 501, 'event.invalid'],
])('%s is refused before anything is written', async ([_what, init, status, code]) => {
  const { db, bus, route, call } = await setUp({ maxBodyBytes: 1_500 })
  await route('any', { path: '/*' }, () => reply('ran'))
  await bus.start()
  const response = await call('/', init)
  expect([response.status, await response.json()]).toMatchObject([status, { error: { code } }])
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
})

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1_000)) })
}

test('a loop over HTTP ends at maxTriggerDepth: the chain travels in a header (G10)', async () => {
  const key = 'what this service shares with itself'
  const { bus, route, call } = await setUp({ peers: { keys: [key] } }, { maxTriggerDepth: 3 })
  const depths: number[] = []
  await route('loop', { path: '/loop' }, async ({ cx }) => {
    depths.push(cx.depth)
    const inner = await call('/loop', { headers: causalityHeaders(cx, { key }) })
    return respond({ status: inner.status })
  })
  await bus.start()
  expect((await call('/loop')).status).toBe(508)
  expect(depths).toEqual([1, 2, 3])
})

test('whose request it is comes from the server, not from the caller; a response from there is the answer', async () => {
  const { bus, call } = await setUp({
    context: (request) =>
      request.headers.get('authorization') === 'Bearer ada'
        ? { app: 'ada', principal: { id: 'ada' } }
        : new Response('who?', { status: 401 }),
  })
  await bus.context({ app: 'ada' }).triggers.create({
    name: 'whoami',
    source: 'http',
    filter: { path: '/' },
    target: { type: 'function', name: 'whoami' },
  })
  bus.handle('whoami', ({ app }) => reply(app))
  await bus.start()
  expect(await (await call('/', { headers: { authorization: 'Bearer ada' } })).json()).toBe('ada')
  expect((await call('/')).status).toBe(401)
})

test('routes that are none are refused when they are registered', async () => {
  const { bus } = await setUp()
  const { triggers } = bus.context()
  for (const path of ['users', '/a/*b/c', '/:a/:a', '/%zz']) {
    await expect(
      triggers.create({ name: path, source: 'http', filter: { path }, target: { type: 'function', name: 'f' } }),
    ).rejects.toMatchObject({ code: 'trigger.invalid', path: 'filter.path' })
  }
  expect(() => httpListener(bus, { timeoutMs: 0 })).toThrow('httpHandler')
})

test('a client hears that the service is away, and nothing of the database behind it', async () => {
  const away = await createBus({ database: 'postgres://ada:pa55@127.0.0.1:1/db', plugins: [http()], app: 'shop' })
  onTestFinished(() => away.stop({ graceMs: 0 }))
  const response = await httpHandler(away)(new Request('http://localhost/a'))
  expect([response.status, await response.json()]).toEqual([
    503,
    { error: { code: 'database.unreachable', message: 'the service cannot reach its database' } },
  ])
  const { db, bus } = await setUp()
  await bus.checkSchema()
  await db.pool.query('alter table outbus.outbox rename to outbox_away')
  await bus.on('a', 'http', { path: '/a' }, () => undefined)
  await expect(httpHandler(bus)(new Request('http://localhost/a'))).rejects.toMatchObject({ code: 'schema.outdated' })
})
