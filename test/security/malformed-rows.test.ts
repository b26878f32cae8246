/** What one app writes past the bus, by SQL with the rights of an emitter, holds up nothing of another app (G19). */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from '../integration/workers/outcomes.ts'
import { insertAgain, setUpTwoApps } from './two-apps.ts'

/** Whose dead letters a handler got. */
const buriedOf = (ran: readonly string[]) =>
  ran.flatMap((one) => (one.includes(' bury ') ? [one.split(' ')[0] as string] : [])).toSorted()

const ANNOUNCED = 'announced'
const SET_ASIDE = 'set aside'
const OUT_OF_BOUNDS = { code: '42501', message: expect.stringContaining('"within_bounds"') as string }

test.for<[what: string, columns: Record<string, string>, letter: string]>([
  ['a chain that is an object', { chain: `'{"a":1}'` }, ANNOUNCED],
  ['a chain of no ids', { chain: `'[{"a":1},null,7]'` }, ANNOUNCED],
  ['an event that is deeper than any', { event: `(repeat('[', 200) || repeat(']', 200))::json` }, SET_ASIDE],
  ['an event with a NUL', { event: `'"\\u0000"'` }, SET_ASIDE],
  ['an event with half a surrogate pair', { event: `'"\\ud800"'` }, SET_ASIDE],
  ['an emit at no time', { emitted_at: `'infinity'` }, ANNOUNCED],
  ['a caller that is longer than any', { caller: `repeat('x', 1000)` }, ANNOUNCED],
  ['a caller of two lines and quotes', { caller: `E'a\\n=b"\\\\,{}'` }, ANNOUNCED],
  ['an emit before all time', { emitted_at: `'4000-01-01 BC'` }, ANNOUNCED],
])('%s holds up the dead-letter handlers of no other app', async ([, columns, letter]) => {
  const { db, dispatching, emitting, ran, shop, bank } = await setUpTwoApps()
  await shop.kv.set('failing', 'fine', 1)
  await emitting.query(insertAgain(columns))
  await bank.kv.set('failing', 'other', 1)
  await dispatching.start()
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.dead_letters where announced', 3)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(buriedOf(ran)).toEqual(letter === ANNOUNCED ? ['bank', 'shop', 'shop'] : ['bank', 'shop'])
  const { items } = await shop.setAside.list()
  const letters = letter === ANNOUNCED ? [] : [{ app: 'shop', kind: 'dead_letter', id: expect.any(String) as string }]
  expect(items).toMatchObject(letters)
  expect(dispatching.stats.setAside).toBe(letters.length)
  expect((await bank.setAside.list()).items).toEqual([])
  // Whatever is in it, it is listed as a dead letter.
  expect((await shop.deadLetters.list({ resolution: 'any' })).items).toHaveLength(2)
})

test('a dead-letter handler whose filter cannot be read holds up those of no other app', async () => {
  const { db, dispatching, emitting, ran, shop, bank } = await setUpTwoApps()
  const { id } = await shop.triggers.create({
    name: 'broken',
    source: 'dead_letter',
    filter: {},
    target: { type: 'function', name: 'bury' },
  })
  await emitting.query(`update outbus.triggers set filter = '[]' where id = $1`, [id])
  await emitting.query(`update outbus.trigger_epochs set epoch = epoch + 1 where app_id = 'shop'`)
  for (const cx of [shop, bank]) await cx.kv.set('failing', 'dies', 1)
  await dispatching.start()
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.dead_letters where announced', 2)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(buriedOf(ran)).toEqual(['bank'])
  expect((await shop.setAside.list({ kind: 'dead_letter' })).items).toMatchObject([
    { reason: expect.stringContaining('cannot read the stored filter') as string },
  ])
})

