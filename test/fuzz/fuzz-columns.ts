/** The run of columns.ts: `shop` writes, `bank` must not notice. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createBus } from '@outbus/core'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { createTestDatabase, urlAs } from '@outbus/test-kit'
import { openPool, withClient } from '@outbus/test-kit/connections'
import type pg from 'pg'
import pino from 'pino'
import { pick, seeded } from '../faults/random.ts'
import { createWorkTriggers, handleWork, migrateTwoApps } from '../security/shop-and-bank.ts'
import type { Measured, Work } from './second-app.ts'
import { measure, noticed } from './second-app.ts'
import type { WritableColumn } from './writable-columns.ts'
import { hostileValue, keysOf, writableColumns } from './writable-columns.ts'

export interface FuzzOptions {
  /** A superuser's. */
  readonly serverUrl: string
  readonly seed: number
  readonly seconds: number
}

export interface FuzzResult {
  readonly idle: Measured
  readonly loaded: Measured
  /** Why the second app has noticed. */
  readonly noticed: readonly string[]
  readonly statements: number
  readonly setAside: number
  readonly deadLetters: number
  readonly columns: readonly { table: string; column: string; accepted: number; refused: number }[]
}

/** The second app works alone for this share of the run. */
const IDLE_SHARE = 0.15
/** After this many statements the first app gets back what the fuzz has taken from it. */
const REFILL_EVERY = 200
/** So that the first app is no load by itself: what it may write at all is for quotas to say. */
const PAUSE_MS = 3

export async function fuzzColumns({ serverUrl, seed, seconds }: FuzzOptions): Promise<FuzzResult> {
  const database = await createTestDatabase(serverUrl)
  try {
    return await fuzzDatabase(database.url, seed, seconds)
  } finally {
    await database.drop()
  }
}

async function fuzzDatabase(url: string, seed: number, seconds: number): Promise<FuzzResult> {
  const plugins = () => [kv(), docs(), schedule({ syncMs: 200 })] as const
  await (await migrateTwoApps(url, plugins())).stop({ graceMs: 0 })
  const admin = openPool({ connectionString: url, max: 2 })
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: urlAs(url, 'outbus_service'), plugins: plugins(), history: 'all', log })
  const bank = await secondApp(bus, admin)
  const fill = () => fillFirstApp(bus, admin)
  try {
    await bus.start()
    await fill()
    const idle = await measure(bank, AbortSignal.timeout(Math.max(2_000, seconds * 1_000 * IDLE_SHARE)))
    const over = AbortSignal.timeout(seconds * 1_000 * (1 - IDLE_SHARE))
    const [loaded, written] = await Promise.all([measure(bank, over), write({ url, seed, over, fill })])
    const { rows } = await admin.query<{ letters: number; aside: number }>(
      `select (select count(*)::integer from outbus.dead_letters where app_id = 'shop') as letters, (select count(*)::integer from outbus.set_aside) as aside`,
    )
    const { letters = 0, aside = 0 } = rows[0] ?? {}
    return { idle, loaded, noticed: noticed(idle, loaded), setAside: aside, deadLetters: letters, ...written }
  } finally {
    await bus.stop({ graceMs: 1_000 })
    await admin.end()
  }
}

type FuzzBus = Awaited<
  ReturnType<
    typeof createBus<
      ReturnType<() => readonly [ReturnType<typeof kv>, ReturnType<typeof docs>, ReturnType<typeof schedule>]>
    >
  >
>

