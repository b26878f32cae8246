/** Transactional handlers of two apps on one and the same connection, what they may do to its session, and what the session says. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import type pg from 'pg'
import pino from 'pino'
import { onTestFinished } from 'vitest'
import { watchOutcomes } from './workers/outcomes.ts'

export type Work = (tx: pg.ClientBase) => Promise<unknown>

/** Answers with what runs some work as the handler of an app. */
export async function setUpHandlers(connection: { database: string; prepare?: boolean; listenUrl?: string }) {
  const bus = await createBus({
    ...connection,
    plugins: [kv()],
    migrate: true,
    log: pino({ level: 'silent' }),
    dispatch: { transactions: 1, lanes: 1 },
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  let work: Work = async () => undefined
  bus.handle('work', async ({ tx }) => {
    await work(tx)
  })
  for (const app of ['one', 'two'])
    await bus.context({ app }).triggers.create({
      name: 'work',
      source: 'kv',
      filter: { collection: 'jobs' },
      target: { type: 'function', name: 'work' },
      transactional: true,
      retry: { maxAttempts: 1 },
    })
  await bus.start()
  const outcomes = { one: watchOutcomes('one'), two: watchOutcomes('two') }
  /** Runs `next` as the handler of the app, and answers with its outcome. */
  const inHandler = async (app: 'one' | 'two', next: Work) => {
    work = next
    const { seen, until } = outcomes[app]
    const before = seen.length
    await bus.context({ app }).kv.set('jobs', 'k', before)
    await until(() => seen.length > before)
    return seen[before]?.outcome.kind
  }
  const rowsIn = async (app: 'one' | 'two', query: string | pg.QueryConfig) => {
    let rows: unknown[] | undefined
    const kind = await inHandler(app, async (tx) => ({ rows } = await tx.query(query as pg.QueryConfig)))
    return kind === 'done' ? rows : kind
  }
  return { bus, inHandler, rowsIn }
}

/** After each of these a session is not as new. */
export const CHANGES = [
  'set search_path = nowhere',
  `set client_encoding = 'LATIN1'`,
  `set timezone = 'Asia/Kathmandu'`,
  `set datestyle = 'German, DMY'`,
  `set statement_timeout = '60s'`,
  `set lock_timeout = '1ms'`,
  'set row_security = off',
  'set role pg_monitor',
  'set session authorization pg_monitor',
  `set session characteristics as transaction isolation level serializable`,
  `select set_config('app.tenant', 'shop', false)`,
  'create temp table secrets as select 1 as secret',
  'create temp sequence counter; select nextval($$counter$$)',
  'listen leaks',
  'select pg_advisory_lock(4711)',
  'select pg_advisory_lock_shared(4712)',
  'declare secrets cursor with hold for select 1',
  'prepare secrets as select 1',
  `do $$ begin execute 'prepare "outbus.finish" as select 1'; end $$`,
  'deallocate all',
  'discard plans',
]

/** What a session says of itself. */
export const SESSION = `select session_user, current_user,
  array(select name || '=' || setting from pg_settings
    where (source = 'session' or name = 'client_encoding') and name not in ('idle_in_transaction_session_timeout', 'jit')
    and not starts_with(name, 'transaction_') order by 1) as settings,
  coalesce(current_setting('app.tenant', true), '') as tenant,
  to_regclass('pg_temp.secrets') as secrets, to_regclass('pg_temp.counter') as counter,
  array(select pg_listening_channels()) as channels,
  (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks,
  (select count(*) from pg_cursors where is_holdable) as cursors,
  (select count(*) from pg_prepared_statements where from_sql) as prepared`
