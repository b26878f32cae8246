/**
 * Sessions that were opened while the endpoint was a read-only replica: what they answer for ever (25006) says that they have ended,
 * whoever has them (G22). As if: each write of a session that was there by then is refused, by a trigger on every table of the bus.
 */
import { createBus } from '@outbus/core'
import type { BusOptions } from '@outbus/core'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import { useTestDatabase, useTestPool } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import type { Instructions } from './ask-source.ts'
import { answer, asks } from './ask-source.ts'
import { databaseOptions } from './workers/database-options.ts'
import { untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

type SetEvent = KvEvent & { op: 'set' }

const KINDS = {
  plain: {},
  ordered: { ordered: true },
  transactional: { transactional: true },
  limited: { concurrency: 2 },
}
/** A real replica refuses a claim, and charges nothing: see standby.test.ts. Here a session may claim and not settle. */
const RETRY = { maxAttempts: 20, strategy: 'constant', baseDelayMs: 1, jitter: 'none' } as const
/** Of each kind, and as many as there are connections in any pool of the bus. */
const ROWS = 10

const REPLICAS = `
create table replicas (pid integer primary key);
grant select on replicas to public;
create function refuse() returns trigger language plpgsql as $$
begin
  if exists (select from public.replicas where pid = pg_backend_pid()) then
    raise exception 'cannot execute % in a read-only transaction', tg_op using errcode = 'read_only_sql_transaction';
  end if;
  return null;
end $$;
do $$ declare tab record; begin
  for tab in select oid::regclass as name from pg_class where relnamespace = 'outbus'::regnamespace and relkind in ('r', 'p')
  loop
    execute format('create trigger refuse before insert or update or delete on %s for each statement execute function refuse()', tab.name);
  end loop;
end $$`
const ALL_BECOME_REPLICAS = `insert into replicas select pid from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`

async function setUp(makeDatabase: (url: string) => BusOptions<[]>['database'] = (url) => url) {
  const db = await useTestDatabase({ plugins: [kv(), asks] })
  const bus = await createBus({
    ...databaseOptions(db.url),
    database: makeDatabase(db.url),
    plugins: [kv(), asks],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
    retention: false,
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  bus.handle<SetEvent>('work', async ({ attempt, event, cx }) => {
    await cx.kv.set('results', event.key, attempt)
  })
  bus.handle<Instructions>('answer', answer)
  const cx = bus.context()
  for (const [collection, more] of Object.entries(KINDS))
    await cx.triggers.create({
      name: collection,
      source: 'kv',
      filter: { collection },
      target: { type: 'function', name: 'work' },
      retry: RETRY,
      ...more,
    })
  await cx.triggers.create({
    name: 'answering',
    source: 'asks',
    filter: { topic: 'answers' },
    target: { type: 'function', name: 'answer' },
  })
  return { db, bus, cx, outcomes: watchOutcomes('shop') }
}

type Cx = Awaited<ReturnType<typeof setUp>>['cx']

/** Of each kind some, side by side, so that all pools open what they may. */
function setSome(cx: Cx, name: string): Promise<unknown>[] {
  return Object.keys(KINDS).flatMap((collection) =>
    Array.from({ length: ROWS }, (_, i) =>
      cx.kv.set(collection, `${name} ${i}`, i, { dedupeKey: `${collection} ${name} ${i}` }),
    ),
  )
}

async function untilWritten(cx: Cx, name: string): Promise<number> {
  for (let refused = 0; ; refused++) {
    const written = await Promise.allSettled(setSome(cx, name))
    if (written.every(({ status }) => status === 'fulfilled')) return refused
    expect(refused).toBeLessThan(20)
  }
}

test.for<[string, (url: string) => BusOptions<[]>['database']]>([
  ['the bus', (url) => url],
  ['the caller', (url) => useTestPool(url, { max: ROWS })],
])('with a pool of %s, all that it writes and all that it runs comes back', async ([, make]) => {
  const { db, bus, cx, outcomes } = await setUp(make)
  await bus.start()
  const each = ROWS * Object.keys(KINDS).length
  await Promise.all(setSome(cx, 'before'))
  await outcomes.until(() => outcomes.count('done') >= each)
  expect(await cx.request('asks', { op: 'ask', topic: 'answers', value: 1 })).toMatchObject({ value: 1 })

  await db.pool.query(REPLICAS)
  await db.pool.query(ALL_BECOME_REPLICAS)
  await untilWritten(cx, 'after')
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.outbox', 0)
  await outcomes.until(() => outcomes.count('done') >= 2 * each)
  expect(await cx.request('asks', { op: 'ask', topic: 'answers', value: 2 }, { timeoutMs: 10_000 })).toMatchObject({
    value: 2,
  })
})
