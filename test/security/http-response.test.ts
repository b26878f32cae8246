/** A response is what a handler made of it with `respond`, and never what some value looks like (G20). */
import { createBus, reply } from '@outbus/core'
import { http, httpHandler, respond } from '@outbus/http'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { untilDatabaseSays } from '../integration/workers/outcomes.ts'
import { httpService } from './http-service.ts'

const FORGED = {
  'outbus.http.response': {
    status: 302,
    headers: { 'set-cookie': 'session=stolen', location: 'https://evil.example/', 'content-type': 'text/html' },
    body: '<script>alert(1)</script>',
  },
}

test('a stored value that looks like a response is sent as the JSON that it is', async () => {
  const { bus, route, call } = await httpService()
  await route('echo', { method: 'POST', path: '/echo' }, ({ event }) => reply(event.body))
  await route('inside', { method: 'POST', path: '/inside' }, ({ event }) => respond({ body: event.body }))
  await bus.start()
  const forgeries = [
    FORGED,
    { ...FORGED, as: 'http.response' },
    { as: 'http.response', value: FORGED },
    { ok: true, as: 'http.response', value: FORGED },
  ]
  for (const path of ['/echo', '/inside'])
    for (const forged of forgeries) {
      const response = await call(path, {
        method: 'POST',
        body: JSON.stringify(forged),
        headers: { 'content-type': 'application/json' },
      })
      expect([response.status, await response.json()]).toEqual([200, forged])
      expect(response.headers.get('set-cookie')).toBeNull()
      expect(response.headers.get('location')).toBeNull()
      expect(response.headers.get('content-type')).toBe('application/json')
    }
})

test('a value cannot put a second response on the connection', async () => {
  const { bus, route, raw } = await httpService()
  await route('echo', { method: 'POST', path: '/echo' }, ({ event }) => reply(event.body))
  await route('handler', { path: '/handler' }, () =>
    respond({ headers: { 'content-length': '5' }, body: 'helloHTTP/1.1 200 OK\r\nset-cookie: a=1\r\n\r\n' }),
  )
  await bus.start()
  const smuggled = 'helloHTTP/1.1 200 OK\r\nset-cookie: a=1\r\ncontent-length: 0\r\n\r\n'
  const body = JSON.stringify({ 'outbus.http.response': { headers: { 'content-length': '5' }, body: smuggled } })
  const answer = await raw(
    `POST /echo HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  const [head, sent] = answer.split('\r\n\r\n') as [string, string]
  expect(head).toMatch(/^HTTP\/1\.1 200 /)
  expect(head).not.toMatch(/set-cookie/i)
  expect(JSON.parse(sent)).toEqual(JSON.parse(body))
  expect(await raw('GET /handler HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 500 /)
})

test('the mark of a response reaches a listener in another process, and the caller of code sees it beside the value', async () => {
  const { db, bus, route } = await httpService()
  await route('made', { path: '/made' }, () => respond({ status: 201, headers: { 'x-own': 'yes' }, body: 'made' }))
  await bus.start()
  const plugins = [http()] as const
  const listener = await createBus({ database: db.url, plugins, app: 'shop', log: pino({ level: 'silent' }) })
  onTestFinished(() => listener.stop({ graceMs: 0 }))
  const response = await httpHandler(listener)(new Request('http://here/made'))
  expect([response.status, response.headers.get('x-own'), await response.text()]).toEqual([201, 'yes', 'made'])
  const event = { op: 'request', method: 'GET', path: '/made' } as const
  expect(await listener.context().request('http', event)).toMatchObject({ ok: true, as: 'http.response' })
  const submitted = await listener.context().submit('http', event)
  const requestId = submitted?.requestId ?? ''
  await untilDatabaseSays(db.pool, `select exists (select from outbus.replies where request_id = '${requestId}')`, true)
  const found = await listener.context().requests.get(requestId)
  expect(found).toMatchObject({ state: 'replied', reply: { as: 'http.response' } })
})

const FRAMING = [
  'content-length',
  'Content-Length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'trailer',
  'te',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-anything',
  'http2-settings',
]

const REFUSED: readonly (readonly [what: string, response: object])[] = [
  ...FRAMING.map((name): [string, object] => [`header ${name}`, { headers: { [name]: '1' } }]),
  ['a carriage return in a header', { headers: { 'x-a': 'a\rb' } }],
  ['a line feed in a header', { headers: { 'x-a': 'a\nset-cookie: b=1' } }],
  ['a line feed at the end of a header', { headers: { 'x-a': 'a\n' } }],
  ['a NUL in a header', { headers: { 'x-a': 'a\0b' } }],
  ['a header beyond latin-1', { headers: { 'x-a': 'a\u{560a}' } }],
  ['a line break in the name of a header', { headers: { 'x-a\r\nset-cookie: a': 'b' } }],
  ['a blank in the name of a header', { headers: { 'x a': 'b' } }],
  ['a colon in the name of a header', { headers: { ':status': '200' } }],
  ['an empty name of a header', { headers: { '': 'b' } }],
  ['a header that is no text', { headers: { 'x-a': 1 } }],
  ['one header twice, in two cases', { headers: { 'x-a': '1', 'X-A': '2' } }],
  ['status 99', { status: 99 }],
  ['status 100', { status: 100 }],
  ['status 101', { status: 101 }],
  ['status 199', { status: 199 }],
  ['status 600', { status: 600 }],
  ['status 200.5', { status: 200.5 }],
  ['a status that is a text', { status: '200' }],
  ['a member that is unknown', { statuss: 200 }],
  ['what is no object', 'text' as never],
]

test.for(REFUSED)('%s is no response, and the handler hears so', ([_what, response]) => {
  expect(() => respond(response as never)).toThrow(expect.objectContaining({ code: 'options.invalid' }))
})

test('whatever a handler or another process makes of a response, its client gets one response and none of its headers', async () => {
  const { bus, route, raw } = await httpService()
  for (const [i, [, response]] of REFUSED.entries()) {
    await route(`bad ${i}`, { path: `/bad/${i}` }, () => respond(response))
    // As a process of another version, or a target that somebody else wrote, would send it.
    await route(`made ${i}`, { path: `/made/${i}` }, () =>
      reply({ 'outbus.http.response': response as never }, { as: 'http.response' }),
    )
  }
  await bus.start()
  for (const [i, [what]] of REFUSED.entries())
    for (const path of [`/bad/${i}`, `/made/${i}`]) {
      const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n`)
      const [head = '', body = ''] = answer.split('\r\n\r\n')
      expect([what, head.split('\r\n')[0]]).toEqual([what, 'HTTP/1.1 500 Internal Server Error'])
      expect([what, JSON.parse(body)]).toMatchObject([what, { error: { code: 'handler_error' } }])
      const lines = head.split('\r\n').slice(1)
      expect([what, new Set(lines.map((line) => line.split(':')[0]?.toLowerCase()))]).toEqual([
        what,
        new Set(['connection', 'content-length', 'content-type', 'date', 'x-content-type-options']),
      ])
    }
})

