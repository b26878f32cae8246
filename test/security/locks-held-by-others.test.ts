/** Locks that another login holds for ever: a bus that needs them goes on, or says who holds them (issue 18, item 14). */
import { createBus, disableRowSecurity, withTransaction } from '@outbus/core'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import { useTestClient, useTestDatabase, useTestPool } from '@outbus/test-kit/vitest'
import type { UsedTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'
import { lockName, takeMigrationLock } from '../../core/src/migrate/lock.ts'
import { installBoss, Timekeeper } from '../../core/src/maintenance/timekeeper.ts'
import { setUpBus } from '../integration/one-bus.ts'
import { untilDatabaseSays } from '../integration/workers/outcomes.ts'

// Test files share their modules: this one loads them anew, and leaves none that goes by its mock.
vi.hoisted(() => vi.resetModules())
/** What is 10 s for an application. */
vi.mock('../../core/src/postgres/lock-timeouts.ts', async (original) => ({
  ...(await original<object>()),
  DEFAULT_LOCK_TIMEOUT: '300ms',
}))
afterAll(() => {
  vi.doUnmock('../../core/src/postgres/lock-timeouts.ts')
  vi.resetModules()
})

const EVENT = { op: 'set', collection: 'jobs', key: 'k0', value: 1, version: 0 } as KvEvent & { op: 'set' }

/** A login that may connect to the database and has no right on anything of the bus. */
async function useStranger(db: UsedTestDatabase) {
  const role = `stranger_${db.name}`
  await db.pool.query(`create role ${role} login password 'x'`)
  onTestFinished(async () => {
    await db.pool.query(`drop role ${role}`)
  })
  const url = new URL(db.adminUrl)
  url.username = role
  url.password = 'x'
  return useTestClient(url.href)
}

async function ordered() {
  const all = await setUpBus()
  await all.trigger('work', { maxAttempts: 1 }, { ordered: true })
  return all
}

/** Another transaction of somebody who may emit has the line of the event, and does not end. */
async function held() {
  const all = await ordered()
  const holder = await useTestClient(all.db.adminUrl)
  await holder.query('begin')
  await all.cx.with(holder).emit('kv', EVENT)
  const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid')
  const refusal = {
    code: 'emit.lock_timeout',
    sqlState: '55P03',
    message: expect.stringMatching(new RegExp(`pid ${rows[0]?.pid} \\(user \\w+, since `)),
  }
  return { ...all, holder, refusal }
}

test('a stranger who holds every advisory lock of an ordering key holds up no emit and no replay', async () => {
  const { db, cx } = await ordered()
  const stranger = await useStranger(db)
  // The number by which processes from before `0013_ordering_locks` locked this line. Whoever is connected sees it in pg_locks.
  const { rows } = await db.pool.query<{ number: string }>(
    `select hashtextextended(id::text || 'jobs' || chr(31) || 'k0', 0)::text as number from outbus.triggers where name = 'work'`,
  )
  await stranger.query('select pg_advisory_lock($1::bigint)', [rows[0]?.number])
  const withoutWaiting = (work: (at: typeof cx) => Promise<unknown>) =>
    withTransaction(db.pool, async (tx) => {
      await tx.query(`set local lock_timeout = '1ms'`)
      await work(cx.with(tx))
    })
  await withoutWaiting((at) => at.emit('kv', EVENT))
  await db.pool.query(DIES)
  await withoutWaiting((at) => at.deadLetters.replayAll({ all: true }))
  expect((await db.pool.query('select count(*)::integer as rows from outbus.outbox')).rows).toEqual([{ rows: 1 }])
})

test('an ordered emit in a caller’s transaction does not wait for ever for another transaction', async () => {
  const { db, cx, refusal } = await held()
  const { DEFAULT_LOCK_TIMEOUT } = await vi.importActual<object & { DEFAULT_LOCK_TIMEOUT: string }>(
    '../../core/src/postgres/lock-timeouts.ts',
  )
  expect(DEFAULT_LOCK_TIMEOUT).toBe('10s')
  await expect(withTransaction(db.pool, (tx) => cx.with(tx).emit('kv', EVENT))).rejects.toMatchObject(refusal)
})

test('a transaction that says how long it waits for locks is refused by that time, and is usable from its savepoint', async () => {
  const { db, cx, holder, refusal } = await held()
  await withTransaction(db.pool, async (tx) => {
    await tx.query(`set local lock_timeout = '50ms'`)
    await tx.query('savepoint before')
    await expect(cx.with(tx).emit('kv', EVENT)).rejects.toMatchObject(refusal)
    await tx.query('rollback to before')
    await holder.query('commit')
    await cx.with(tx).emit('kv', EVENT)
    expect((await tx.query('show lock_timeout')).rows).toEqual([{ lock_timeout: '50ms' }])
  })
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.outbox', 2)
})

test('an ordered emit leaves the lock_timeout of the caller’s transaction as it was', async () => {
  const { db, cx } = await ordered()
  await withTransaction(db.pool, async (tx) => {
    await cx.with(tx).emit('kv', EVENT)
    expect((await tx.query('show lock_timeout')).rows).toEqual([{ lock_timeout: '0' }])
  })
})

/** The rows that wait become dead letters, as if their attempts were used up. */
const DIES = `with gone as (delete from outbus.outbox returning *)
  insert into outbus.dead_letters (priority, app_id, delivery_id, event_id, event, event_version, trigger_id, trigger, trigger_name, source,
    reason, failure_kind, attempts, errors, depth, root_id, chain, ordering_key, emitted_at)
  select priority, app_id, id, event_id, event, event_version, trigger_id, trigger, trigger ->> 'name', trigger ->> 'source',
    'test', 'handler_error', 1, '[]', depth, root_id, chain, ordering_key, emitted_at from gone`

test.each(['of its caller', 'of its own'])(
  'a replay in a transaction %s does not wait for ever for its line, and says who may hold it',
  async (whose) => {
    const { db, cx } = await ordered()
    await cx.emit('kv', EVENT)
    await db.pool.query(DIES)
    const holder = await useTestClient(db.adminUrl)
    await holder.query('begin')
    await cx.with(holder).emit('kv', EVENT)
    const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid')
    const replay = (at: typeof cx) => at.deadLetters.replayAll({ all: true })
    const replayed =
      whose === 'of its own'
        ? replay(cx)
        : withTransaction(db.pool, async (tx) => {
            await tx.query(`set local lock_timeout = '50ms'`)
            await replay(cx.with(tx))
          })
    await expect(replayed).rejects.toMatchObject({
      code: 'emit.lock_timeout',
      sqlState: '55P03',
      message: expect.stringMatching(new RegExp(`of this replay .*pid ${rows[0]?.pid} \\(user \\w+, since `)),
    })
    await holder.query('rollback')
    await withTransaction(db.pool, async (tx) => {
      expect(await replay(cx.with(tx))).toEqual({ count: 1, parked: 0 })
      expect((await tx.query('show lock_timeout')).rows).toEqual([{ lock_timeout: '0' }])
    })
  },
)

test('a verb that takes its dedupe key first does not wait for ever for it, and leaves lock_timeout as it was', async () => {
  const { db, cx } = await setUpBus()
  const set = (at: typeof cx) => at.kv.set('jobs', 'k0', 1, { dedupeKey: 'once' })
  const holder = await useTestClient(db.adminUrl)
  await holder.query('begin')
  await cx.with(holder).emit('kv', EVENT, { dedupeKey: 'once' })
  await expect(set(cx)).rejects.toMatchObject({
    code: 'emit.lock_timeout',
    message: expect.stringMatching(/the dedupe key of this call .*pid \d+ \(user \w+, since /),
  })
  await holder.query('rollback')
  await withTransaction(db.pool, async (tx) => {
    expect(await set(cx.with(tx))).toMatchObject({ duplicate: false })
    expect((await tx.query('show lock_timeout')).rows).toEqual([{ lock_timeout: '0' }])
  })
})

test('a stranger who holds the advisory lock of changes of roles does not hold up one', async () => {
  const { db } = await setUpBus()
  const stranger = await useStranger(db)
  await stranger.query('select pg_advisory_lock(hashtextextended($1, 0))', ['outbus roles of schema outbus'])
  await expect(disableRowSecurity(db.adminUrl)).resolves.toBeUndefined()
})

test('a stranger who holds the advisory lock of migrations holds up none, the first one of a schema neither', async () => {
  const db = await useTestDatabase()
  const stranger = await useStranger(db)
  await stranger.query('select pg_advisory_lock(hashtextextended($1, 0))', [lockName('outbus')])
  const bus = await createBus({ database: db.adminUrl, plugins: [kv()], app: 'shop', log: pino({ level: 'silent' }) })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  await bus.migrate()
  await expect(bus.checkSchema()).resolves.toBeUndefined()
})

test.each([
  [
    'of its table, by the owner',
    'begin; lock table only outbus.migration_checksums in share update exclusive mode',
    true,
  ],
  ['of a program from before it', `select pg_advisory_lock(hashtextextended('${lockName('outbus')}', 0))`, true],
  ['of its table, by somebody who reads it', 'begin; select from outbus.migration_checksums', false],
])('whoever migrates waits for the lock %s: as long as a limit, and says who holds it', async (_, lock, waits) => {
  const { db } = await setUpBus()
  const holder = await useTestClient(db.adminUrl)
  await holder.query(lock)
  const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid')
  const who = expect.stringMatching(new RegExp(`pid ${rows[0]?.pid} \\(user \\w+, since `))
  const waited: string[] = []
  const taken = takeMigrationLock({
    connection: { connectionString: db.adminUrl },
    schema: 'outbus',
    onWait: (holders) => waited.push(holders),
    onLost: () => undefined,
    longestWaitMs: 1,
  })
  if (waits) await expect(taken).rejects.toMatchObject({ code: 'migration.locked', message: who })
  else await (await taken).release()
  expect(waited).toEqual(waits ? [who] : [])
})

test('whoever has the migration lock keeps out programs from before it and holds no snapshot, and hears when it is lost', async () => {
  const { db } = await setUpBus()
  const lost = Promise.withResolvers<void>()
  const take = (onLost: () => void) =>
    takeMigrationLock({
      connection: { connectionString: db.adminUrl },
      schema: 'outbus',
      onWait: () => undefined,
      onLost,
    })
  await take(lost.resolve)
  const older = 'select pg_try_advisory_lock(hashtextextended($1, 0)) as taken'
  expect((await db.pool.query(older, [lockName('outbus')])).rows).toEqual([{ taken: false }])
  // It holds no snapshot, for whose end an index that is made concurrently would wait.
  const { rows } = await db.pool.query(`select pid, backend_xmin from pg_locks join pg_stat_activity using (pid)
    where relation = 'outbus.migration_checksums'::regclass and mode = 'ShareUpdateExclusiveLock'`)
  expect(rows).toEqual([{ pid: expect.any(Number), backend_xmin: null }])
  await db.pool.query('select pg_terminate_backend($1)', [(rows[0] as { pid: number }).pid])
  await lost.promise
  await (await take(() => undefined)).release()
})

/** Which pg-boss takes for what it does one at a time: to install, to make queues, to keep house. */
const BOSS_LOCKS = ['', 'create-queue', 'bamClaim', 'queue-stats', 'queue-stats-insert'].concat(
  ['failJobsByTimeout', 'failJobsByHeartbeat', 'deletion', 'cleanupDependencies'].map((task) => `job_common${task}`),
)

test('a stranger who holds the advisory locks of pg-boss does not keep it from being installed, started and keeping house', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const stranger = await useStranger(db)
  await stranger.query(
    `select pg_advisory_lock(('x' || encode(sha224((current_database() || '.pgboss.outbus_boss' || key)::bytea), 'hex'))::bit(64)::bigint)
    from unnest($1::text[]) as key`,
    [BOSS_LOCKS],
  )
  const warnings: unknown[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => warnings.push(line) })
  const over = AbortSignal.abort()
  const start = async () => {
    const timekeeper = new Timekeeper(useTestPool(db.adminUrl, { max: 3 }), 'outbus', log)
    onTestFinished(() => timekeeper.stop(over))
    return timekeeper.boss()
  }
  // At once: one of them installs it.
  const [boss] = await Promise.all([start(), start(), start()])
  await boss.createQueue('work', { expireInSeconds: 1 })
  await boss.send('work', {})
  expect(await boss.fetch('work')).toHaveLength(1)
  await boss.supervise()
  await installBoss(db.pool, 'outbus')
  expect(warnings).toEqual([])
})

