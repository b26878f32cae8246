/** Requests that two readers could read in two ways, or that are made to cost more than they should. */
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { reply } from '@outbus/core'
import { http, httpHandler, httpListener } from '@outbus/http'
import type { HttpBus } from '@outbus/http'
import { beforeAll, expect, test } from 'vitest'
import { blockedDuring } from './blocked.ts'
import { httpService, statusesOf } from './http-service.ts'

const CLOSE = 'Connection: close\r\n\r\n'

async function echo(options: Parameters<typeof httpListener>[1] = {}) {
  const service = await httpService(options)
  await service.route('echo', { path: '/*rest' }, ({ event }) => reply({ ...event }))
  await service.bus.start()
  return service
}

/** Of tests that leave nothing behind in it. */
let shared: Awaited<ReturnType<typeof echo>>
beforeAll(async () => {
  shared = await echo()
})

test.for<[what: string, request: string]>([
  ['two lengths', `POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
  [
    'a length and chunks',
    `POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    'chunks and a length',
    `POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
  ],
  ['a coding that is none', `POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
  [
    'chunks twice',
    `POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ['a coding after chunks', `POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
  ['chunks of HTTP/1.0', `POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  [
    'a coding that is not undone',
    `POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`,
  ],
  ['a blank before a colon', `POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
  ['a folded header', `GET / HTTP/1.1\r\nHost: here\r\nX-A: a\r\n b\r\n\r\n`],
  ['a negative length', `POST / HTTP/1.1\r\nHost: here\r\nContent-Length: -1\r\n\r\n`],
  ['a length with a plus', `POST / HTTP/1.1\r\nHost: here\r\nContent-Length: +1\r\n\r\na`],
  ['two hosts', `GET / HTTP/1.1\r\nHost: here\r\nHost: there\r\n\r\n`],
  ['a host that is none', `GET / HTTP/1.1\r\nHost: a/b\r\n\r\n`],
  ['a host with credentials', `GET / HTTP/1.1\r\nHost: ada@here\r\n\r\n`],
  ['a URL of another host', `GET http://there/a HTTP/1.1\r\nHost: here\r\n\r\n`],
  ['a URL with credentials', `GET http://ada:pa55@here/a HTTP/1.1\r\nHost: here\r\n\r\n`],
  ['a URL that is no path', `GET file:///etc/passwd HTTP/1.1\r\nHost: here\r\n\r\n`],
  ['a target that is no path', `GET here HTTP/1.1\r\nHost: here\r\n\r\n`],
  ['a star', `OPTIONS * HTTP/1.1\r\nHost: here\r\n\r\n`],
  ['a backslash', `GET /a\\..\\b HTTP/1.1\r\nHost: here\r\n\r\n`],
  [
    'two content types',
    `POST / HTTP/1.1\r\nHost: here\r\nContent-Type: text/plain\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
  ],
  ['a NUL in a header', `GET / HTTP/1.1\r\nHost: here\r\nX-A: a\0b\r\n\r\n`],
  ['a line feed alone', `GET / HTTP/1.1\nHost: here\n\n`],
  ['a version that is none', `GET / HTTP/9.9\r\nHost: here\r\n\r\n`],
  ['HTTP/0.9', 'GET /a\r\n\r\n'],
  ['no request', 'hello\r\n\r\n'],
  ['TLS', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'],
])('%s is a 400, nothing is written, and nothing else is read from the connection', async ([_what, request]) => {
  const { db, raw } = shared
  const { rows: before } = await db.pool.query('select from outbus.replies')
  // The connection of the first is not to be closed by its own word: what comes after it must not be read for another reason.
  const next = 'GET /next HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n'
  expect(statusesOf(await raw(`${request}${next}`))).toEqual(['400'])
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
  expect((await db.pool.query('select from outbus.replies')).rowCount).toBe(before.length)
})

test('a request that asks for another protocol is answered, and nothing else is read from its connection', async () => {
  const next = 'GET /next HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n'
  const answered = await shared.raw(
    `GET /up HTTP/1.1\r\nHost: here\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n${next}`,
  )
  expect(statusesOf(answered)).toEqual(['200'])
  expect(answered.toLowerCase()).toContain('connection: close')
})

test('HTTP/1.1 without a host is a 400', async () => {
  expect(statusesOf(await shared.raw('GET / HTTP/1.1\r\n\r\n'))).toEqual(['400'])
})

test('100 Continue of a request that waits for the one before is not written into a response (HTTP/1.1 allows both)', async () => {
  // The one before is held until this one's response has been written, which then waits for its turn.
  const server = createServer()
  const { promise: written, resolve: isWritten } = Promise.withResolvers<void>()
  const serve = (bus: HttpBus) => {
    const listener = httpListener(bus)
    let count = 0
    return server.on('request', (incoming, outgoing) => {
      if (count++ === 0) return void written.then(() => listener(incoming, outgoing))
      const end = outgoing.end.bind(outgoing) as (...last: unknown[]) => ServerResponse
      outgoing.end = (...last: unknown[]) => {
        end(...last)
        isWritten()
        return outgoing
      }
      listener(incoming, outgoing)
    })
  }
  const { bus, route, raw } = await httpService({}, {}, serve)
  await route('text', { path: '/' }, () => reply('text'))
  await bus.start()
  const request = (more: string) =>
    `POST / HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\nContent-Length: 1\r\n${more}\r\n1`
  const answer = await raw(`${request('')}${request('Connection: close\r\n')}`)
  const [, ...parts] = answer.split(/HTTP\/1\.1 (?=\d{3} )/)
  expect(parts.map((part) => part.slice(0, 3))).toEqual(['100', '200', '100', '200'])
  for (const part of parts.filter((each) => each.startsWith('200'))) expect(part).toMatch(/\r\n\r\n"text"$/)
})

test('a URL of this very host is a path', async () => {
  const { raw } = shared
  expect(await raw(`GET http://HERE:80/a?b=1 HTTP/1.1\r\nHost: here\r\n${CLOSE}`)).toContain('"path":"/a"')
})

test('a method is the one of the request line, whatever a header, the query or the body say', async () => {
  const { call } = shared
  const response = await call('/a?_method=DELETE', {
    method: 'POST',
    headers: {
      'x-http-method-override': 'DELETE',
      'x-http-method': 'PUT',
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: '_method=DELETE',
  })
  expect(await response.json()).toMatchObject({ method: 'POST' })
  for (const method of ['TRACE', 'PROPFIND', 'get'])
    expect(statusesOf(await shared.raw(`${method} / HTTP/1.1\r\nHost: here\r\n${CLOSE}`))[0]).toMatch(/^[45]0[01]$/)
})

test('names of prototypes are refused, or members like any other', async () => {
  const { db, call, raw } = shared
  expect((await call('/?__proto__=1')).status).toBe(400)
  expect((await call('/?__proto__=1&__proto__=2')).status).toBe(400)
  expect(statusesOf(await raw(`GET / HTTP/1.1\r\nHost: here\r\n__proto__: 1\r\n${CLOSE}`))).toEqual(['400'])
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
  const response = await call('/?constructor=1&toString=2&hasOwnProperty=3', {
    headers: { constructor: 'a', valueof: 'b' },
  })
  expect(await response.json()).toMatchObject({
    query: { constructor: '1', toString: '2', hasOwnProperty: '3' },
    headers: { constructor: 'a', valueof: 'b' },
  })
  expect(Object.keys(Object.prototype)).toEqual([])
})

test.for<[path: string, rest: string]>([
  ['/..%2f..%2fetc', '..%2F..%2Fetc'],
  ['/%2e%2e%2fetc', '..%2Fetc'],
  ['/..%5cetc', '..%5Cetc'],
  ['/a%2f..%2f..%2fb', 'a%2F..%2F..%2Fb'],
  ['/%2e%2e/%2e%2e/etc', 'etc'],
  ['/a/.%2e/b', 'b'],
  ['/%252e%252e%252fetc', '%2e%2e%2fetc'],
  ['//there/a', '/there/a'],
])('no parameter of %s leads out of its place: it is %s', async ([path, rest]) => {
  const { raw } = shared
  const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: here\r\n${CLOSE}`)
  const { params } = JSON.parse(answer.split('\r\n\r\n')[1] ?? '') as { params: { rest: string } }
  expect(params.rest).toBe(rest)
})

test('a query of ten thousand names, or of ten thousand values of one, costs no more than its length', async () => {
  const { bus } = shared
  const handle = httpHandler(bus)
  const names = Array.from({ length: 10_000 }, (_, i) => `n${i}=1`).join('&')
  const values = Array.from({ length: 10_000 }, () => 'n=1').join('&')
  for (const query of [names, values]) {
    const response = await handle(new Request(`http://here/?${query}`))
    expect(response.status).toBe(200)
    const blockedMs = await blockedDuring(() => handle(new Request(`http://here/?${query}`)))
    // A name of ten thousand that looks for all of them took 3 s.
    expect(blockedMs).toBeLessThan(1_000)
  }
})

test('a coding of a body is refused and not undone, so that a few bytes stay a few', async () => {
  const { db, call } = shared
  const body = gzipSync(Buffer.alloc(10_000_000))
  for (const coding of ['gzip', 'br', 'deflate', 'gzip, gzip', 'x-own']) {
    const headers = { 'content-type': 'text/plain', 'content-encoding': coding }
    const response = await call('/', { method: 'POST', body, headers })
    expect([coding, response.status, response.headers.get('accept-encoding')]).toEqual([coding, 415, 'identity'])
  }
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
  expect((await call('/', { method: 'POST', body: 'a', headers: { 'content-encoding': 'identity' } })).status).toBe(200)
})

test('chunks over the limit end the connection, however many there are', async () => {
  const { raw, db } = await echo({ maxBodyBytes: 1_000 })
  const chunks = `3e8\r\n${'x'.repeat(1_000)}\r\n`.repeat(50)
  expect(await raw(`POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`)).toMatch(
    /^HTTP\/1\.1 413 /,
  )
  expect(statusesOf(await raw(`POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 99999999999\r\n${CLOSE}x`))).toEqual([
    '413',
  ])
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
})

test('a content type that is odd is what it says at most: never more than bytes', async () => {
  const { call } = shared
  const asked = async (type: string, body: string) => {
    const response = await call('/', { method: 'POST', body: Buffer.from(body), headers: { 'content-type': type } })
    return response.status === 200 ? ((await response.json()) as { encoding: string }).encoding : response.status
  }
  expect(await asked('application/json;charset=utf-16', '{}')).toBe('json')
  expect(await asked('APPLICATION/JSON', '{}')).toBe('json')
  expect(await asked('application/json, text/plain', '{}')).toBe('base64')
  expect(await asked('text/html', '<script>')).toBe('text')
  expect(await asked(`application/${'+'.repeat(10_000)}`, '{}')).toBe('base64')
  expect(await asked('application/jsonx', '{}')).toBe('base64')
  expect(await asked('application/json', `${'['.repeat(60_000)}${']'.repeat(60_000)}`)).toBe(400)
  expect(await asked('application/json', '{"a":'.repeat(20_000))).toBe(400)
})

test('an error says where, and repeats nothing of what was sent; it names no trigger, and no plugin', async () => {
  const { bus, call } = shared
  const json = (body: string): RequestInit => ({
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  })
  const tries: [string, RequestInit][] = [
    ['/', json('{"a": hunter2}')],
    ['/', json('{"hunter2":1,"hunter2":2}')],
    ['/', json('{"a":["hunter2\\u0000"]}')],
    ['/', json('{"a":"hunter2\\ud800"}')],
    ['/', json('"hunter2" hunter2')],
    ['/hunter2%zz', {}],
    ['/?__proto__=hunter2', {}],
    ['/', { headers: { 'content-encoding': 'hunter2' }, method: 'POST', body: 'x' }],
  ]
  for (const [path, init] of tries) {
    const response = await call(path, init)
    const text = await response.text()
    expect([response.status >= 400, text.toLowerCase().includes('hunter2'), text]).toEqual([true, false, text])
    expect(JSON.parse(text)).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } })
  }
  const shown = await httpHandler(bus, { exposeErrors: true })(new Request('http://here/', json('{"a": hunter2}')))
  expect(await shown.text()).toContain('hunter2')
})

test('what a listener cannot know is told to its operator, and to its client only that it failed', async () => {
  const told: unknown[] = []
  const { call } = await echo({
    onError: ({ error }) => told.push(error),
    context: () => {
      throw new Error('hunter2: the session store at 10.0.0.7 is away')
    },
  })
  const response = await call('/')
  expect([response.status, await response.json()]).toEqual([
    500,
    { error: { code: 'internal', message: 'the service failed' } },
  ])
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(told).toEqual([expect.objectContaining({ message: expect.stringContaining('hunter2') })])
})

test('the size of a head is bounded by the server, and what is beyond is left out of nothing', async () => {
  const { raw } = shared
  const headers = Array.from({ length: 400 }, (_, i) => `x-${i}: y\r\n`).join('')
  const answer = await raw(`GET / HTTP/1.1\r\nHost: here\r\n${headers}X-Last: there\r\n${CLOSE}`)
  expect(answer).toContain('"x-last":"there"')
  expect(statusesOf(await raw(`GET / HTTP/1.1\r\nHost: here\r\nX-A: ${'y'.repeat(17_000)}\r\n${CLOSE}`))).toEqual([
    '431',
  ])
  expect(statusesOf(await raw(`GET /${'y'.repeat(17_000)} HTTP/1.1\r\nHost: here\r\n${CLOSE}`))).toEqual(['431'])
})

test('one route takes no parameter of another, and none twice', async () => {
  const { bus } = await httpService()
  const { triggers } = bus.context()
  for (const path of ['/:a/:a', '/:a/*a', '/:rest/*', '/:__proto__', '/*__proto__', '/a/:b%00', '/:a%2f', '/a*b', '/:'])
    await expect(
      triggers.create({ name: path, source: 'http', filter: { path }, target: { type: 'function', name: 'f' } }),
    ).rejects.toMatchObject({ code: 'trigger.invalid' })
  expect(http().name).toBe('http')
  expect(createServer(httpListener(bus)).listening).toBe(false)
})
