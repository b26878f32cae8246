/** Payloads about somebody leave every table of their app, beside running dispatchers, and nothing of another app does. */
import { readFile } from 'node:fs/promises'
import { createBus, reply } from '@outbus/core'
import type { Authorizer } from '@outbus/core'
import { definePlugin, defineSource } from '@outbus/core/plugin'
import { kv } from '@outbus/kv'
import { openPool } from '@outbus/test-kit/connections'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { JSON_PATHS } from '../../core/src/privacy/testing/paths.ts'
import { parseJsonPath, sqlPath } from '../../core/src/validation/json-path.ts'
import { asks } from '../integration/ask-source.ts'
import { everyPlugin } from '../integration/every-call.ts'
import { watchOutcomes } from '../integration/workers/outcomes.ts'
import { FORBIDDEN, ONCE } from './callers.ts'

const ADA = 'ada@example.org'
const about = { customer: { email: ADA }, total: 9 }
const where = { contains: { customer: { email: ADA } } }
const other = { customer: { email: 'bob@example.org' }, total: 9 }

async function setUp({ authorizer }: { readonly authorizer?: Authorizer } = {}) {
  const plugins = [...everyPlugin(), asks]
  const db = await useTestDatabase({ plugins })
  const open = async () => {
    const bus = await createBus({
      database: db.url,
      plugins,
      app: 'shop',
      migrate: true,
      history: 'all',
      retention: false,
      log: pino({ level: 'silent' }),
      ...(authorizer === undefined ? {} : { authorizer }),
    })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    return bus
  }
  const bus = await open()
  const [shop, bank] = [bus.context(), bus.context({ app: 'bank' })]
  return { db, bus, open, shop, bank, outcomes: watchOutcomes('shop') }
}

/** Each row of each table that has the text in it, as `table: text`. */
async function rowsWith(url: string, text: string, app?: string): Promise<string[]> {
  const pool = openPool({ connectionString: url, max: 1 })
  try {
    const { rows: tables } = await pool.query<{ name: string }>(
      `select tablename as name from pg_tables where schemaname = 'outbus' order by 1`,
    )
    const found: string[] = []
    for (const { name } of tables) {
      const { rows } = await pool.query<{ row: Record<string, unknown> }>(
        `select to_jsonb(t) as row from outbus.${name} t`,
      )
      for (const { row } of rows)
        if ((app === undefined || row['app_id'] === app) && JSON.stringify(row).includes(text)) found.push(name)
    }
    return found
  } finally {
    await pool.end()
  }
}

test('payloads about somebody leave every table, the texts of their errors too, and what is about others stays', async () => {
  const { db, bus, shop, bank, outcomes } = await setUp()
  await bus.on('dies', 'kv', { collection: 'dies' }, () => Promise.reject(new Error(`no credit: ${ADA}`)), {
    retry: ONCE,
  })
  await bus.on('recovers', 'pubsub', { topic: 'orders' }, ({ attempt }) => {
    if (attempt === 1) throw new Error(`not yet: ${ADA}`)
  })
  await bus.on('answers', 'asks', { topic: 'q' }, ({ event }) => reply(event.value))
  for (const cx of [shop, bank]) {
    for (const [source, filter] of [
      ['kv', { collection: 'waits' }],
      ['docs', {}],
    ] as const)
      await cx.triggers.create({
        name: `waits ${source}`,
        source,
        filter,
        target: { type: 'function', name: 'nobody' },
      })
    await cx.triggers.pauseAll()
    await cx.kv.set('waits', ADA, about)
    await cx.docs.insert('orders', about)
    await cx.schedule.set(`bill ${ADA}`, { recurrence: '0 3 * * *', data: about })
    await cx.kv.set('waits', 'bob', other)
    await cx.docs.insert('orders', other)
    await cx.schedule.set('bill bob', { recurrence: '0 3 * * *', data: other })
  }
  await shop.triggers.resumeAll()
  await shop.triggers.pause((await shop.triggers.getByName('waits kv'))?.id ?? '')
  await shop.triggers.pause((await shop.triggers.getByName('waits docs'))?.id ?? '')
  await bus.start()
  await shop.kv.set('dies', 'k', about)
  await shop.pubsub.publish('orders', about)
  await shop.submit('asks', { op: 'ask', topic: 'q', value: about })
  await outcomes.until(() => outcomes.count('dead') === 1 && outcomes.count('done') === 2)
  await expect.poll(() => rowsWith(db.adminUrl, 'not yet')).not.toEqual([])
  const before = await rowsWith(db.adminUrl, 'bob@example.org')
  const ofBank = await rowsWith(db.adminUrl, ADA, 'bank')

  const looked = await bus.apps.eraseData('shop', { where, dryRun: true })
  expect(looked).toMatchObject({ dryRun: true, held: 0, unreadable: 0, notCovered: { sources: ['asks'], tables: [] } })
  expect(Object.fromEntries(Object.entries(looked.tables).map(([table, { rows }]) => [table, rows]))).toEqual({
    kv_entries: 2,
    docs_documents: 1,
    schedules: 1,
    outbox: 2,
    dead_letters: 1,
    replies: 1,
    abandoned_executions: 0,
    attempts: 2,
  })
  expect(looked.tables['outbox']?.ids).toEqual([expect.stringMatching(/^\d+$/), expect.stringMatching(/^\d+$/)])
  expect(JSON.stringify({ ...looked, tables: { ...looked.tables, kv_entries: 0 } })).not.toContain(ADA)

  const erased = await bus.apps.eraseData('shop', { where })
  expect(erased).toMatchObject({ rows: 9, held: 0, unreadable: 0, sha256: looked.sha256, dryRun: false })
  expect(erased.tables['outbox']?.ids).toEqual([])
  await bus.stop()
  // The name of a schedule is its owner's to choose, and goes when pg-boss has forgotten it.
  expect(
    (await rowsWith(db.adminUrl, ADA, 'shop')).filter((table) => table !== 'schedules' && !table.startsWith('audit')),
  ).toEqual([])
  expect(await rowsWith(db.adminUrl, 'bob@example.org')).toEqual(before)
  expect(await rowsWith(db.adminUrl, ADA, 'bank')).toEqual(ofBank)
})