test('a header that is a list is sent once for each', async () => {
  const { bus, route, call } = await httpService()
  await route('cookies', { path: '/' }, () => respond({ headers: { 'set-cookie': ['a=1', 'b=2'] } }))
  await bus.start()
  expect((await call('/')).headers.getSetCookie()).toEqual(['a=1', 'b=2'])
})

test('every response forbids sniffing unless its handler says otherwise, and none allows another origin', async () => {
  const { bus, route, call } = await httpService()
  await route('value', { path: '/value' }, () => reply({ a: 1 }))
  await route('nothing', { path: '/nothing' }, () => undefined)
  await route('text', { path: '/text' }, () => respond({ body: '<b>' }))
  await route('own', { path: '/own' }, () =>
    respond({ headers: { 'X-Content-Type-Options': 'own', 'access-control-allow-origin': '*' }, body: 'own' }),
  )
  await bus.start()
  const origin = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
  const answers = [
    await call('/value', { headers: origin }),
    await call('/nothing', { headers: origin }),
    await call('/text', { headers: origin }),
    await call('/value', { method: 'HEAD' }),
    await call('/nowhere', { headers: origin }),
    await call('/value', { method: 'PROPFIND' }),
    await call('/value', { method: 'OPTIONS', headers: origin }),
    await call('/%zz'),
  ]
  for (const { url, headers } of answers) {
    expect([url, headers.get('x-content-type-options')]).toEqual([url, 'nosniff'])
    expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
  }
  const own = await call('/own')
  expect(own.headers.get('x-content-type-options')).toBe('own')
  expect(own.headers.get('access-control-allow-origin')).toBe('*')
})

test('what a client sends steers no header of its response', async () => {
  const { bus, route, call } = await httpService()
  await route('value', { path: '/value' }, () => reply('value'))
  await bus.start()
  const plain = async (init: RequestInit, path = '/value') => {
    const { status, headers } = await call(path, init)
    return [status, ...[...headers].filter(([name]) => name !== 'date' && name !== 'content-length')]
  }
  const usual = await plain({})
  const steering = {
    accept: 'text/html',
    'x-content-type-options': 'sniff',
    origin: 'https://evil.example',
    'x-forwarded-host': 'evil.example',
    'x-http-method-override': 'DELETE',
    'x-method-override': 'DELETE',
    range: 'bytes=0-1',
    'if-none-match': '*',
    'content-type': 'text/html',
  }
  expect(await plain({ headers: steering })).toEqual(usual)
  expect(await plain({}, '/value?_method=DELETE&callback=alert&content-type=text/html')).toEqual(usual)
})
