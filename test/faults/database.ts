/** What the runner does in the database under test itself: its tables before the run, and what is left after it. */
import { createBus, grantRoles } from '@outbus/core'
import { prepareRoles, TEST_ROLES, urlAs } from '@outbus/test-kit'
import { withClient } from '@outbus/test-kit/connections'
import type pg from 'pg'
import pino from 'pino'
import type { FinalState } from './check/final-state.ts'
import type { Pending } from './check/operations.ts'
import { loadPlugins } from './load/sources.ts'
import { OWN, TRIGGERS, triggerInput } from './load/triggers.ts'
import { OTHERS } from './nemesis/tools.ts'
import { APPS, LOGINS, registrantOf, SCHEMA } from './settings.ts'

/** They are the superuser's. A process that writes them may do no more with them. */
const TABLES = `
create table faults_marks (op text primary key);
create table faults_pulse (at timestamptz not null);
insert into faults_pulse values (now());
create table faults_ledger (op text not null, trigger text not null, delivery bigint not null, attempt integer not null);
grant insert on faults_marks to ${LOGINS.emitter};
grant insert on faults_ledger to ${LOGINS.dispatcher};
grant select on faults_marks, faults_ledger to ${LOGINS.checker};
`

/** Where the operation stands in an event of each source of the load. */
const OP_OF_EVENT = `coalesce(event->'value'->>'op', event->'message'->>'op', event->>'op')`

/** The operations whose rows were committed, whatever has become of the rows. Of the superuser. */
const EVENTS_NOTED = `
create table faults_emitted (op text not null);
create function faults_note_event() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into public.faults_emitted (op) select op from (select ${OP_OF_EVENT.replaceAll('event', 'new.event')} as op) as noted where op is not null;
  return null;
end
$$;
create trigger faults_note_event after insert on ${SCHEMA}.outbox for each row execute function public.faults_note_event();
`

/** Those operations, of a run that notes them. */
export async function emittedOperations(db: Pick<pg.Client, 'query'>): Promise<string[]> {
  const { rows } = await db.query<{ op: string }>('select distinct op from public.faults_emitted')
  return rows.map(({ op }) => op)
}

/** Roles, the schema, the triggers of every app, and the tables of the load. `url` is a superuser's. */
export async function prepareDatabase(
  url: string,
  { notesEvents = false }: { readonly notesEvents?: boolean } = {},
): Promise<void> {
  await prepareRoles(url)
  const migrator = urlAs(url, 'outbus_migrator')
  const options = { schema: SCHEMA, plugins: loadPlugins(), log: pino({ level: 'silent' }) }
  const migrating = await createBus({ database: migrator, migrate: true, ...options })
  await migrating.stop()
  await grantRoles(migrator, { schema: SCHEMA, roles: TEST_ROLES })
  // The functions are in other processes, so that nobody opens them here: whoever registers the triggers is an administrator.
  await withClient({ connectionString: url }, async (client) => {
    for (const app of APPS)
      await client.query(`insert into ${SCHEMA}.principals (app_id, id, roles) values ($1, $2, '{admin}')`, [
        app,
        registrantOf(app),
      ])
  })
  await using bus = await createBus({ database: urlAs(url, LOGINS.emitter), ...options })
  for (const app of APPS) {
    const cx = bus.context({ app, principal: { id: registrantOf(app) } })
    for (const trigger of TRIGGERS) await cx.triggers.create(triggerInput(trigger) as never)
    await bus.context({ app }).kv.set(OWN, 'name', app)
  }
  await withClient({ connectionString: url }, (client) =>
    client.query(notesEvents ? `${TABLES}\n${EVENTS_NOTED}` : TABLES),
  )
}

/** Those of them that have neither a row nor a dead letter. */
export async function findGone(db: pg.Pool, pending: readonly Pending[]): Promise<Pending[]> {
  const { rows } = await db.query<{ event_id: string; trigger: string }>(
    `select event_id, trigger->>'name' as trigger from ${SCHEMA}.outbox where event_id = any ($1)
    union all select event_id, trigger_name from ${SCHEMA}.dead_letters where event_id = any ($1)`,
    [pending.map(({ eventId }) => eventId)],
  )
  const there = new Set(rows.map(({ event_id, trigger }) => `${event_id} ${trigger}`))
  return pending.filter(({ eventId, trigger }) => !there.has(`${eventId} ${trigger}`))
}

/** Nothing is to be done any more: no row, no letter without its handlers, no reply that nobody has read. */
export async function isDrained(db: pg.Pool): Promise<boolean> {
  const { rows } = await db.query<{ drained: boolean }>(
    `select not exists (select from ${SCHEMA}.outbox)
      and not exists (select from ${SCHEMA}.dead_letters where not announced)
      and not exists (select from ${SCHEMA}.replies where taken_at is null) as drained`,
  )
  return rows[0]?.drained === true
}

/** What an emitter that is gone had sent ends with its session. */
export async function endOtherSessions(admin: pg.Pool): Promise<void> {
  await admin.query(`select pg_terminate_backend(pid, 5000) from pg_stat_activity where ${OTHERS}`)
}

export async function readFinalState(db: pg.Pool): Promise<FinalState> {
  const texts = async (sql: string) => {
    const { rows } = await db.query<[string]>({ text: sql, rowMode: 'array' })
    return rows.map(([text]) => text)
  }
  const committed = await texts(`select op from faults_marks
    union select value->>'op' from ${SCHEMA}.kv_entries where json_typeof(value) = 'object'
    union select key from ${SCHEMA}.dedupe_keys`)
  const { rows: ledger } = await db.query<FinalState['ledger'][number]>(
    'select op, trigger, attempt from faults_ledger',
  )
  const { rows: deadLetters } = await db.query<FinalState['deadLetters'][number]>(
    `select id::text, delivery_id::text as "deliveryId", trigger_name as trigger, app_id as app, attempts, reason, depth, resolution,
      ${OP_OF_EVENT} as op
    from ${SCHEMA}.dead_letters`,
  )
  const abandoned = await texts(`select request_id::text from ${SCHEMA}.abandoned_executions`)
  const left =
    await texts(`select format('%s of %s, attempt %s, due %s, trigger %s, lease %s', id, event_id, attempt, due_at, trigger->>'name', lease_token)
    from ${SCHEMA}.outbox limit 20`)
  return { committed: new Set(committed), ledger, deadLetters, abandoned, left }
}