test('a stranger who holds on to the number of a lane that died does not make its row one that nobody started (G7)', async () => {
  const { db, bus, cx, trigger } = await setUpBus({ lanes: 1 })
  await trigger('work')
  const attempts: number[] = []
  bus.handle('work', async ({ attempt }) => void attempts.push(attempt))
  await cx.emit('kv', EVENT)
  // What a lane leaves that emitted and claimed the row, and died while it ran. Its number stood in pg_locks.
  const number = '281474976710655'
  await db.pool.query(
    `insert into outbus.claim_notes (lane_id, lowest_id, highest_id, run_lows, run_highs, run_attempts, unclaimed_lock)
    select gen_random_uuid(), id, id, array[id], array[id], array[1], $1::bigint from outbus.outbox`,
    [number],
  )
  const stranger = await useStranger(db)
  await stranger.query('select pg_advisory_lock($1::bigint)', [number])
  await bus.start()
  await expect.poll(() => attempts).toEqual([2])
})

test('a lane that lends its connection to emits locks another number each time, so that nobody can hold the next one', async () => {
  const { db, bus, cx, trigger } = await setUpBus({ lanes: 1 })
  await trigger('work')
  /** By the row that the note names. */
  const numbers = new Map<string, string>()
  bus.handle('work', async () => {
    const { rows } = await db.pool.query<{ id: string; number: string }>(
      'select lowest_id::text as id, unclaimed_lock::text as number from outbus.claim_notes where unclaimed_lock is not null',
    )
    for (const { id, number } of rows) numbers.set(id, number)
  })
  await bus.start()
  // Whether a lane waits at the moment of an emit is the lane's affair.
  await expect
    .poll(async () => {
      await cx.emit('kv', EVENT)
      return numbers.size
    })
    .toBeGreaterThan(3)
  expect(new Set(numbers.values()).size).toBe(numbers.size)
})