test('a delivery whose event was erased is discarded, and the history and the audit say so without a payload', async () => {
  const { db, bus, shop } = await setUp()
  await shop.triggers.create({ name: 't', source: 'kv', filter: {}, target: { type: 'function', name: 'f' } })
  const { deliveryIds } = await shop.emit('kv', { op: 'set', collection: 'c', key: 'k', value: about, version: 1 })
  const erased = await bus.apps.eraseData('shop', { where: { path: '$.value.customer.email', equals: ADA } })
  expect(erased.tables['outbox']).toEqual({ rows: 1, held: 0, unreadable: 0, ids: [] })
  await expect(shop.deliveries.get(deliveryIds[0] as string)).rejects.toMatchObject({ code: 'delivery.not_found' })
  const { items: attempts } = await shop.history.list()
  expect(attempts).toMatchObject([{ deliveryId: deliveryIds[0], outcome: 'discarded', reason: 'erased' }])
  const { items: audit } = await shop.audit.list({ action: 'data.erase' })
  expect(audit).toMatchObject([
    {
      operation: 'apps.eraseData',
      resource: erased.sha256,
      after: { sha256: erased.sha256, erased: { outbox: 1 } },
    },
  ])
  expect((await rowsWith(db.adminUrl, ADA, 'shop')).filter((name) => name !== 'kv_entries')).toEqual([])
})

test('whoever waits for the reply of a request hears that it was cancelled', async () => {
  const { bus, shop } = await setUp()
  await shop.triggers.create({
    name: 't',
    source: 'asks',
    filter: { topic: 'q' },
    target: { type: 'function', name: 'f' },
  })
  const submitted = await shop.submit('asks', { op: 'ask', topic: 'q', value: about })
  await bus.apps.eraseData('shop', { where })
  expect(await shop.requests.get(submitted?.requestId ?? '')).toMatchObject({
    state: 'replied',
    reply: { ok: false, failure: 'cancelled', message: 'its event was erased' },
  })
})

