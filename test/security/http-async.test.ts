/** What nobody waits for is stored for a day: a client may ask for it only where it is offered, and within a budget (G19). */
import { reply } from '@outbus/core'
import { expect, test } from 'vitest'
import { httpService } from './http-service.ts'

const ASYNC = { prefer: 'respond-async' }

test('no client can choose not to wait where nobody offers it: it is answered as any other', async () => {
  const { bus, db, route, call } = await httpService()
  await route('echo', { path: '/echo' }, ({ event }) => reply(event.body))
  await bus.start()
  const body = JSON.stringify('x'.repeat(100_000))
  const headers = { 'content-type': 'application/json', ...ASYNC }
  for (const prefer of ['respond-async', 'wait=5, Respond-Async', 'respond-async; foo', 'foo, respond-async']) {
    const response = await call('/echo', { method: 'POST', body, headers: { ...headers, prefer } })
    expect([response.status, response.headers.get('preference-applied')]).toEqual([200, null])
    expect(await response.text()).toBe(body)
  }
  expect((await db.pool.query(`select from outbus.replies where reply_to = 'kept'`)).rowCount).toBe(0)
})

test('a route offers it, or refuses it, whatever its listener does; the route that answers decides', async () => {
  const asked = async (respondAsync: boolean) => {
    const { bus, route, call } = await httpService({ respondAsync })
    await route('offers', { path: '/jobs/*', respondAsync: true }, () => reply('done'))
    await route('refuses', { path: '/jobs/now', respondAsync: false }, () => reply('done'))
    await route('silent', { path: '/jobs/silent' }, () => reply('done'))
    await bus.start()
    const statusOf = async (path: string, method = 'POST') => (await call(path, { method, headers: ASYNC })).status
    return [
      await statusOf('/jobs/1'),
      await statusOf('/jobs/now'),
      await statusOf('/jobs/silent'),
      await statusOf('/nowhere'),
    ]
  }
  expect(await asked(false)).toEqual([202, 200, 200, 404])
  expect(await asked(true)).toEqual([202, 200, 202, 404])
})

test('what is offered has a budget of bytes a minute: beyond it nothing is written, and others are served', async () => {
  const { bus, db, route, call } = await httpService({ asyncBytesPerMinute: 10_000 })
  await route('job', { path: '/jobs', respondAsync: true }, ({ event }) => reply(event.encoding))
  const body = 'x'.repeat(4_000)
  const asked = async (headers: Record<string, string>, text: string | null = body) =>
    call('/jobs', { method: 'POST', ...(text === null ? {} : { body: text }), headers })
  const responses = await Promise.all(
    Array.from({ length: 10 }, () => asked({ 'content-type': 'text/plain', ...ASYNC })),
  )
  const statuses = responses.map(({ status }) => status).toSorted((a, b) => a - b)
  expect(statuses).toEqual([202, 202, 202, ...Array<number>(7).fill(429)])
  const refused = responses.find(({ status }) => status === 429) as Response
  expect(await refused.json()).toMatchObject({ error: { code: 'overloaded' } })
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(5)
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(3)
  await bus.start()
  expect((await asked({})).status).toBe(200)
})

test('small ones count as well', async () => {
  const { db, route, call } = await httpService({ asyncBytesPerMinute: 10_240, respondAsync: true })
  await route('job', { path: '/jobs' }, () => reply('done'))
  for (let i = 0; i < 30; i++) await call('/jobs', { headers: ASYNC })
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBeLessThan(13)
})

test('an app over its quota is a 429 for its client, who hears no figure of it', async () => {
  const { bus, db, route, call } = await httpService()
  await route('echo', { path: '/echo' }, ({ event }) => reply(event.body))
  await bus.start()
  expect((await call('/echo')).status).toBe(204)
  await bus.apps.setQuotas('shop', { bytesPerEmit: 1_000 })
  const asked = () =>
    call('/echo', { method: 'POST', body: 'x'.repeat(2_000), headers: { 'content-type': 'text/plain' } })
  // Processes read quotas now and then.
  let response = await asked()
  while (response.status === 200) response = await asked()
  expect([response.status, await response.json()]).toEqual([
    429,
    { error: { code: 'quota.exceeded', message: 'the request was refused' } },
  ])
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
})
