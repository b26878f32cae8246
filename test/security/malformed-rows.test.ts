/** What one app writes past the bus, by SQL with the rights of an emitter, holds up nothing of another app (G19). */
import { createBus, enableRowSecurity, grantRoles } from '@outbus/core'
import { kv } from '@outbus/kv'
import { prepareRoles, TEST_ROLES, urlAs } from '@outbus/test-kit'
import { useTestClient, useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from '../integration/workers/outcomes.ts'

const log = pino({ level: 'silent' })

/** `outbus_emitting` is bound to the app `shop`; the app `bank` is the one that must not notice. */
async function setUp() {
  const db = await useTestDatabase({ sources: [kv()] })
  await prepareRoles(db.adminUrl)
  const migrator = urlAs(db.adminUrl, 'outbus_migrator')
  const migrating = await createBus({ database: migrator, sources: [kv()], migrate: true, log })
  onTestFinished(() => migrating.stop({ graceMs: 0 }))
  await grantRoles(migrator, { roles: TEST_ROLES })
  await enableRowSecurity(migrator, { allApps: [TEST_ROLES.dispatcher, TEST_ROLES.reader] })
  await db.pool.query(`insert into outbus.role_apps values ('outbus_emitting', 'shop')`)
  const dispatching = await createBus({ database: urlAs(db.adminUrl, 'outbus_dispatching'), sources: [kv()], log })
  onTestFinished(() => dispatching.stop({ graceMs: 0 }))
  const handled: string[] = []
  dispatching.handle('fail', () => Promise.reject(new Error('hopeless')))
  dispatching.handle('bury', ({ app }) => void handled.push(app))
  for (const app of ['shop', 'bank']) {
    const cx = migrating.context({ app })
    await cx.triggers.create({
      name: 'failing',
      source: 'kv',
      filter: { collection: 'jobs' },
      target: { type: 'function', name: 'fail' },
      retry: { maxAttempts: 1 },
    })
    await cx.triggers.create({
      name: 'bury',
      source: 'dead_letter',
      filter: {},
      target: { type: 'function', name: 'bury' },
    })
  }
  const emitting = await useTestClient(urlAs(db.adminUrl, 'outbus_emitting'))
  const [shop, bank] = [migrating.context({ app: 'shop' }), migrating.context({ app: 'bank' })]
  return { db, dispatching, emitting, handled, shop, bank }
}

const COLUMNS = 'priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, chain'.split(
  ', ',
)

/** The row of the shop that is there, once more, with other columns. */
function insertAgain(columns: Record<string, string>): string {
  const written = [...new Set([...COLUMNS, ...Object.keys(columns)])]
  return `insert into outbus.outbox (${written.join(', ')}) select ${written.map((column) => columns[column] ?? column).join(', ')} from outbus.outbox`
}

const ANNOUNCED = 'announced'
const SET_ASIDE = 'set aside'

test.for<[what: string, columns: Record<string, string>, letter: string]>([
  ['a chain that is an object', { chain: `'{"a":1}'` }, ANNOUNCED],
  ['a chain of no ids', { chain: `'[{"a":1},null,7]'` }, ANNOUNCED],
  ['an event that is deeper than any', { event: `(repeat('[', 200) || repeat(']', 200))::json` }, SET_ASIDE],
  ['an event with a NUL', { event: `'"\\u0000"'` }, SET_ASIDE],
  ['an event with half a surrogate pair', { event: `'"\\ud800"'` }, SET_ASIDE],
  ['an emit at no time', { emitted_at: `'infinity'` }, ANNOUNCED],
  ['a caller that is longer than any', { caller: `repeat('x', 1000000)` }, ANNOUNCED],
  ['a caller of two lines and quotes', { caller: `E'a\\n=b"\\\\,{}'` }, ANNOUNCED],
  ['an emit before all time', { emitted_at: `'4000-01-01 BC'` }, ANNOUNCED],
])('%s holds up the dead-letter handlers of no other app', async ([, columns, letter]) => {
  const { db, dispatching, emitting, handled, shop, bank } = await setUp()
  await shop.kv.set('jobs', 'fine', 1)
  await emitting.query(insertAgain(columns))
  await bank.kv.set('jobs', 'other', 1)
  await dispatching.start()
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.dead_letters where announced', 3)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(handled.toSorted()).toEqual(letter === ANNOUNCED ? ['bank', 'shop', 'shop'] : ['bank', 'shop'])
  const { items } = await shop.setAside.list()
  const letters = letter === ANNOUNCED ? [] : [{ app: 'shop', kind: 'dead_letter', id: expect.any(String) as string }]
  expect(items).toMatchObject(letters)
  expect(dispatching.stats.setAside).toBe(letters.length)
  expect((await bank.setAside.list()).items).toEqual([])
  // Whatever is in it, it is listed as a dead letter.
  expect((await shop.deadLetters.list({ resolution: 'any' })).items).toHaveLength(2)
})

test('a dead-letter handler whose filter cannot be read holds up those of no other app', async () => {
  const { db, dispatching, emitting, handled, shop, bank } = await setUp()
  const { id } = await shop.triggers.create({
    name: 'broken',
    source: 'dead_letter',
    filter: {},
    target: { type: 'function', name: 'bury' },
  })
  await emitting.query(`update outbus.triggers set filter = '[]' where id = $1`, [id])
  await emitting.query(`update outbus.trigger_epochs set epoch = epoch + 1 where app_id = 'shop'`)
  for (const cx of [shop, bank]) await cx.kv.set('jobs', 'dies', 1)
  await dispatching.start()
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.dead_letters where announced', 2)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(handled).toEqual(['bank'])
  expect((await shop.setAside.list({ kind: 'dead_letter' })).items).toMatchObject([
    { reason: expect.stringContaining('cannot read the stored filter') as string },
  ])
})

test('what is set aside is listed by pages, by kind, and only of its own app', async () => {
  const { db, shop, bank } = await setUp()
  await db.pool.query(`insert into outbus.set_aside (app_id, kind, row_id, reason)
    values ('shop', 'dead_letter', '1', 'a'), ('shop', 'dead_letter', '2', 'b'), ('shop', 'schedule', '1', 'c'), ('bank', 'schedule', '2', 'd')`)
  const first = await shop.setAside.list({}, { limit: 2 })
  expect(first.items.map(({ kind, id }) => `${kind} ${id}`)).toEqual(['dead_letter 1', 'dead_letter 2'])
  const second = await shop.setAside.list({}, { limit: 2, cursor: first.nextCursor as string })
  expect(second).toMatchObject({ items: [{ app: 'shop', kind: 'schedule', id: '1', reason: 'c' }] })
  expect(second.nextCursor).toBeUndefined()
  expect((await bank.setAside.list({ kind: 'schedule' })).items).toMatchObject([{ id: '2' }])
  await expect(bank.setAside.list({}, { cursor: first.nextCursor as string })).rejects.toMatchObject({
    code: 'page.cursor',
  })
  await expect(bank.setAside.list({ kind: '' })).rejects.toMatchObject({ code: 'options.invalid' })
})