test('a row that runs is waited for, and what becomes of it is erased as well', async () => {
  const { db, bus, shop, outcomes } = await setUp()
  const [started, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  await bus.on(
    'slow',
    'kv',
    {},
    async ({ event }) => {
      started.resolve()
      await free.promise
      throw new Error(`no: ${JSON.stringify(event)}`)
    },
    { retry: ONCE },
  )
  await bus.start()
  await shop.emit('kv', { op: 'set', collection: 'c', key: 'k', value: about, version: 1 })
  await started.promise
  const erasing = bus.apps.eraseData('shop', { where })
  await expect.poll(async () => (await shop.audit.list({ action: 'data.erase' })).items.length).toBe(1)
  free.resolve()
  expect(await erasing).toMatchObject({ held: 0, tables: { dead_letters: { rows: 1 } } })
  expect(outcomes.count('dead')).toBe(1)
  await bus.stop()
  expect(await rowsWith(db.adminUrl, ADA, 'shop')).toEqual([])
})

test('thousands of rows among those of another app, in batches that each count in the audit', async () => {
  const { db, bus, shop, bank } = await setUp()
  for (const cx of [shop, bank])
    await cx.triggers.create({ name: 't', source: 'kv', filter: {}, target: { type: 'function', name: 'f' } })
  const event = (value: typeof about, i: number) => ({
    op: 'set' as const,
    collection: 'c',
    key: `k${i}`,
    value,
    version: 1,
  })
  for (let n = 0; n < 3; n++)
    for (const cx of [shop, bank])
      await cx.emitMany(
        'kv',
        Array.from({ length: 1_000 }, (_, i) => event(i % 2 === 0 ? about : other, i)),
      )
  const erased = await bus.apps.eraseData('shop', { where, dryRun: false })
  expect(erased.tables['outbox']?.rows).toBe(1_500)
  const { rows } = await db.pool.query(`select app_id, count(*)::integer from outbus.outbox group by 1 order by 1`)
  expect(rows).toEqual([
    { app_id: 'bank', count: 3_000 },
    { app_id: 'shop', count: 1_500 },
  ])
  expect((await shop.audit.list({ action: 'data.erase' })).items).toMatchObject([
    { after: { erased: { outbox: 1_500 } } },
  ])
  expect(await bus.apps.eraseData('shop', { where })).toMatchObject({ rows: 0, held: 0 })
})

test('a row that cannot be read is in the way of none, and is counted', async () => {
  const { db, bus, shop } = await setUp()
  await shop.triggers.create({ name: 't', source: 'kv', filter: {}, target: { type: 'function', name: 'f' } })
  const event = { op: 'set', collection: 'c', key: 'k', value: about, version: 1 } as const
  await shop.emitMany('kv', [event, event])
  await db.pool.query(
    String.raw`update outbus.outbox set event = '{"value": "\u0000", "email": "ada"}' where id = (select min(id) from outbus.outbox)`,
  )
  expect(await bus.apps.eraseData('shop', { where })).toMatchObject({ rows: 1, unreadable: 1 })
})

test('of some sources only, and a letter that its handler has waits as what it is about', async () => {
  const { bus, shop, db } = await setUp()
  const target = { type: 'function', name: 'f' } as const
  await shop.triggers.create({ name: 'a', source: 'kv', filter: {}, target })
  await shop.triggers.create({ name: 'b', source: 'pubsub', filter: { topic: 'a' }, target })
  await shop.triggers.create({ name: 'c', source: 'dead_letter', filter: {}, target })
  await shop.emit('kv', { op: 'set', collection: 'c', key: 'k', value: about, version: 1 })
  await shop.pubsub.publish('a', about)
  await db.pool.query(
    `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id)
    select priority, app_id, event_id, json_build_object('source', 'kv', 'event', event), 1, trigger_id,
      json_build_object('source', 'dead_letter', 'name', 'c'), depth, root_id
    from outbus.outbox where trigger ->> 'source' = 'kv'`,
  )
  const path = { path: '$.value.customer.email', equals: ADA }
  const erased = await bus.apps.eraseData('shop', { where: { ...path, sources: ['kv'] } })
  expect(erased.tables['outbox']).toMatchObject({ rows: 2 })
  expect((await shop.deliveries.list()).items.map(({ trigger }) => trigger.source)).toEqual(['pubsub'])
})

test('only the service and administrators of the app may; another app is never reached', async () => {
  const { bus, shop, bank } = await setUp()
  await shop.principals.put('boss', { roles: ['admin'] })
  await shop.principals.put('u')
  await bank.kv.set('c', 'k', about)
  for (const principal of [{ id: 'u' }, { id: 'nobody' }])
    await expect(bus.apps.eraseData('shop', { where, principal })).rejects.toMatchObject(FORBIDDEN)
  await expect(bus.apps.eraseData('bank', { where, principal: { id: 'boss' } })).rejects.toMatchObject(FORBIDDEN)
  await expect(bus.apps.eraseData('shop', { where, dryRun: true, principal: { id: 'u' } })).rejects.toMatchObject(
    FORBIDDEN,
  )
  expect(await bus.apps.eraseData('shop', { where, principal: { id: 'boss' } })).toMatchObject({ rows: 0 })
  expect((await shop.audit.list({ action: 'data.erase' })).items).toMatchObject([{ principal: 'boss' }])
  expect(await bank.kv.get('c', 'k')).toMatchObject({ value: about })
})

test('the authorizer is asked with the whole of what is sought', async () => {
  const asked: unknown[] = []
  const authorizer: Authorizer = {
    allows: ({ action, app, resource }) => {
      asked.push({ action, app, resource })
      return false
    },
  }
  const { bus } = await setUp({ authorizer })
  await expect(bus.apps.eraseData('shop', { where, dryRun: true })).rejects.toMatchObject(FORBIDDEN)
  expect(asked).toEqual([{ action: 'data.erase', app: 'shop', resource: { where, caller: undefined, dryRun: true } }])
})

test.each([
  [{}, 'where'],
  [{ sources: ['kv'] }, 'where'],
  [{ contains: undefined }, 'where.contains'],
  [{ contains: {} }, 'where.contains'],
  [{ contains: { customer: {} } }, 'where.contains'],
  [{ contains: { customer: { email: undefined }, total: 9 } }, 'where.contains.customer.email'],
  [{ contains: [] }, 'where.contains'],
  [{ contains: 'ada' }, 'where.contains'],
  [{ path: '$.a' }, 'where.equals'],
  [{ path: '$.a', equals: undefined }, 'where.equals'],
  [{ path: '$.a', equals: {} }, 'where.equals'],
  [{ path: 'a', equals: 1 }, 'where.path'],
  [{ path: undefined, equals: 1 }, 'where.path'],
  [{ equals: 1 }, 'where.path'],
  [{ contains: { a: 1 }, sources: ['kvv'] }, 'where.sources[0]', 'source.unknown'],
  [{ contains: { a: 1 }, sources: [] }, 'where.sources'],
  [{ contains: { a: 1n } }, 'where.contains.a', 'payload.bigint'],
  [{ contain: { a: 1 } }, 'where.contain'],
  [undefined, 'where'],
  [null, 'where'],
] as const)(
  'what says nothing, or too little, erases nothing: %o',
  async (given, path, code: string = 'options.invalid') => {
    const bus = await createBus({ database: 'postgres://nobody@localhost:1/none', plugins: [kv()] })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    await expect(bus.apps.eraseData('shop', { where: given as never })).rejects.toMatchObject({ code, path })
  },
)

test('rows of what a principal called say that nobody has said who did, and others stay as they are', async () => {
  const { db, bus, shop, outcomes } = await setUp()
  await shop.triggers.create({ name: 't', source: 'kv', filter: {}, target: { type: 'function', name: 'nobody' } })
  await shop.triggers.pauseAll()
  await bus.on('dies', 'pubsub', { topic: 'a' }, () => Promise.reject(new Error('no')), { retry: ONCE })
  await bus.on('answers', 'asks', { topic: 'q' }, () => reply('yes'))
  for (const id of ['u_1', 'u_2']) {
    await shop.principals.put(id)
    const cx = bus.context({ principal: { id } })
    await cx.kv.set('c', id, about)
    await cx.pubsub.publish('a', about)
    await cx.submit('asks', { op: 'ask', topic: 'q' })
  }
  await shop.triggers.resumeAll()
  await shop.triggers.pause((await shop.triggers.getByName('t'))?.id ?? '')
  await bus.start()
  await outcomes.until(() => outcomes.count('dead') === 2 && outcomes.count('done') === 2)
  const callers = async () => {
    const { rows } = await db.pool.query<{ callers: string }>(
      ['outbox', 'dead_letters', 'replies', 'attempts']
        .map(
          (table) =>
            `select '${table} ' || string_agg(distinct caller, ',' order by caller) as callers from outbus.${table}`,
        )
        .join(' union all '),
    )
    return rows.map(({ callers: of }) => of)
  }
  const whose = (ids: string) => ['outbox', 'dead_letters', 'replies', 'attempts'].map((table) => `${table} ${ids}`)
  await expect.poll(callers).toEqual(whose('u_1,u_2'))
  expect(await bus.apps.eraseData('shop', { caller: 'u_1', dryRun: true })).toMatchObject({ dryRun: true, held: 0 })
  expect(await callers()).toEqual(whose('u_1,u_2'))
  const erased = await bus.apps.eraseData('shop', { caller: 'u_1' })
  expect(erased.tables).toMatchObject({ 'outbox.caller': { rows: 1 }, 'dead_letters.caller': { rows: 1 } })
  expect(await callers()).toEqual(whose(',u_2'))
  expect(JSON.stringify((await shop.audit.list({ action: 'data.erase' })).items)).not.toContain('u_1')
  for (const caller of ['', 'a\0', 7, undefined])
    await expect(bus.apps.eraseData('shop', { caller: caller as string })).rejects.toMatchObject({
      code: 'options.invalid',
      path: 'caller',
    })
  await expect(bus.apps.eraseData('shop', {})).rejects.toMatchObject({ code: 'options.invalid', path: 'where' })
})

test('a table of a plugin that this process does not have is named, and so is a source that does not say how it is erased', async () => {
  const { db, bus } = await setUp()
  const silent = defineSource({
    name: 'silent',
    version: 1,
    events: { a: z.strictObject({}) },
    filter: z.strictObject({}),
    matches: () => true,
    serialize: () => null,
    api: () => ({}),
  })
  const few = await createBus({
    database: db.url,
    plugins: [definePlugin({ name: 'silent', sources: [silent] })],
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => few.stop({ graceMs: 0 }))
  expect((await few.apps.eraseData('shop', { where, dryRun: true })).notCovered).toEqual({
    sources: ['silent'],
    tables: ['docs_documents', 'kv_entries', 'schedule_apps', 'schedules'],
  })
  expect((await bus.apps.eraseData('shop', { where, dryRun: true })).notCovered.tables).toEqual([])
})

test('a path means what redact means by it', async () => {
  const { db } = await setUp()
  for (const { path, value, is } of JSON_PATHS) {
    const isRedacted = JSON.stringify(is) !== JSON.stringify(value)
    const { rows } = await db.pool.query<{ found: boolean }>(
      'select exists (select from jsonb_path_query($1::jsonb, $2::text::jsonpath)) as found',
      [JSON.stringify(value), sqlPath(parseJsonPath(path, { code: 'options.invalid', what: 'test', at: '' }).steps)],
    )
    expect([path, value, rows[0]?.found]).toEqual([path, value, isRedacted])
  }
})

test('the id of a principal as docs/privacy.md says: what erasing it leaves, and how each of those places is emptied', async () => {
  const { db, bus, shop, outcomes } = await setUp()
  const ADA_ID = 'u_ada_7'
  /** Where the id is. The row of a schedule that is deleted goes when pg-boss has forgotten it. */
  const places = async () => {
    const tables = (await rowsWith(db.url, ADA_ID)).map((table) => table.replace(/_(\d{8}|other_days)$/, ''))
    return [...new Set(tables)].filter((table) => table !== 'schedules').toSorted()
  }
  await shop.principals.put(ADA_ID)
  const ada = bus.context({ principal: { id: ADA_ID } })
  bus.handle('fails', () => Promise.reject(new Error('no')), { triggerableBy: 'everyone' })
  const target = { type: 'function', name: 'fails' } as const
  const hers = await ada.triggers.create({ name: 'hers', source: 'kv', filter: {}, target, retry: ONCE })
  await ada.schedule.set('hers', { recurrence: '0 3 * * *' })
  await ada.kv.set('c', 'dies', about)
  await bus.start()
  await outcomes.until(() => outcomes.count('dead') === 1)
  await shop.triggers.pause(hers.id)
  await ada.kv.set('c', 'waits', about)
  await bus.apps.eraseData('shop', { caller: ADA_ID })
  expect(await places()).toEqual(['audit', 'dead_letters', 'outbox', 'principals', 'triggers'])
  await shop.triggers.delete(hers.id, { waiting: 'discard' })
  expect(await shop.schedule.delete('hers')).toBe(true)
  await shop.deadLetters.discardAll({ triggerId: hers.id })
  await shop.principals.remove(ADA_ID)
  await expect.poll(places).toEqual(['audit', 'dead_letters', 'principals'])
  const page = await readFile(new URL('../../docs/privacy.md', import.meta.url), 'utf8')
  const statements = page.split('```sql')[1]?.split('```')[0] ?? ''
  await db.pool.query(statements.replaceAll('u_42', ADA_ID))
  expect(await places()).toEqual([])
})
