/** Of the catalogue of bad input: listings, ids, and a database that is not there. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { createBus } from '@outbus/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { setUpRefusals } from './refusals.ts'

const { db, log, bus, cx, expectRefused } = await setUpRefusals()

type Cx = typeof cx

describe('a listing', () => {
  const listings: readonly (readonly [name: string, list: (on: Cx, limit: never) => unknown])[] = [
    ['kv.list', (on, limit) => on.kv.list('c', { limit })],
    ['docs.find', (on, limit) => on.docs.find('c', { limit })],
    ['schedule.list', (on, limit) => on.schedule.list({ limit })],
    ['triggers.list', (on, limit) => on.triggers.list({ limit })],
    ['principals.list', (on, limit) => on.principals.list({ limit })],
    ['deadLetters.list', (on, limit) => on.deadLetters.list({}, { limit })],
    ['history.list', (on, limit) => on.history.list({}, { limit })],
    ['requests.abandoned', (on, limit) => on.requests.abandoned({ limit })],
  ]
  const limits = [0, -1, 1.5, Number.NaN, '10', null, true]
  test.for(listings.flatMap(([name, list]) => limits.map((limit) => [name, limit, list] as const)))(
    '%s: a limit of %j is refused',
    async ([, limit, list]) => {
      await expectRefused((on) => list(on, limit as never), { code: 'page.limit', path: 'limit', limit: 1_000 })
    },
  )

  test.for(listings)('%s: a limit of 1e9 is capped', async ([, list]) => {
    await expect(list(cx, 1e9 as never)).resolves.toMatchObject({ items: expect.any(Array) })
  })

  test('and capped is at 1,000, with a cursor for the rest', async () => {
    const on = bus.context({ app: 'full' })
    await on.kv.setMany(Array.from({ length: 1_001 }, (_, i) => ({ collection: 'c', key: `k${i}`, value: i })))
    const page = await on.kv.list('c', { limit: 1e9 })
    expect([page.items.length, typeof page.nextCursor]).toEqual([1_000, 'string'])
  })
})

describe('an id', () => {
  const UUID = '0198f8a0-0000-7000-8000-000000000001'
  type ById = readonly [
    verb: string,
    known: string,
    work: (on: Cx, id: never) => unknown,
    notFound?: string | undefined,
    path?: string,
  ]
  const trigger = (verb: 'get' | 'enable' | 'disable' | 'delete' | 'pause' | 'resume'): ById => [
    `triggers.${verb}`,
    UUID,
    (on, id) => on.triggers[verb](id),
    'trigger.not_found',
  ]
  const letter = (verb: 'get' | 'replay' | 'discard'): ById => [
    `deadLetters.${verb}`,
    '1',
    (on, id) => on.deadLetters[verb](id),
    'dead_letter.not_found',
  ]
  const verbs: readonly ById[] = [
    ...(['get', 'enable', 'disable', 'delete', 'pause', 'resume'] as const).map(trigger),
    ['triggers.release', UUID, (on, id) => on.triggers.release(id)],
    ['triggers.update', UUID, (on, id) => on.triggers.update(id, { priority: 'low' }), 'trigger.not_found'],
    ...(['get', 'replay', 'discard'] as const).map(letter),
    ['deliveries.get', '1', (on, id) => on.deliveries.get(id), 'delivery.not_found'],
    ['deliveries.cancel', '1', (on, id) => on.deliveries.cancel(id), 'delivery.not_found'],
    ['deliveries.cancel of some', '1', (on, id) => on.deliveries.cancel([id]), undefined, 'meant[0]'],
    ['deliveries.withdraw', '1', (on, id) => on.deliveries.withdraw(id)],
    [
      'deliveries.withdraw of a result',
      '1',
      (on, id) => on.deliveries.withdraw({ eventId: UUID, deliveryIds: [id] }),
      undefined,
      'meant.deliveryIds[0]',
    ],
    ['deliveries.list of an event', UUID, (on, eventId) => on.deliveries.list({ eventId }), undefined, 'eventId'],
    ['deliveries.purge', UUID, (on, triggerId) => on.deliveries.purge({ triggerId }), undefined, 'selection.triggerId'],
    ['requests.get', UUID, (on, id) => on.requests.get(id)],
    ['deadLetters.list', UUID, (on, triggerId) => on.deadLetters.list({ triggerId }), undefined, 'filter.triggerId'],
    ['history.list of a delivery', '1', (on, deliveryId) => on.history.list({ deliveryId }), undefined, 'deliveryId'],
    ['history.list of an event', UUID, (on, eventId) => on.history.list({ eventId }), undefined, 'eventId'],
  ]
  const malformed = ['', 'x', '1; drop table x', '-1', '0', '01', '1e3', ' 1', '9'.repeat(19), `${UUID}0`, `{${UUID}}`]
  const rows = verbs.flatMap(([verb, , work, , path = 'id']) => malformed.map((id) => [verb, id, work, path] as const))

  test.for(rows)('%s: %j is malformed, and never reaches the database', async ([, id, work, path]) => {
    await expectRefused((on) => work(on, id as never), { code: 'id.malformed', path, received: id })
  })

  test.for(verbs.filter(([, , , notFound]) => notFound !== undefined))(
    '%s: %s is not found, and the transaction goes on',
    async ([, id, work, code]) => {
      await expectRefused((on) => work(on, id as never), { code, path: 'id', received: id })
    },
  )
})

describe('a database that cannot be reached', () => {
  const urls: readonly (readonly [what: string, url: string])[] = [
    ['nobody listens there', 'postgres://ada:hunter2@127.0.0.1:1/shop'],
    ['its name is nowhere', 'postgres://ada:hunter2@nowhere.invalid:5432/shop'],
    ['there is no such socket', 'postgres://ada:hunter2@%2Fnonexistent/shop'],
    ['there is no such database', db.url.replace(/\/[^/?]*(\?|$)/, '/no_such_database$1')],
  ]
  test.for(urls)('%s: one line, without the password, from migrate and from start', async ([, database]) => {
    const bus = await createBus({ database, log })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    const making = () => createBus({ database, migrate: true, log })
    for (const reach of [() => bus.start(), () => bus.migrate(), () => bus.checkSchema(), making]) {
      const error = (await reach().catch((caught: unknown) => caught)) as Error
      expect(error).toMatchObject({ name: 'OutbusError', code: 'database.unreachable' })
      expect(error.message).not.toContain('\n')
      expect(`${error.message} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain('hunter2')
    }
  })

  test('npm start says so in one line and exits 69', async () => {
    const main = fileURLToPath(new URL('../../demo/src/main.ts', import.meta.url))
    const env = { ...process.env, DATABASE_URL: 'postgres://ada:hunter2@127.0.0.1:1/shop' }
    const child = spawn(process.execPath, ['--conditions=outbus-source', main], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [[status], out, error] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)])
    expect([status, out, error.trimEnd().split('\n').length]).toEqual([69, '', 1])
    expect(error).toMatch(/^OutbusError: Postgres cannot be reached: /)
    expect(error).not.toContain('hunter2')
  })
})
