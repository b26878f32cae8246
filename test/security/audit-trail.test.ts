/** Who changed what is written in the transaction that changes it: one row for each change, and none for what was rolled back (G27). */
import { randomUUID } from 'node:crypto'
import { createBus, reply, withTransaction } from '@outbus/core'
import type { AuditEntry, Context, SourcesOf } from '@outbus/core'
import { http, httpHandler } from '@outbus/http'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { FORBIDDEN } from './callers.ts'

type Cx = Context<SourcesOf<ReturnType<typeof kv> | ReturnType<typeof schedule>>>

const log = pino({ level: 'silent' })

async function setUp(options: object = {}) {
  const db = await useTestDatabase({ plugins: [kv(), schedule()] })
  const bus = await createBus({
    database: db.url,
    plugins: [kv(), schedule()],
    app: 'shop',
    migrate: true,
    log,
    ...options,
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  bus.handle('f', () => undefined, { triggerableBy: 'everyone' })
  const service = bus.context()
  const of = (id: string, app = 'shop') => bus.context({ app, principal: { id } })
  const all = async (cx: Pick<Context, 'audit'> = service) => (await cx.audit.list()).items.toReversed()
  /** What a call adds, in the order in which it was written. */
  const adds = async (call: () => Promise<unknown>): Promise<AuditEntry[]> => {
    const before = (await all()).length
    await call()
    return (await all()).slice(before)
  }
  return { db, bus, service, of, all, adds }
}

const trigger = (name: string, more: object = {}) => ({
  name,
  source: 'kv' as const,
  filter: { collection: name },
  target: { type: 'function', name: 'f' },
  ...more,
})

const emit = (cx: Cx, collection: string) =>
  cx.emit('kv', { op: 'set', collection, key: 'k', value: 'secret payload', version: 0 })

/** Letters of the trigger `name`, as a dispatcher would have left them. */
async function letters({ db }: Pick<Awaited<ReturnType<typeof setUp>>, 'db'>, count: number): Promise<string[]> {
  const { rows } = await db.pool.query<{ id: string }>(
    `insert into outbus.dead_letters (app_id, delivery_id, source, trigger_id, trigger_name, event_id, event, event_version, trigger,
      priority, depth, root_id, attempts, failure_kind, reason, errors, emitted_at)
    select 'shop', i, 'kv', gen_random_uuid(), 'work', gen_random_uuid(), '{"value": "secret payload"}', 1,
      '{"name": "work", "source": "kv", "app": "shop", "target": {"type": "function", "name": "f"}}', 1, 1, gen_random_uuid(), 1, 'timeout', 'x', '[]', now()
    from generate_series(1, $1) i returning id`,
    [count],
  )
  return rows.map(({ id }) => id)
}

test('each change of a trigger leaves one row, with the call, what was before and what is after', async () => {
  const { service, adds } = await setUp()
  const { triggers } = service
  let id = ''
  const calls: [call: () => Promise<unknown>, expected: object][] = [
    [
      async () => (id = (await triggers.create(trigger('t'))).id),
      { action: 'trigger.create', operation: 'triggers.create', before: null, after: { name: 't', enabled: true } },
    ],
    [
      () => triggers.update(id, { name: 'renamed' }),
      { action: 'trigger.update', operation: 'triggers.update', before: { name: 't' }, after: { name: 'renamed' } },
    ],
    [
      () => triggers.disable(id),
      { action: 'trigger.update', operation: 'triggers.disable', before: { enabled: true }, after: { enabled: false } },
    ],
    [
      () => triggers.enable(id, { waiting: 'discard' }),
      { operation: 'triggers.enable', before: { enabled: false }, after: { enabled: true, waiting: 'discard' } },
    ],
    [
      () => triggers.pause(id),
      { action: 'trigger.pause', operation: 'triggers.pause', before: { paused: false }, after: { paused: true } },
    ],
    [
      () => triggers.resume(id),
      { action: 'trigger.pause', operation: 'triggers.resume', before: { paused: true }, after: { paused: false } },
    ],
    [
      () => triggers.delete(id, { waiting: 'park' }),
      {
        action: 'trigger.delete',
        operation: 'triggers.delete',
        before: { name: 'renamed' },
        after: { waiting: 'park' },
      },
    ],
    [() => triggers.release(id), { operation: 'triggers.release', before: { parked: true }, after: null }],
  ]
  for (const [call, expected] of calls) {
    const entries = await adds(call)
    expect(entries).toMatchObject([{ resource: id, principal: undefined, ...expected }])
  }
  expect(await adds(() => triggers.pauseAll())).toMatchObject([
    { action: 'trigger.pause', operation: 'triggers.pauseAll', resource: undefined, after: { paused: true } },
  ])
  expect(await adds(() => triggers.resumeAll())).toMatchObject([{ operation: 'triggers.resumeAll' }])
})

test('what changes nothing leaves no row: a program that declares the same trigger at each start, a pause of what is paused', async () => {
  const { bus, service, adds } = await setUp()
  const declare = () => bus.on('declared', 'kv', { collection: 'a' }, () => undefined)
  expect(await adds(declare)).toMatchObject([{ action: 'trigger.create' }])
  expect(await adds(declare)).toEqual([])
  await service.triggers.pauseAll()
  expect(await adds(() => service.triggers.pauseAll())).toEqual([])
  expect(await adds(() => service.deliveries.purge({ all: true }))).toEqual([])
  expect(await adds(() => service.deadLetters.discardAll({ all: true }))).toEqual([])
  await expect(adds(() => service.principals.remove('nobody'))).resolves.toEqual([])
  // Of what is gone already.
  const gone = { eventId: randomUUID() }
  expect(await adds(() => service.deliveries.withdraw(gone))).toEqual([])
  for (const cancel of [() => service.deliveries.cancel('1'), () => service.deliveries.cancel(gone)])
    expect(await adds(() => expect(cancel()).rejects.toMatchObject({ code: 'delivery.not_found' }))).toEqual([])
})

test('the service that takes over the name of a principal leaves two rows: what went and what came', async () => {
  const { bus, of, adds } = await setUp()
  await of('u_1').triggers.create(trigger('taken'))
  const entries = await adds(() => bus.on('taken', 'kv', { collection: 'a' }, () => undefined))
  expect(entries).toMatchObject([
    { action: 'trigger.delete', operation: 'bus.on', before: { registrant: 'u_1' } },
    { action: 'trigger.create', operation: 'bus.on', after: { name: 'taken' } },
  ])
})

test('deliveries that are ended leave one row, with how many and why, and nothing of what they carry', async () => {
  const { db, service, adds } = await setUp()
  await service.triggers.create(trigger('work'))
  for (let i = 0; i < 6; i++) await emit(service, 'work')
  const { rows } = await db.pool.query<{ id: string; event_id: string }>(
    'select id, event_id from outbus.outbox order by id',
  )
  const [one, two, three, four] = rows as [(typeof rows)[0], (typeof rows)[0], (typeof rows)[0], (typeof rows)[0]]
  const entries = [
    ...(await adds(() => service.deliveries.cancel(one.id, { reason: 'wrong address' }))),
    ...(await adds(() => service.deliveries.cancel([two.id]))),
    ...(await adds(() => service.deliveries.withdraw({ eventId: three.event_id }))),
    ...(await adds(() => service.deliveries.cancelAll({ eventId: four.event_id }))),
    ...(await adds(() => service.deliveries.purge({ all: true }))),
  ]
  expect(entries).toMatchObject([
    {
      operation: 'deliveries.cancel',
      resource: one.id,
      after: { outcome: 'dead', waiting: 1, reason: 'wrong address' },
    },
    { operation: 'deliveries.cancel', resource: undefined, after: { waiting: 1, meant: [two.id] } },
    { operation: 'deliveries.withdraw', after: { outcome: 'discarded', meant: { eventId: three.event_id } } },
    { operation: 'deliveries.cancelAll', after: { waiting: 1, meant: { eventId: four.event_id } } },
    { operation: 'deliveries.purge', after: { waiting: 2, meant: { all: true } } },
  ])
  expect(entries.map(({ action }) => action)).toEqual(Array(5).fill('delivery.cancel'))
  expect(JSON.stringify(entries)).not.toContain('secret payload')
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
})

test('dead letters that are replayed or discarded leave one row each call', async () => {
  const all = await setUp()
  const { service, adds } = all
  const [one, two] = (await letters(all, 6)) as [string, string]
  const { deadLetters } = service
  const entries = [
    ...(await adds(() => deadLetters.replay(one))),
    ...(await adds(() => deadLetters.replay(one, { force: true }))),
    ...(await adds(() => deadLetters.discard(two))),
    ...(await adds(() => deadLetters.replayAll({ source: 'kv', diedAfter: new Date(0) }))),
  ]
  await letters(all, 2)
  entries.push(...(await adds(() => deadLetters.discardAll({ all: true }))))
  expect(entries).toMatchObject([
    { action: 'dead_letter.replay', operation: 'deadLetters.replay', resource: one, after: { force: false } },
    { action: 'dead_letter.replay', operation: 'deadLetters.replay', resource: one, after: { force: true } },
    { action: 'dead_letter.discard', operation: 'deadLetters.discard', resource: two },
    { operation: 'deadLetters.replayAll', after: { count: 4, selection: { source: 'kv' } } },
    { operation: 'deadLetters.discardAll', after: { count: 2, selection: { all: true } } },
  ])
  expect(JSON.stringify(entries)).not.toContain('secret payload')
  expect(
    await adds(() => expect(deadLetters.discard(two)).rejects.toMatchObject({ code: 'dead_letter.already_resolved' })),
  ).toEqual([])
})

test('principals and quotas: what they were and what they are', async () => {
  const { bus, service, adds } = await setUp()
  const { principals } = service
  const entries = [
    ...(await adds(() => principals.put('u_1', { roles: ['editor'] }))),
    ...(await adds(() => principals.put('u_1', { roles: ['admin'], disabled: true }))),
    ...(await adds(() => principals.remove('u_1'))),
    ...(await adds(() => bus.apps.setQuotas('shop', { triggers: 5 }))),
    ...(await adds(() => bus.apps.setQuotas('shop', { triggers: null, schedules: 7 }))),
  ]
  const change = { action: 'principal.change', resource: 'u_1' }
  expect(entries).toMatchObject([
    { ...change, operation: 'principals.put', before: null, after: { roles: ['editor'], disabled: false } },
    { ...change, before: { roles: ['editor'] }, after: { roles: ['admin'], disabled: true } },
    { ...change, operation: 'principals.remove', before: { roles: ['admin'], disabled: true }, after: null },
    { action: 'quota.change', operation: 'apps.setQuotas', before: {}, after: { triggers: 5 } },
    { action: 'quota.change', before: { triggers: 5 }, after: { schedules: 7 } },
  ])
})

test('schedules are set and deleted with a row each, which does not say what they carry', async () => {
  const { bus, service, all, adds } = await setUp()
  const entries = [
    ...(await adds(() => service.schedule.set('nightly', { recurrence: '0 3 * * *', data: 'secret payload' }))),
    ...(await adds(() => service.schedule.set('nightly', { recurrence: '0 4 * * *', data: 'secret payload' }))),
    ...(await adds(() => service.schedule.set('nightly', { recurrence: '0 4 * * *', data: 'another secret payload' }))),
    ...(await adds(() => service.schedule.delete('nightly'))),
  ]
  const set = { action: 'schedule.set', operation: 'schedule.set', resource: 'nightly' }
  expect(entries).toMatchObject([
    { ...set, before: null, after: { recurrence: '0 3 * * *', enabled: true } },
    { ...set, before: { recurrence: '0 3 * * *' }, after: { recurrence: '0 4 * * *' } },
    { ...set, before: { recurrence: '0 4 * * *' }, after: { data: 'changed' } },
    { action: 'schedule.delete', before: { recurrence: '0 4 * * *' }, after: null },
  ])
  expect(JSON.stringify(entries)).not.toContain('secret payload')
  expect(await adds(() => service.schedule.delete('nightly'))).toEqual([])
  await bus.apps.setQuotas('shop', { schedules: 0 })
  await expect(service.schedule.set('one more', { recurrence: '0 3 * * *' })).rejects.toMatchObject({
    code: 'quota.exceeded',
  })
  expect((await all()).at(-1)).toMatchObject({ action: 'quota.change' })
})

test('an app that is erased keeps who did what, and nothing of how things were', async () => {
  const { db, bus, service, of, all } = await setUp()
  await service.triggers.create(trigger('t', { filter: { collection: 'of alice' } }))
  await of('u_1', 'other').triggers.create(trigger('t'))
  await bus.apps.erase('shop', { dryRun: true })
  expect((await bus.apps.erase('shop')).tables).not.toHaveProperty('audit')
  const entries = await all()
  expect(entries).toMatchObject([
    { action: 'trigger.create', before: null, after: null },
    { action: 'app.erase', operation: 'apps.erase', principal: undefined, after: { erased: true } },
  ])
  expect((await bus.apps.list()).items.map(({ app }) => app)).toEqual(['other'])
  const { rows } = await db.pool.query(`select after ->> 'name' as name from outbus.audit where app_id = 'other'`)
  expect(rows).toEqual([{ name: 't' }])
})

test('the audit of an app that is erased loses its contents a thousand rows a transaction, over several days', async () => {
  const { db, bus, all } = await setUp()
  await db.pool.query(`insert into outbus.audit (app_id, action, operation, at, before, after)
    select app, 'x', 'x', now() - i % 3 * interval '1 day', '{"of": "alice"}', case when i % 2 = 0 then '{"of": "bob"}'::jsonb end
    from generate_series(1, 2500) i, unnest(array['shop', 'other']) app`)
  await db.pool.query(`create function outbus.no_more() returns trigger language plpgsql as $$ begin
      perform set_config('test.rows', (coalesce(nullif(current_setting('test.rows', true), ''), '0')::integer + 1)::text, true);
      if current_setting('test.rows')::integer > 1000 then raise exception 'more than a thousand rows in one transaction'; end if;
      return new;
    end $$;
    create trigger no_more before update on outbus.audit for each row execute function outbus.no_more()`)
  await bus.apps.erase('shop')
  const { rows } = await db.pool.query(
    `select app_id, count(*)::integer from outbus.audit where coalesce(before, after) is not null group by 1 order by 1`,
  )
  expect(rows).toEqual([
    { app_id: 'other', count: 2_500 },
    { app_id: 'shop', count: 1 },
  ])
  expect((await all()).at(-1)).toMatchObject({ operation: 'apps.erase', after: { erased: true } })
})

test('as which principal, for whom and from where', async () => {
  const { db, bus, of, service, all } = await setUp()
  await service.principals.put('boss', { roles: ['admin'] })
  await bus.context({ principal: { id: 'boss' }, origin: 'admin page\0, 192.0.2.7' }).triggers.create(trigger('a'))
  await of('boss').triggers.create(trigger('b'))
  await bus.context({ origin: 'a job' }).as({ id: 'boss' }).triggers.pauseAll()
  await withTransaction(db.pool, (tx) => bus.context({ origin: 'another job' }).with(tx).triggers.resumeAll())
  const [, first, second, third, fourth] = await all()
  expect(first).toMatchObject({ principal: 'boss', caller: 'boss', boundBy: [] })
  expect(first?.from).toMatchObject({ pid: process.pid, origin: 'admin page\u{fffd}, 192.0.2.7' })
  expect(first?.from.host).toEqual(expect.stringMatching(/./))
  expect(first?.from.login).toEqual(expect.stringMatching(/./))
  expect(second).toMatchObject({ principal: 'boss', from: { origin: undefined } })
  expect(third).toMatchObject({ operation: 'triggers.pauseAll', principal: 'boss', from: { origin: 'a job' } })
  expect(fourth).toMatchObject({ operation: 'triggers.resumeAll', from: { origin: 'another job' } })
  expect(() => bus.context({ origin: '' })).toThrow(expect.objectContaining({ code: 'options.invalid' }))
  expect(() => bus.context({ origin: 'x'.repeat(257) })).toThrow(expect.objectContaining({ code: 'options.invalid' }))
})

test('what a handler changes says which delivery it was; of an HTTP request also who sent it', async () => {
  const plugins = [kv(), http({ routesFor: 'everyone' })] as const
  const db = await useTestDatabase({ plugins })
  const bus = await createBus({ database: db.url, plugins, app: 'shop', migrate: true, log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  bus.handle('stop everything', async ({ cx }) => {
    await cx.triggers.pauseAll()
    await cx.as(cx.caller).triggers.resumeAll()
    return reply('stopped')
  })
  const service = bus.context()
  for (const id of ['boss', 'u_42']) await service.principals.put(id, { roles: ['admin'] })
  await bus.context({ principal: { id: 'boss' } }).triggers.create({
    name: 'admin page',
    source: 'http',
    filter: { method: 'POST', path: '/stop' },
    target: { type: 'function', name: 'stop everything' },
  })
  await bus.start()
  const respond = httpHandler(bus, { context: () => ({ app: 'shop', principal: { id: 'u_42' } }) })
  expect((await respond(new Request('http://localhost/stop', { method: 'POST' }))).status).toBe(200)
  const [second, first] = (await service.audit.list({ action: 'trigger.pause' })).items
  expect(first).toMatchObject({ operation: 'triggers.pauseAll', principal: 'boss', caller: 'u_42', boundBy: [] })
  expect(second).toMatchObject({
    operation: 'triggers.resumeAll',
    principal: 'u_42',
    caller: 'u_42',
    boundBy: ['boss'],
  })
  for (const entry of [first, second])
    expect(entry?.from.origin).toMatch(/^delivery \d+ of trigger "admin page" \(http\), event [\da-f-]{36}$/)
})

test('what is rolled back leaves no row, and what commits leaves its row: for every kind of change', async () => {
  const all = await setUp()
  const { db, bus, service } = all
  const kept = await service.triggers.create(trigger('work'))
  await service.principals.put('u_1', { roles: [] })
  await emit(service, 'work')
  const [letter, other] = (await letters(all, 3)) as [string, string]
  const { rows } = await db.pool.query<{ id: string }>('select id from outbus.outbox')
  const changes = async (cx: Cx) => {
    await cx.triggers.create(trigger('new'))
    await cx.triggers.update(kept.id, { timeoutMs: 5_000 })
    await cx.triggers.pause(kept.id)
    await cx.triggers.pauseAll()
    await cx.principals.put('u_1', { disabled: true })
    await cx.principals.remove('u_1')
    await cx.deadLetters.replay(letter)
    await cx.deadLetters.discard(other)
    await cx.deadLetters.discardAll({ all: true })
    await cx.deliveries.cancel((rows[0] as { id: string }).id)
    await cx.triggers.delete(kept.id, { waiting: 'discard' })
  }
  const before = (await all.all()).length
  const undone = withTransaction(db.pool, async (tx) => {
    await changes(bus.context().with(tx))
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect(await all.all()).toHaveLength(before)
  await withTransaction(db.pool, (tx) => changes(bus.context().with(tx)))
  expect((await all.all()).slice(before).map(({ operation }) => operation)).toEqual([
    'triggers.create',
    'triggers.update',
    'triggers.pause',
    'triggers.pauseAll',
    'principals.put',
    'principals.remove',
    'deadLetters.replay',
    'deadLetters.discard',
    'deadLetters.discardAll',
    'deliveries.cancel',
    'triggers.delete',
  ])
})

test('where the audit cannot be written nothing is changed', async () => {
  const all = await setUp()
  const { db, bus, service } = all
  const kept = await service.triggers.create(trigger('kept'))
  await service.principals.put('u_1')
  const [letter] = (await letters(all, 1)) as [string]
  await emit(service, 'kept')
  const state = async () => {
    const { rows } = await db.pool.query(`select (select json_agg(t order by name) from outbus.triggers t) as triggers,
      (select json_agg(p) from outbus.principals p) as principals, (select json_agg(p) from outbus.pauses p) as pauses,
      (select json_agg(q) from outbus.app_quotas q) as quotas, (select json_agg(w) from outbus.withdrawals w) as withdrawals,
      (select json_agg(l.resolution) from outbus.dead_letters l) as letters, (select count(*) from outbus.outbox) as waiting`)
    return rows
  }
  const before = await state()
  await db.pool.query(`alter table outbus.audit add constraint refuses check (app_id <> 'shop') not valid`)
  const refused = { code: 'database.refused', sqlState: '23514' }
  for (const change of [
    () => service.triggers.create(trigger('new')),
    () => service.triggers.update(kept.id, { timeoutMs: 5_000 }),
    () => service.triggers.disable(kept.id),
    () => service.triggers.delete(kept.id),
    () => service.triggers.pause(kept.id),
    () => service.triggers.pauseAll(),
    () => service.principals.put('u_2'),
    () => service.principals.remove('u_1'),
    () => service.deadLetters.replay(letter),
    () => service.deadLetters.discard(letter),
    () => service.deadLetters.replayAll({ all: true }),
    () => service.deadLetters.discardAll({ all: true }),
    () => service.deliveries.purge({ all: true }),
    () => service.deliveries.cancelAll({ all: true }),
    () => bus.apps.setQuotas('shop', { triggers: 1 }),
    () => bus.apps.erase('shop'),
  ])
    await expect(change()).rejects.toMatchObject(refused)
  expect(await state()).toEqual(before)
})

test('a change of quotas that does not commit leaves no row', async () => {
  const { db, bus, all } = await setUp()
  await db.pool
    .query(`create function outbus.fails() returns trigger language plpgsql as $$ begin raise 'not so'; end $$;
    create constraint trigger fails after insert on outbus.app_quotas deferrable initially deferred
      for each row execute function outbus.fails()`)
  await expect(bus.apps.setQuotas('shop', { triggers: 1 })).rejects.toThrow('not so')
  expect(await all()).toEqual([])
})

test('a large filter is cut in the audit, and says how large it was', async () => {
  const { service, all } = await setUp()
  const values = Array.from({ length: 1_000 }, (_, i) => `value ${i}`)
  await service.triggers.create(trigger('large', { filter: { collection: 'a', pattern: { value: { x: values } } } }))
  const [entry] = await all()
  expect(entry?.after).toMatchObject({ name: 'large', filter: { cutBytes: expect.any(Number) } })
})

test('a change within what is cut leaves a row all the same, and the hashes tell the two', async () => {
  const { service, adds } = await setUp()
  const filter = (letter: string) => ({ collection: 'a', pattern: { value: [letter.repeat(5_000)] } })
  const { id } = await service.triggers.create(trigger('large', { filter: filter('a') }))
  const [entry] = await adds(() => service.triggers.update(id, { filter: filter('b') }))
  const hash = (of: unknown) => (of as { filter: { sha256: string } }).filter.sha256
  expect(hash(entry?.before)).toMatch(/^[\da-f]{64}$/)
  expect(hash(entry?.after)).not.toBe(hash(entry?.before))

  const roles = Array.from({ length: 40 }, (_, i) => `${'r'.repeat(120)}-${i}`)
  await service.principals.put('mole', { roles: [...roles, 'guest'] })
  expect(await adds(() => service.principals.put('mole', { roles: [...roles, 'admin'] }))).toHaveLength(1)
})

test.for(['run', 'park', 'discard'] as const)(
  'what becomes of the rows that wait is a change of a trigger that is disabled already: %s',
  async (waiting) => {
    const { service, adds } = await setUp()
    const { id } = await service.triggers.create(trigger('off', { enabled: false }))
    const [entry] = await adds(() => service.triggers.disable(id, { waiting }))
    expect(entry).toMatchObject({ operation: 'triggers.disable', after: { enabled: false, waiting } })
  },
)

test('for whom a schedule fires is a change', async () => {
  const { service, of, adds } = await setUp()
  const nightly = { recurrence: '0 3 * * *', data: 1 }
  await service.principals.put('root', { roles: ['admin'] })
  await service.schedule.set('nightly', nightly)
  const [entry] = await adds(() => of('root').schedule.set('nightly', nightly))
  expect(entry).toMatchObject({ before: { caller: null }, after: { caller: 'root' } })
})

test('lists newest first, by action, call, thing, principal and time, in pages; no cursor goes elsewhere', async () => {
  const { db, service, of, all } = await setUp()
  const { id } = await service.triggers.create(trigger('a'))
  await of('u_1').triggers.create(trigger('b'))
  await service.triggers.pause(id)
  await service.principals.put('u_1', { roles: ['editor'] })
  const list = async (filter: object) => (await service.audit.list(filter)).items.map(({ operation }) => operation)
  expect(await list({})).toEqual(['principals.put', 'triggers.pause', 'triggers.create', 'triggers.create'])
  expect(await list({ action: 'trigger.pause' })).toEqual(['triggers.pause'])
  expect(await list({ operation: 'principals.put' })).toEqual(['principals.put'])
  expect(await list({ resource: id })).toEqual(['triggers.pause', 'triggers.create'])
  expect(await list({ principal: 'u_1' })).toEqual(['triggers.create'])
  expect(await list({ principal: null })).toEqual(['principals.put', 'triggers.pause', 'triggers.create'])
  // So that their times can be said by a Date.
  await db.pool.query(`update outbus.audit set at = date_trunc('milliseconds', at) + id * interval '1 millisecond'`)
  const [, second, third] = await all()
  expect(await list({ since: third?.at })).toEqual(['principals.put', 'triggers.pause'])
  expect(await list({ until: second?.at })).toEqual(['triggers.create'])
  const first = await service.audit.list({ limit: 3 })
  const rest = await service.audit.list({ limit: 3, cursor: first.nextCursor as string })
  expect([first.items.length, rest.items.length, rest.nextCursor]).toEqual([3, 1, undefined])
  const cursor = { cursor: first.nextCursor as string }
  await expect(service.audit.list({ ...cursor, principal: 'u_1' })).rejects.toMatchObject({ code: 'page.cursor' })
  await expect(of('x', 'other').audit.list(cursor)).rejects.toMatchObject({ code: 'page.cursor' })
  await expect(service.audit.list({ actoin: 'x' } as object)).rejects.toMatchObject({
    code: 'options.invalid',
    hint: 'did you mean "action"?',
  })
  expect((await db.pool.query('select from outbus.audit_other_days')).rowCount).toBe(0)
})

test('another app reads nothing of it; a principal reads what it did itself, an administrator all of its app', async () => {
  const { service, of, all, bus } = await setUp()
  await service.triggers.create(trigger('of the service'))
  await of('u_1').triggers.create(trigger('of u_1'))
  await of('u_2').triggers.create(trigger('of u_2'))
  await service.principals.put('boss', { roles: ['admin'] })
  const other = bus.context({ app: 'other' })
  await other.principals.put('boss', { roles: ['admin'] })
  expect(await all(of('u_1'))).toMatchObject([{ principal: 'u_1' }])
  expect(await all(of('boss'))).toHaveLength(4)
  expect(await all(other)).toHaveLength(1)
  expect(await all(of('boss', 'other'))).toHaveLength(1)
  expect(await of('u_1').audit.list({ principal: 'u_2' })).toEqual({ items: [] })
  await service.principals.put('u_1', { disabled: true })
  await expect(of('u_1').audit.list()).rejects.toMatchObject(FORBIDDEN)
})

test('days are made ahead and dropped when they are old; a change of a day that nobody made is kept all the same', async () => {
  const { db, bus, service, all } = await setUp({ retention: { auditDays: 30 } })
  const days = async () => {
    const { rows } = await db.pool.query<{ name: string }>(
      `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'outbus.audit'::regclass order by 1`,
    )
    return rows.map(({ name }) => name)
  }
  const made = await days()
  expect(made).toHaveLength(4)
  await db.pool.query(
    `select outbus.add_day('audit', (now() at time zone 'UTC')::date - ago) from generate_series(29, 33) as ago`,
  )
  await db.pool.query(
    `insert into outbus.audit (app_id, action, operation, at) select 'shop', 'x', 'x', now() - ago * interval '1 day' from unnest(array[5, 29, 32, 60]) as ago`,
  )
  // Of the four days, two have no table of their own.
  expect((await db.pool.query('select from outbus.audit_other_days')).rowCount).toBe(2)
  expect(await bus.upkeep()).toMatchObject({ auditDays: 3 })
  expect(await all()).toHaveLength(2)
  expect((await db.pool.query('select from outbus.audit_other_days')).rowCount).toBe(1)
  // Whoever has no days at all: today's begins among the others, and ends there.
  for (const name of made) if (name !== 'audit_other_days') await db.pool.query(`drop table outbus.${name}`)
  await service.triggers.create(trigger('t'))
  await bus.upkeep()
  await service.triggers.pauseAll()
  expect((await all()).map(({ operation }) => operation)).toEqual(['x', 'x', 'triggers.create', 'triggers.pauseAll'])
})

test('an open transaction that has changed something keeps neither upkeep nor other changes waiting', async () => {
  const { db, bus, service, all } = await setUp()
  await db.pool.query(
    `drop table outbus.${(await db.pool.query<{ name: string }>(`select max(relname) as name from pg_class where relname like 'audit_2%' and relkind = 'r'`)).rows[0]?.name ?? ''}`,
  )
  await withTransaction(db.pool, async (tx) => {
    await bus.context({ app: 'other' }).with(tx).triggers.pauseAll()
    await bus.upkeep()
    await service.triggers.pauseAll()
    const { rows } = await db.pool.query(
      `select count(*)::integer from pg_inherits where inhparent = 'outbus.audit'::regclass`,
    )
    expect(rows).toEqual([{ count: 4 }])
  })
  expect(await all()).toHaveLength(1)
})