/** Everything that a bus does, for one app, each piece with its own way to know that it was done. */
async function secondApp(bus: FuzzBus, admin: pg.Pool): Promise<readonly Work[]> {
  const cx = bus.context({ app: 'bank' })
  const waiting = new Map<string, () => void>()
  const done = (key: unknown) => waiting.get(String(key))?.()
  handleWork(bus, ({ app, key }) => void (app === 'bank' && done(key)))
  for (const app of ['bank', 'shop']) await createTriggers(bus, app)
  let n = 0
  const until = (signal: AbortSignal, key: string) =>
    new Promise<void>((resolve, reject) => {
      waiting.set(key, resolve)
      signal.addEventListener('abort', () => reject(new Error(`${key} was not done in time`)), { once: true })
    }).finally(() => waiting.delete(key))
  const delivered = (name: string): Work => ({
    name,
    isTimed: true,
    run: async (signal) => {
      const key = `${name}-${++n}`
      await Promise.all([until(signal, key), cx.kv.set(name, key, 1)])
    },
  })
  const works: Work[] = [
    ...['jobs', 'limited', 'transactional', 'ordered'].map(delivered),
    delivered('failing'),
    {
      name: 'request',
      isTimed: true,
      run: async () => {
        const answer = await cx.request(
          'kv',
          { op: 'set', collection: 'questions', key: 'q', value: 1, version: 1 },
          { timeoutMs: 10_000 },
        )
        if (!answer.ok) throw new Error(`the request was answered ${answer.failure}: ${answer.message}`)
      },
    },
    {
      name: 'document',
      isTimed: true,
      run: async () => {
        await cx.docs.insert('c', { a: { b: n } })
      },
    },
    {
      name: 'schedule',
      isTimed: false,
      run: async (signal) => {
        await cx.schedule.set('own', { recurrence: '0 9 * * 1', data: ++n })
        await untilSaid(
          admin,
          signal,
          `select not changed and problem is null from outbus.schedules where app_id = 'bank' and name = 'own'`,
        )
      },
    },
    {
      name: 'withdrawal',
      isTimed: false,
      run: async (signal) => {
        const { deliveryIds } = await cx.kv.set('jobs', `later-${++n}`, 1, { delayMs: 60_000 })
        await cx.deliveries.cancel(deliveryIds[0] as string)
        await untilSaid(admin, signal, `select not exists (select from outbus.outbox where id = ${deliveryIds[0]})`)
      },
    },
    {
      name: 'history',
      isTimed: false,
      run: async (signal) => {
        const { eventId } = await cx.kv.set('jobs', `kept-${++n}`, 1)
        await untilSaid(admin, signal, `select exists (select from outbus.attempts where event_id = '${eventId}')`)
      },
    },
    {
      name: 'pause',
      isTimed: false,
      run: async (signal) => {
        const { items } = await cx.triggers.list()
        const id = items.find(({ name }) => name === 'pausing')?.id as string
        await cx.triggers.disable(id)
        await untilSaid(
          admin,
          signal,
          `select coalesce(bool_and(swept), true) from outbus.pauses where app_id = 'bank' and disabled`,
        )
        await cx.triggers.enable(id)
      },
    },
  ]
  return works
}

async function untilSaid(pool: pg.Pool, signal: AbortSignal, query: string): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<unknown[]>({ text: query, rowMode: 'array' })
    if (rows[0]?.[0] === true) return
    if (signal.aborted) throw new Error(`this was not so in time: ${query}`)
    await sleep(50)
  }
}

/** Those that the fuzz has deleted are made anew. */
async function createTriggers(bus: FuzzBus, app: string): Promise<void> {
  const cx = bus.context({ app })
  const { items } = await cx.triggers.list({ limit: 1_000 })
  await createWorkTriggers(cx, new Set(items.map(({ name }) => name)))
}

/** Something of the first app in every table, for the fuzz to copy and to change. What the fuzz has broken of it is made anew. */
async function fillFirstApp(bus: FuzzBus, admin: pg.Pool): Promise<void> {
  await admin.query(`delete from outbus.triggers where app_id = 'shop';
    delete from outbus.trigger_epochs where app_id = 'shop'; delete from outbus.trigger_changes where app_id = 'shop';
    delete from outbus.pauses where app_id = 'shop'; delete from outbus.outbox where app_id = 'shop' and not alone and lease_token is null;
    delete from outbus.schedules where app_id = 'shop'; delete from outbus.docs_documents where app_id = 'shop'`)
  await createTriggers(bus, 'shop')
  const cx = bus.context({ app: 'shop' })
  for (const collection of ['jobs', 'limited', 'transactional', 'ordered', 'failing'])
    await cx.kv.set(
      collection,
      'template',
      { a: 1 },
      { delayMs: 86_400_000, dedupeKey: `${collection}-${Math.random()}` },
    )
  await cx.submit('kv', { op: 'set', collection: 'questions', key: 'q', value: 1, version: 1 })
  await cx.kv.set('failing', 'dies', 1)
  await cx.docs.insert('c', { a: 1 })
  await cx.schedule.set('own', { recurrence: '0 9 * * 1' })
  await cx.triggers.disable((await cx.triggers.list()).items.find(({ name }) => name === 'pausing')?.id as string)
  await admin.query(`insert into outbus.withdrawals (app_id, delivery_id, outcome, dead_letter, reason)
    select 'shop', id, 'dead', true, 'no' from outbus.outbox where app_id = 'shop' limit 1 on conflict do nothing;
    insert into outbus.replies (request_id, app_id, delivery_id, source, trigger_id, trigger_name, reply_to, reply, emitted_at)
    select gen_random_uuid(), 'shop', 1, 'kv', gen_random_uuid(), 't', 'kept', '{"ok":true}', now();
    insert into outbus.abandoned_executions (request_id, app_id, delivery_id, source, trigger_id, trigger_name, reply, emitted_at, replied_at)
    select gen_random_uuid(), 'shop', 1, 'kv', gen_random_uuid(), 't', '{"ok":true}', now(), now();
    insert into outbus.ordering_locks (app_id, trigger_id, key_hash) values ('shop', gen_random_uuid(), 1);
    insert into outbus.principals (app_id, id) values ('shop', 'u_' || gen_random_uuid())`)
}

