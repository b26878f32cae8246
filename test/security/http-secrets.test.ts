/** Credentials of a client are not stored with its event, and so reach neither history nor dead letters (G20). */
import { reply } from '@outbus/core'
import { httpListener } from '@outbus/http'
import { expect, test } from 'vitest'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from '../integration/workers/outcomes.ts'
import { httpService } from './http-service.ts'

const SECRET_HEADERS = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'cookie2',
  'set-cookie',
  'x-api-key',
  'x-apikey',
  'api-key',
  'apikey',
  'api_key',
  'x-auth-token',
  'x-auth-key',
  'x-auth',
  'x-access-token',
  'x-amz-security-token',
  'x-csrf-token',
  'x-xsrf-token',
  'x-vault-token',
  'private-token',
  'job-token',
  'x-gitlab-token',
  'x-shopify-access-token',
  'x-telegram-bot-api-secret-token',
  'x-goog-iap-jwt-assertion',
  'x-goog-api-key',
  'x-functions-key',
  'ocp-apim-subscription-key',
  'x-rapidapi-key',
  'x-master-key',
  'x-session-id',
  'x-client-secret',
  'x-webhook-secret',
  'x-password',
  'x-user-passwd',
  'x-otp',
  'dpop',
  'x-forwarded-authorization',
  'x-original-cookie',
  'authentication',
  'bearer',
  'x-bearer',
  'x-pass',
  'x-pwd',
  'php-auth-pw',
  'x-otp-code',
  'x-recovery-code',
  'x-saml-assertion',
  'x-webhook-key',
  'x-amz-server-side-encryption-customer-key',
]
/** What proxies and browsers repeat of a URL. */
const URL_HEADERS = ['referer', 'x-original-url', 'x-forwarded-uri']
const OTHER_HEADERS = [
  'x-request-id',
  'idempotency-key',
  'x-idempotency-key',
  'sec-websocket-version',
  'x-github-event',
  'x-hub-signature-256',
  'webhook-signature',
  'accept',
  'user-agent',
  'content-type',
  'x-partition-key',
  'if-match',
  'x-author',
]
const SECRET_QUERY = [
  'access_token',
  'api_key',
  'api-key',
  'apikey',
  'x-api-key',
  'client_secret',
  'password',
  'X-Amz-Signature',
  'secret',
  'pwd',
  'pass',
  'jwt',
  'sid',
  'sessionid',
  'session_id',
  'private_key',
  'secret_key',
  'client_assertion',
  'api_token',
  'bearer',
  'sig',
]
const OTHER_QUERY = ['token', 'key', 'q', 'code', 'state', 'author', 'keyboard']

const withValues = (names: readonly string[], value: string) => Object.fromEntries(names.map((name) => [name, value]))

test('credentials in headers and query are in no row: outbox, history, dead letters, replies', async () => {
  const { bus, db, route, call } = await httpService()
  await route('fails', { path: '/fails' }, () => Promise.reject(new Error('no')))
  await route('echo', { path: '/echo' }, ({ event }) => reply([event.headers, event.query]))
  const headers = {
    ...withValues(SECRET_HEADERS, 'hunter2'),
    ...withValues(OTHER_HEADERS, 'fine'),
    ...withValues(URL_HEADERS, 'http://a.example/b?page=1&access%5Ftoken=hunter2&q=%26'),
  }
  const query = new URLSearchParams([
    ...SECRET_QUERY.map((name): [string, string] => [name, 'hunter2']),
    ...SECRET_QUERY.map((name): [string, string] => [name, 'hunter2 again']),
    ...OTHER_QUERY.map((name): [string, string] => [name, 'fine']),
  ])
  const gone = new AbortController()
  const left = call(`/echo?${String(query)}`, { headers, signal: gone.signal }).catch(() => undefined)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, false)
  const { rows } = await db.pool.query<{ event: { headers: object; query: object } }>('select event from outbus.outbox')
  gone.abort()
  await left
  expect(Object.keys(rows[0]?.event.headers ?? {})).toEqual(expect.arrayContaining(OTHER_HEADERS))
  expect(rows[0]?.event.headers).toMatchObject(withValues(URL_HEADERS, 'http://a.example/b?page=1&q=%26'))
  expect(Object.keys(rows[0]?.event.query ?? {})).toEqual(OTHER_QUERY)
  await bus.start()
  await call(`/fails?${String(query)}`, { headers })
  expect((await call(`/echo?${String(query)}`, { headers })).status).toBe(200)
  const tables = await db.pool.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname like 'outbus%'`,
  )
  expect(tables.rows.length).toBeGreaterThan(10)
  for (const { name } of tables.rows) {
    const found = await db.pool.query(`select from ${name} t where t::text like '%hunter2%'`)
    expect([name, found.rowCount]).toEqual([name, 0])
  }
})

test('a service says what else is secret, and what is not', async () => {
  const { bus, route, call } = await httpService({
    secrets: { headers: ['X-Own-Pin-Code'], query: ['Ticket'], except: ['x-csrf-token', 'api_key'] },
  })
  await route('echo', { path: '/echo' }, ({ event }) => reply([event.headers, event.query]))
  await bus.start()
  const headers = { 'x-own-pin-code': '1', 'x-csrf-token': '2', 'x-api-key': '3' }
  const response = await call('/echo?ticket=1&TICKET=2&api_key=3&access_token=4', { headers })
  const [carried, query] = (await response.json()) as [Record<string, string>, object]
  expect(carried).toMatchObject({ 'x-csrf-token': '2' })
  expect(Object.keys(carried)).not.toContain('x-own-pin-code')
  expect(Object.keys(carried)).not.toContain('x-api-key')
  expect(query).toEqual({ api_key: '3' })
  expect(() => httpListener(bus, { secrets: { header: [] } as never })).toThrow(
    expect.objectContaining({ code: 'options.invalid' }),
  )
})

test('a header that is named is carried, unless it is named a secret as well', async () => {
  const { bus, route, call } = await httpService({
    headers: ['X-Api-Key', 'x-own', 'x-other'],
    secrets: { headers: ['x-own'] },
  })
  await route('echo', { path: '/echo' }, ({ event }) => reply(event.headers))
  await bus.start()
  const headers = { 'x-api-key': '1', 'x-own': '2', 'x-other': '3', cookie: 'a=b' }
  expect(await (await call('/echo', { headers })).json()).toEqual({ 'x-api-key': '1', 'x-other': '3' })
})
