/** G1, G21: what every call answers when Postgres is away, lets go of it in the middle, or refuses it. */
import { createBus, disableRowSecurity, enableRowSecurity, grantRoles, withTransaction } from '@outbus/core'
import { useTestClient, useTestDatabase, useTestPool, whenDone } from '@outbus/test-kit/vitest'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type pg from 'pg'
import pino from 'pino'
import { expect, test } from 'vitest'
import {
  all,
  busOfAll,
  EMITS,
  everyPlugin,
  IDS,
  outcomeOf,
  READ_AND_WRITE,
  READS,
  refusalOf,
  request,
  REQUESTS,
  WRITES,
} from './every-call.ts'
import type { Cx } from './every-call.ts'
import { migratedWithRoles } from './migrated-with-roles.ts'
import { untilDatabaseSays } from './workers/outcomes.ts'

const OUTSIDE = { ...READS, ...WRITES, ...READ_AND_WRITE, ...REQUESTS }
/** What is one statement. That of `kv.set` gives up within milliseconds where another transaction holds the entry. */
const SENT_TO_COMMIT = { ...EMITS, ...REQUESTS, 'kv.set': WRITES['kv.set'] as () => unknown }
const CHANGES = { ...WRITES, ...READ_AND_WRITE, ...REQUESTS }

async function prepared() {
  const db = await useTestDatabase({ plugins: everyPlugin() })
  const bus = await busOfAll(db.url, true)
  whenDone(() => bus.stop({ graceMs: 0 }))
  await prepare(bus.context(), db.pool)
  return { db, bus, cx: bus.context() }
}

async function prepare(cx: Cx, pool: pg.Pool): Promise<void> {
  await cx.kv.set('jobs', 'k', 1)
  await cx.docs.insert('jobs', { a: 1 }, { id: 'd' })
  await cx.schedule.set('s', { recurrence: '0 3 * * *' })
  const { id } = await cx.triggers.create({
    name: 't',
    source: 'kv',
    filter: {},
    target: { type: 'function', name: 'f' },
  })
  await pool.query(`update outbus.triggers set id = $1 where id = $2`, [IDS.trigger, id])
  await cx.triggers.create({
    name: 'm',
    source: 'pubsub',
    filter: { topic: '>' },
    target: { type: 'function', name: 'f' },
  })
  await cx.triggers.create({
    name: 'r',
    source: 'http',
    filter: { path: '/*' },
    target: { type: 'function', name: 'f' },
  })
  await cx.principals.put('u')
  await pool.query(
    `insert into outbus.dead_letters (id, app_id, delivery_id, source, trigger_id, trigger_name, event_id, event,
      event_version, trigger, priority, depth, root_id, attempts, failure_kind, reason, errors, emitted_at)
    overriding system value
    values ($1, 'shop', 1, 'kv', $2, 't', gen_random_uuid(), '{}', 1, '{}', 1, 1, gen_random_uuid(), 1, 'timeout', 'x', '[]',
      now())`,
    [IDS.letter, IDS.trigger],
  )
  await pool.query(
    `insert into outbus.outbox (id, priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id)
    overriding system value
    values ($1, 1, 'shop', gen_random_uuid(), '{}', 1, $2, json_build_object('app', 'shop'), 1, gen_random_uuid())`,
    [IDS.delivery, IDS.trigger],
  )
}

/** What each call answers, one after another. */
async function answersOf(calls: typeof OUTSIDE, ask: (call: (cx: Cx) => unknown) => Promise<string>) {
  const answers: Record<string, string> = {}
  for (const [name, call] of Object.entries(calls)) answers[name] = await ask(call)
  return answers
}

/** Who has waited for one lock for longer than any statement of the bus would wait by itself, which is 20 ms. */
const WAITING = `select array_agg(l.pid) as pids from pg_locks l join pg_stat_activity a using (pid)
  where a.datname = current_database() and not l.granted and l.waitstart < clock_timestamp() - interval '40 milliseconds'`

/**
 * Locks every table but the one that says which migrations there are: in `access exclusive` mode every call waits with its
 * first statement, in `share` mode with the first one that writes.
 */
async function lockEverything(holder: pg.ClientBase, mode: 'access exclusive' | 'share'): Promise<void> {
  await holder.query('begin')
  const { rows } = await holder.query<{ tables: string }>(
    `select string_agg(format('%I.%I', schemaname, tablename), ', ') as tables from pg_tables
      where schemaname = 'outbus' and tablename not like '%migration%'`,
  )
  await holder.query(`lock table ${String(rows[0]?.tables)} in ${mode} mode`)
}