interface WriteOptions {
  readonly url: string
  readonly seed: number
  readonly over: AbortSignal
  fill(): Promise<void>
}

/** Which dispatchers read for all apps. */
const SHARED = new Set(['outbox', 'pauses', 'withdrawals', 'schedules', 'trigger_limits'])

/** As the first app's login, statement after statement. What Postgres refuses is refused. */
async function write({ url, seed, over, fill }: WriteOptions): Promise<Pick<FuzzResult, 'statements' | 'columns'>> {
  const random = seeded(seed)
  return withClient({ connectionString: urlAs(url, 'outbus_emitting') }, async (emitting) => {
    const columns = await writableColumns(emitting)
    const keys = await keysOf(emitting)
    const shared = columns.filter(({ table }) => SHARED.has(table))
    const counts = new Map(columns.map((column) => [column, { accepted: 0, refused: 0 }]))
    let statements = 0
    await emitting.query(`set statement_timeout = '5s'; set lock_timeout = '1s'`)
    while (!over.aborted) {
      // Each column in turn, so that a short run has all of them; of what the second app has to share a table with, more.
      const isShared = statements % 2 === 1
      const from = isShared ? shared : columns
      const column = from[Math.floor(statements / 2) % from.length] as WritableColumn
      const count = counts.get(column) as { accepted: number; refused: number }
      try {
        const { rowCount } = await emitting.query(statementFor(column, columns, keys, random))
        if ((rowCount ?? 0) > 0) count.accepted++
      } catch (error) {
        // By Postgres: a type, a constraint, a policy. Of anything else the run would be about nothing.
        if ((error as { severity?: unknown }).severity === undefined) throw error
        count.refused++
      }
      // What the first app has written into its own triggers may fail its own emits.
      if (++statements % REFILL_EVERY === 0) await fill().catch(() => undefined)
      await sleep(PAUSE_MS)
    }
    return {
      statements,
      columns: columns.map((column) => ({
        table: column.table,
        column: column.column,
        ...(counts.get(column) as { accepted: number; refused: number }),
      })),
    }
  })
}

/** What is copied of tables whose rows are gone before anybody could copy one. */
const MADE: Readonly<Record<string, string>> = {
  withdrawals: `(select app_id, id as delivery_id, 'dead' as outcome, true as dead_letter, 'no' as reason, now() as requested_at from outbus.outbox)`,
  root_rows: `(select app_id, root_id, 1 as rows, now() as noted_at from outbus.outbox)`,
}

function statementFor(
  fuzzed: WritableColumn,
  columns: readonly WritableColumn[],
  keys: ReadonlyMap<string, readonly string[]>,
  random: () => number,
): string {
  const { table, column, insert, update } = fuzzed
  const value = hostileValue(fuzzed, random)
  if (update && (!insert || random() < 0.5)) {
    const one = `ctid = (select ctid from outbus.${table} where app_id = 'shop' order by random() limit 1)`
    return `update outbus.${table} set ${column} = ${value} where app_id = 'shop' and ${one}`
  }
  // Of a row that is made, its key is that of a row of the outbox.
  const key = table in MADE ? [] : (keys.get(table) ?? [])
  const inserted = columns.filter((one) => one.table === table && one.insert)
  const fresh = (one: WritableColumn) => {
    if (one.column === column) return value
    // Of several hostile columns at once each may hide the others: mostly one is.
    if (random() < 0.03) return hostileValue(one, random)
    if (table === 'outbox' && one.column === 'due_at') return 'clock_timestamp()'
    if (table === 'outbox' && one.column === 'paused') return 'false'
    if (one.column === 'app_id' || !key.includes(one.column)) return one.column
    if (one.type === 'uuid') return pick([one.column, 'gen_random_uuid()'], random)
    if (one.type === 'bigint') return '(random() * 1e9)::bigint'
    return one.type === 'text' ? `${one.column} || '-' || (random() * 1e9)::bigint` : one.column
  }
  return `insert into outbus.${table} (${inserted.map((one) => one.column).join(', ')})
    select ${inserted.map(fresh).join(', ')} from ${MADE[table] ?? `outbus.${table}`} as made where app_id = 'shop' order by random() limit 1 on conflict do nothing`
}