test('what is set aside is listed by pages, by kind, and only of its own app', async () => {
  const { db, shop, bank } = await setUpTwoApps()
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

const BANK_HAS_RUN = `select not exists (select from outbus.outbox where app_id = 'bank')`

const RUNS = 'runs'
const FAILS = 'fails'
const WAITS = 'waits'

test.for<[what: string, columns: Record<string, string>, becomes: string]>([
  ['a chain with line breaks', { chain: `E'[\n]'` }, RUNS],
  [
    'a chain of a thousand objects',
    { chain: `(select json_agg(json_build_object('a', i)) from generate_series(1, 900) as i)` },
    FAILS,
  ],
  ['a trace context with line breaks', { trace_context: `E'a\n{b\nc'` }, RUNS],
  ['a bad chain that is too deep to run', { chain: `'{"a":1}'`, depth: '30000' }, RUNS],
  ['a depth below none', { depth: '-1' }, FAILS],
  ['a due time before all time', { due_at: `'-infinity'` }, RUNS],
  ['a due time that never comes', { due_at: `'infinity'` }, WAITS],
  ['an event of the far future', { event_version: '2147483647' }, WAITS],
  ['an event of before all versions', { event_version: '-5' }, FAILS],
  ['a reply that goes nowhere', { reply_to: `''`, reply_by: `'infinity'` }, RUNS],
  ['a caller who left before all time', { reply_to: `repeat('x', 500)`, reply_by: `'-infinity'` }, RUNS],
])('a row with %s holds up no row of another app', async ([, columns, becomes]) => {
  const { db, dispatching, emitting, shop, bank, ran } = await setUpTwoApps({ dispatch: { lanes: 1 }, history: 'all' })
  for (const collection of ['jobs', 'limited', 'transactional', 'ordered']) await shop.kv.set(collection, 'fine', 1)
  await emitting.query(insertAgain(columns))
  for (const collection of ['jobs', 'limited', 'transactional', 'ordered']) await bank.kv.set(collection, collection, 1)
  await dispatching.start()
  await untilDatabaseSays(db.pool, BANK_HAS_RUN, true)
  expect(ran.filter((one) => one.startsWith('bank')).toSorted()).toEqual(
    ['jobs', 'limited', 'ordered', 'transactional'].map((key) => `bank work ${key}`),
  )
  await bank.kv.set('failing', 'dies', 1)
  await untilDatabaseSays(
    db.pool,
    `select count(*)::integer from outbus.attempts where app_id = 'bank' and outcome = 'dead'`,
    1,
  )
  expect(
    await bank.request('kv', { op: 'set', collection: 'questions', key: 'q', value: 1, version: 1 }),
  ).toMatchObject({
    value: 'yes',
  })
  // What it is itself: it runs, fails alone, or waits for a time or a version that may come.
  const own = `select count(*)::integer from outbus.outbox where app_id = 'shop'`
  await untilDatabaseSays(db.pool, own, becomes === WAITS ? 4 : 0)
  const { items } = await shop.deadLetters.list({ resolution: 'any' })
  expect(items.map(({ failureKind }) => failureKind)).toEqual(becomes === FAILS ? Array(4).fill('payload_invalid') : [])
})

// Row security reads the app of the trigger, and refuses such a one at the door.
test.for<[what: string, trigger: string]>([
  ['a name with a NUL', `'name', 'a\\u0000b'`],
  ['a source with a NUL', `'source', 'kv\\u0000'`],
  ['a registrant with a NUL', `'registrant', 'u\\u0000'`],
  ['an app with a NUL', `'app', 'shop\\u0000'`],
  ['a registrant with half a surrogate pair', `'registrant', 'u\\ud800'`],
])('without row security: a trigger that has %s holds up no row of another app', async ([, member]) => {
  const { db, dispatching, emitting, shop, bank, ran } = await setUpTwoApps({
    bound: false,
    dispatch: { lanes: 1 },
    history: 'all',
  })
  for (const collection of ['jobs', 'failing', 'limited', 'ordered']) await shop.kv.set(collection, 'fine', 1)
  const [key, value] = member.split(', ') as [string, string]
  // As text: a member that is there twice counts the last time.
  const trigger = `(left(trigger::text, -1) || ',"' || ${key} || '":"' || ${value} || '"}')::json`
  await emitting.query(insertAgain({ trigger }))
  for (const collection of ['jobs', 'failing', 'limited', 'ordered']) await bank.kv.set(collection, collection, 1)
  await dispatching.start()
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(ran.filter((one) => one.startsWith('bank work')).toSorted()).toEqual(
    ['jobs', 'limited', 'ordered'].map((name) => `bank work ${name}`),
  )
  await untilDatabaseSays(db.pool, `select count(*) >= 4 from outbus.attempts where app_id = 'bank'`, true)
  expect(dispatching.stats.interrupted).toBe(0)
})

test.for(['0', `'NaN'`, `'Infinity'`, `'-Infinity'`, '1e-300', '1e300', '-1'])(
  'a rate limit of %s holds up the limited triggers of no other app',
  async (rate) => {
    const { db, dispatching, emitting, shop, bank, ran } = await setUpTwoApps()
    await shop.kv.set('limited', 'fine', 1)
    await emitting.query(`update outbus.trigger_limits set rate_limit = ${rate}`)
    await bank.kv.set('limited', 'other', 1)
    await dispatching.start()
    await untilDatabaseSays(db.pool, BANK_HAS_RUN, true)
    expect(ran).toContain('bank work other')
  },
)

test('an emitter writes no starts of a limit, of which each look would count ten million', async () => {
  const { emitting } = await setUpTwoApps()
  await expect(
    emitting.query(
      `insert into outbus.trigger_limits (trigger_id, app_id, starts) values (gen_random_uuid(), 'shop', '{}')`,
    ),
  ).rejects.toMatchObject({ code: '42501' })
})

test('a reply that is there already, since one event id was written twice, holds up the reply of no other app', async () => {
  const { db, dispatching, emitting, shop, bank } = await setUpTwoApps()
  const ask = { op: 'set', collection: 'questions', key: 'q', value: 1, version: 1 } as const
  await shop.submit('kv', ask)
  await emitting.query(insertAgain({ reply_to: 'reply_to', reply_by: 'reply_by' }))
  const submitted = await bank.submit('kv', ask)
  await dispatching.start()
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(await bank.requests.get(submitted?.requestId as string)).toMatchObject({ reply: { value: 'yes' } })
})

test('an abandoned execution that is there already holds up those of no other app', async () => {
  const { db, dispatching, emitting, bank } = await setUpTwoApps()
  const values = (app: string, id: string) =>
    `('${id}', '${app}', 1, 'kv', gen_random_uuid(), 't', 'nobody', now() - interval '1 hour', '{}', now())`
  const [own, other] = ['00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002']
  await db.pool
    .query(`insert into outbus.replies (request_id, app_id, delivery_id, source, trigger_id, trigger_name, reply_to, reply_by, reply, emitted_at)
    values ${values('shop', own)}, ${values('bank', other)}`)
  await emitting.query(`insert into outbus.abandoned_executions (request_id, app_id, delivery_id, source, trigger_id, trigger_name, reply, emitted_at, replied_at)
    values ('${own}', 'shop', 1, 'kv', gen_random_uuid(), 't', '{}', now(), now())`)
  await dispatching.start()
  await untilDatabaseSays(db.pool, 'select not exists (select from outbus.replies)', true)
  expect((await bank.requests.abandoned()).items.map(({ requestId }) => requestId)).toEqual([other])
})

test('a discard whose reason has a NUL keeps no attempt of another app out of the history', async () => {
  const { db, dispatching, emitting, shop, bank } = await setUpTwoApps({ history: 'all' })
  await shop.kv.set('discarding', 'fine', 1)
  await emitting.query(insertAgain({ event: `'{"key":"k","value":"\\u0000"}'` }))
  await bank.kv.set('jobs', 'other', 1)
  await dispatching.start()
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.attempts', 3)
  expect((await bank.history.list()).items).toMatchObject([{ outcome: 'done' }])
})

test('a pause that was changed at no time keeps the rows of no other app from being set aside', async () => {
  const { db, dispatching, emitting, shop, bank } = await setUpTwoApps()
  for (const cx of [shop, bank]) {
    const { items } = await cx.triggers.list()
    await cx.triggers.disable(items.find(({ name }) => name === 'working')?.id as string)
  }
  await emitting.query(
    `update outbus.pauses set changed_at = '-infinity', sweep_from = 9223372036854775807, sweep_after = '-infinity', changed_by = '1'`,
  )
  await dispatching.start()
  await untilDatabaseSays(db.pool, `select swept from outbus.pauses where app_id = 'bank'`, true)
  expect((await bank.setAside.list()).items).toEqual([])
})

test.for<[what: string, column: string, value: string]>([
  ['a level that no lane takes', 'priority', '7'],
  ['a kind that no lane takes', 'single', '5'],
  ['a trigger of two million characters', 'trigger', `json_build_object('app', 'shop', 'x', repeat('x', 2000000))`],
  ['an event of forty million', 'event', `to_json(repeat('x', 40000000))`],
  ['a trace context without end', 'trace_context', `repeat('x', 100000)`],
])('a row of %s is refused at the door', async ([, column, value]) => {
  const { emitting, shop } = await setUpTwoApps()
  await shop.kv.set('jobs', 'fine', 1)
  await expect(emitting.query(insertAgain({ [column]: value }))).rejects.toMatchObject(OUT_OF_BOUNDS)
})

test('a value of kv of forty million characters is refused at the door', async () => {
  const { emitting, shop } = await setUpTwoApps()
  await shop.kv.set('jobs', 'fine', 1)
  const value = `to_json(repeat('x', 40000000))`
  await expect(emitting.query(`update outbus.kv_entries set value = ${value}`)).rejects.toMatchObject(OUT_OF_BOUNDS)
})

test('keys of a trigger without end are refused at the door', async () => {
  const { emitting } = await setUpTwoApps()
  const keys = `(select json_agg(md5(n::text)) from generate_series(1, 100000) as n)`
  await expect(emitting.query(`update outbus.triggers set keys = ${keys}`)).rejects.toMatchObject({
    code: '23514',
    constraint: 'triggers_keys_are_within_bounds',
  })
})

test('a trigger whose filter cannot be read fails emits as long as it is there, and no longer', async () => {
  const { db, migrating, emitting, shop } = await setUpTwoApps()
  const other = await createBus({ database: db.url, plugins: [kv()], log: pino({ level: 'silent' }) })
  onTestFinished(() => other.stop({ graceMs: 0 }))
  const { items } = await shop.triggers.list()
  const id = items.find(({ name }) => name === 'working')?.id as string
  await emitting.query(`update outbus.triggers set filter = '[]' where id = $1`, [id])
  await emitting.query(`update outbus.trigger_epochs set epoch = epoch + 1 where app_id = 'shop'`)
  const emit = () => other.context({ app: 'shop' }).kv.set('jobs', 'k', 1)
  await expect(emit()).rejects.toMatchObject({ code: 'source.failed' })
  // By another process: this one hears nothing of it.
  await migrating.context({ app: 'shop' }).triggers.delete(id)
  expect(await emit()).toMatchObject({ deliveries: 0 })
})