/** Whoever waits, as the server says it. */
async function waiting(pool: pg.Pool, isOver: () => boolean = () => false): Promise<number[]> {
  while (!isOver()) {
    const { rows } = await pool.query<{ pids: number[] | null }>(WAITING)
    if (rows[0]?.pids) return rows[0].pids
    await pool.query('select pg_sleep(0.01)')
  }
  return []
}

/** A server process that waits for a lock does not hear that its client has gone. */
async function endAllThatWait(pool: pg.Pool): Promise<void> {
  const gone = `select count(pg_terminate_backend(pid)) = 0 from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`
  await untilDatabaseSays(pool, gone, true)
}

/** Does `step` again and again until there is an answer. */
async function until<T>(answer: Promise<T>, step: (isOver: () => boolean) => Promise<unknown>): Promise<T> {
  const over = new AbortController()
  void answer.then(() => over.abort())
  while (!over.signal.aborted) await step(() => over.signal.aborted)
  return answer
}

/** Ends the connection of whoever waits, until there is an answer. */
async function cut(pool: pg.Pool, answer: Promise<string>): Promise<string> {
  return until(answer, async (isOver) => {
    for (const pid of await waiting(pool, isOver)) await pool.query('select pg_terminate_backend($1)', [pid])
  })
}

/** Functions that ask no server, `isAnswered` as soon as the app's triggers are in memory. */
const PURE = new Set(['schedule.preview', 'with', 'as', 'sourceContext', 'isAnswered'])

test('no call of a context is left out', async () => {
  const { cx } = await prepared()
  const calls = new Set(Object.keys(OUTSIDE).map((name) => name.split(' ', 1).join()))
  const members: string[] = []
  for (const name of membersOf(cx)) {
    const member = (cx as unknown as Record<string, unknown>)[name]
    if (typeof member === 'function') members.push(name)
    else if (name !== 'causality' && typeof member === 'object' && member !== null)
      members.push(...membersOf(member).map((verb) => `${name}.${verb}`))
  }
  expect(members.filter((name) => !PURE.has(name)).toSorted()).toEqual([...calls].toSorted())
})

/** Its own and those of its classes. */
function membersOf(of: object): string[] {
  const names = new Set<string>()
  for (let at: object = of; at !== Object.prototype; at = Object.getPrototypeOf(at) as object)
    for (const name of Object.getOwnPropertyNames(at)) if (name !== 'constructor') names.add(name)
  return [...names]
}

test('a server that is not there: each call is database.unreachable, and shows no password', async () => {
  const closed = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => closed.once('listening', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  const bus = await busOfAll(`postgres://ada:pa55word@127.0.0.1:${port}/db`)
  whenDone(() => bus.stop({ graceMs: 0 }))
  const seen: unknown[] = []
  const answers = await answersOf(OUTSIDE, (call) =>
    outcomeOf(async () => {
      try {
        await call(bus.context())
      } catch (error) {
        seen.push(String(error), JSON.stringify(error))
        throw error
      }
    }),
  )
  expect(answers).toEqual(all(OUTSIDE, 'database.unreachable'))
  expect(await outcomeOf(() => bus.context().isAnswered('http', request))).toBe('database.unreachable')
  for (const call of [() => bus.migrate(), () => bus.checkSchema(), () => bus.start(), () => bus.upkeep()])
    expect(await outcomeOf(call)).toBe('database.unreachable')
  expect(await outcomeOf(() => bus.on('f', 'kv', {}, () => undefined))).toBe('database.unreachable')
  expect(JSON.stringify(seen)).not.toContain('pa55word')
})

test.each([
  ['a read is database.unreachable', 'access exclusive', READS, 'database.unreachable'],
  ['a write has an unknown outcome (G1)', 'share', CHANGES, 'emit.outcome_unknown'],
] as const)('a connection that is lost in flight: %s', async (_, mode, calls, outcome) => {
  const { db, cx } = await prepared()
  const holder = await useTestClient(db.adminUrl)
  await lockEverything(holder, mode)
  const answers = await answersOf(calls, (call) =>
    cut(
      db.pool,
      outcomeOf(() => call(cx)),
    ),
  )
  await holder.query('rollback')
  expect(answers).toEqual(all(calls, outcome))
})

test.each([
  ['a read', 'access exclusive', READS],
  ['a write', 'share', { ...WRITES, ...READ_AND_WRITE }],
] as const)(
  "a connection that is lost in a caller's transaction: %s is database.unreachable",
  async (_, mode, calls) => {
    const { db, cx } = await prepared()
    const holder = await useTestClient(db.adminUrl)
    await lockEverything(holder, mode)
    const answers = await answersOf(calls, async (call) => {
      const tx = await useTestClient(db.adminUrl)
      await tx.query('begin')
      return cut(
        db.pool,
        outcomeOf(() => call(cx.with(tx))),
      )
    })
    await holder.query('rollback')
    expect(answers).toEqual(all(calls, 'database.unreachable'))
  },
)

test.each([
  ['with its first statement', 'access exclusive', OUTSIDE, {}],
  // These were sent to commit by themselves. Whether they still do, only the server knows.
  ['with its write', 'share', CHANGES, all(SENT_TO_COMMIT, 'emit.outcome_unknown')],
] as const)('a bus that stops while a call waits %s', async (_, mode, calls, sent) => {
  const { db } = await prepared()
  const holder = await useTestClient(db.adminUrl)
  await lockEverything(holder, mode)
  const answers = await answersOf(calls, async (call) => {
    const bus = await busOfAll(db.url)
    await bus.checkSchema()
    const answer = outcomeOf(() => call(bus.context()))
    await waiting(db.pool)
    await bus.stop({ graceMs: 0 })
    await endAllThatWait(db.pool)
    return answer
  })
  await holder.query('rollback')
  expect(answers).toEqual({ ...all(calls, 'bus.stopped'), ...sent })
})

test('a bus that stops while kv.set waits for an entry that another transaction holds: nothing was written', async () => {
  const { db, cx } = await prepared()
  const bus = await busOfAll(db.url)
  await bus.kv.set('jobs', 'other', 1)
  const holder = await useTestClient(db.adminUrl)
  await holder.query('begin')
  await holder.query(`select from outbus.kv_entries where key = 'k' for update`)
  const answer = outcomeOf(() => bus.kv.set('jobs', 'k', 2))
  await waiting(db.pool)
  await bus.stop({ graceMs: 0 })
  expect(await answer).toBe('bus.stopped')
  await holder.query('rollback')
  expect(await cx.kv.get('jobs', 'k')).toMatchObject({ value: 1 })
})

test('a bus that stops while calls wait for a connection: bus.stopped', async () => {
  const { db } = await prepared()
  const pool = useTestPool(db.url, { max: 1 })
  const only = await pool.connect()
  const bus = await createBus({ database: pool, plugins: everyPlugin(), app: 'shop', log: pino({ level: 'silent' }) })
  const answers = Object.entries(OUTSIDE).map(async ([name, call]) => [
    name,
    await outcomeOf(() => call(bus.context())),
  ])
  await bus.stop({ graceMs: 0 })
  expect(Object.fromEntries(await Promise.all(answers))).toEqual(all(OUTSIDE, 'bus.stopped'))
  only.release()
})

test('a COMMIT whose answer is lost: each caller of the group hears that its outcome is unknown, and nobody is redone', async () => {
  const { db, cx } = await prepared()
  await cx.triggers.update(IDS.trigger, { ordered: true })
  await db.pool.query(`create function outbus.wait() returns trigger language plpgsql as $$ begin
      perform pg_sleep(3600); return null; end $$;
    create constraint trigger wait after insert or update on outbus.kv_entries deferrable initially deferred
      for each row execute function outbus.wait()`)
  const sets = Array.from({ length: 20 }, (_, i) => outcomeOf(() => cx.kv.set('group', `k${i}`, i)))
  const many = outcomeOf(() => cx.kv.setMany([{ collection: 'group', key: 'many', value: 1 }]))
  const doc = outcomeOf(() => cx.kv.set('group', 'version', 1, { ifVersion: 0 }))
  const answers = await until(Promise.all([...sets, many, doc]), () =>
    db.pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event = 'PgSleep' and pid <> pg_backend_pid();
      select pg_sleep(0.02)`),
  )
  expect(new Set(answers)).toEqual(new Set(['emit.outcome_unknown']))
  await db.pool.query('drop trigger wait on outbus.kv_entries')
  expect((await cx.kv.list('group')).items).toEqual([])
})

test('a login without the rights: each write is database.forbidden, and names the login and the role', async () => {
  const { db, as } = await migratedWithRoles()
  const migrating = await busOfAll(as('outbus_migrator'), true)
  await prepare(migrating.context(), db.pool)
  await migrating.stop()
  const bus = await busOfAll(as('outbus_reading'))
  whenDone(() => bus.stop({ graceMs: 0 }))
  const answers = await answersOf(CHANGES, (call) => outcomeOf(() => call(bus.context())))
  expect(answers).toEqual(all(CHANGES, 'database.forbidden 42501'))
  const { code, message } = await refusalOf(() => bus.context().deadLetters.replay(IDS.letter))
  expect([code, message]).toEqual([
    'database.forbidden',
    expect.stringMatching(/"outbus_reading".*dead_letters.*emitter/),
  ])
  const { message: forPrincipals } = await refusalOf(() => bus.context().principals.put('u'))
  expect(forPrincipals).toMatch(/principals.*migrator/)
})

test('a schema that is gone, and a table that is: schema.missing and schema.outdated', async () => {
  const { db, cx } = await prepared()
  const { rows } = await db.pool.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'outbus' and tablename not like '%migration%'`,
  )
  for (const { name } of rows) await db.pool.query(`alter table outbus."${name}" rename to "${name}_away"`)
  const outdated = await answersOf(OUTSIDE, (call) => outcomeOf(() => call(cx)))
  expect(outdated).toEqual(all(OUTSIDE, 'schema.outdated 42P01'))
  await db.pool.query('drop schema outbus cascade')
  const missing = await answersOf(OUTSIDE, (call) => outcomeOf(() => call(cx)))
  expect(missing).toEqual(
    Object.fromEntries(
      Object.keys(OUTSIDE).map((name) => [name, expect.stringMatching(/^schema\.missing (42P01|3F000)$/)]),
    ),
  )
})

test('a server that a newer program has migrated further says so: schema.newer', async () => {
  const { db, cx } = await prepared()
  await db.pool.query(`alter table outbus.kv_entries rename to kv_entries_2;
    insert into outbus.migration_checksums (line, name, sha256) values ('kv', '9999_renamed', '')`)
  expect(await outcomeOf(() => cx.kv.get('jobs', 'k'))).toBe('schema.newer 42P01')
})

test('a transaction that takes no writes: database.read_only', async () => {
  const { db, cx } = await prepared()
  const answers = await answersOf({ ...WRITES, ...READ_AND_WRITE }, async (call) => {
    const tx = await useTestClient(db.adminUrl)
    await tx.query('begin read only')
    return outcomeOf(() => call(cx.with(tx)))
  })
  expect(answers).toEqual(all({ ...WRITES, ...READ_AND_WRITE }, 'database.read_only 25006'))
})

test("a serialization failure in a caller's transaction can be told, so that it is tried again", async () => {
  const { db, cx } = await prepared()
  const tx = await useTestClient(db.adminUrl)
  await tx.query('begin isolation level repeatable read')
  await tx.query('select from outbus.kv_entries')
  await cx.kv.set('jobs', 'k', 'meanwhile')
  const failure = await refusalOf(() => cx.with(tx).kv.set('jobs', 'k', 2))
  expect(failure).toMatchObject({ code: 'database.refused', sqlState: '40001', cause: { code: '40001' } })
  await tx.query('rollback')
})

test('a login that the server does not know: database.unreachable, without the password', async () => {
  const { db } = await prepared()
  const url = new URL(db.adminUrl)
  url.password = 'pa55word'
  const bus = await busOfAll(url.href)
  whenDone(() => bus.stop({ graceMs: 0 }))
  const failure = await refusalOf(() => bus.context().kv.get('jobs', 'k'))
  expect(failure).toMatchObject({ code: 'database.unreachable', cause: { code: '28P01' } })
  expect(JSON.stringify(failure) + String(failure.stack)).not.toContain('pa55word')
})

test.each([
  ['grantRoles', (url: string) => grantRoles(url, { roles: { reader: 'nobody_there' } })],
  ['enableRowSecurity', (url: string) => enableRowSecurity(url, { allApps: ['nobody_there'] })],
  ['disableRowSecurity', (url: string) => disableRowSecurity(url)],
  ['withTransaction', (url: string) => withTransaction(useTestPool(url), async (tx) => tx.query('select 1'))],
])('%s, of a server that is not there: database.unreachable', async (_, call) => {
  expect(await outcomeOf(() => call('postgres://ada:pa55word@127.0.0.1:1/db'))).toBe('database.unreachable')
})

test('a role that does not exist: database.refused, and what Postgres said', async () => {
  const { db } = await prepared()
  const failure = await refusalOf(() => grantRoles(db.adminUrl, { roles: { reader: 'nobody_there' } }))
  expect(failure).toMatchObject({ code: 'database.refused', sqlState: '42704', cause: { code: '42704' } })
  expect(failure.message).toMatch(/nobody_there/)
})
