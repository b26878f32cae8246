/** Transactional triggers: what the handler writes and its completion commit together, once (G4). */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createBus, discard, reply } from '@outbus/core'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import type pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { setUpBus } from './one-bus.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'
import { Worker } from './workers/worker.ts'

type SetEvent = KvEvent & { op: 'set' }

const TRANSACTIONAL = { transactional: true }

async function setUp(dispatch: Record<string, number> = {}) {
  const all = await setUpBus(dispatch)
  await all.db.pool.query(
    'create table ledger (delivery_id bigint, attempt integer, note text); grant insert, select on ledger to public',
  )
  const ledger = async () => {
    const { rows } = await all.db.pool.query<{ note: string; attempt: number }>(
      'select note, attempt from ledger order by note, attempt',
    )
    return rows
  }
  return { ...all, ledger }
}

const write = (tx: pg.ClientBase, deliveryId: string, attempt: number, note: unknown) =>
  tx.query('insert into ledger values ($1, $2, $3)', [deliveryId, attempt, String(note)])

test('what the handler writes commits with its completion; a failed attempt leaves nothing', async () => {
  const { bus, cx, trigger, outcomes, ledger } = await setUp()
  await trigger('work', undefined, TRANSACTIONAL)
  bus.handle<SetEvent>('work', async ({ event, tx, deliveryId, attempt, cx: own }) => {
    await write(tx, deliveryId, attempt, event.value)
    await own.kv.set('results', event.key, attempt)
    if (attempt === 1) throw new Error('once')
  })
  await cx.kv.set('jobs', 'a', 'done')
  await bus.start()
  await outcomes.until((seen) => seen.length === 2)
  expect(outcomes.seen.map(({ outcome }) => outcome.kind)).toEqual(['retry', 'done'])
  expect(await ledger()).toEqual([{ note: 'done', attempt: 2 }])
  expect(await cx.kv.get('results', 'a')).toMatchObject({ value: 2 })
})

test('emits through cx, and the savepoints of a handler, are part of it; discard commits, a dead letter does not', async () => {
  const { bus, cx, trigger, outcomes, ledger } = await setUp()
  await trigger('work', { maxAttempts: 1 }, TRANSACTIONAL)
  await cx.triggers.create({
    name: 'follow',
    source: 'kv',
    filter: { collection: 'results' },
    target: { type: 'function', name: 'follow' },
  })
  const followed: string[] = []
  bus.handle<SetEvent>('follow', ({ event }) => void followed.push(event.key))
  bus.handle<SetEvent>('work', async ({ event, tx, deliveryId, attempt, cx: own }) => {
    await write(tx, deliveryId, attempt, event.key)
    await tx.query('savepoint s')
    await expect(tx.query('select 1 / 0')).rejects.toThrow('division by zero')
    await tx.query('rollback to savepoint s')
    await own.kv.set('results', event.key, 1)
    if (event.key === 'discarded') return discard('nothing to do')
    if (event.key === 'fails') throw new Error('no')
    return undefined
  })
  for (const key of ['kept', 'discarded', 'fails']) await cx.kv.set('jobs', key, 1)
  await bus.start()
  await outcomes.until((seen) => seen.length === 5)
  expect((await ledger()).map(({ note }) => note)).toEqual(['discarded', 'kept'])
  expect(followed.toSorted()).toEqual(['discarded', 'kept'])
  expect(outcomes.count('dead')).toBe(1)
})

test('a handler that ends the transaction itself, or goes on after its end, is refused', async () => {
  const { bus, cx, trigger, outcomes, ledger } = await setUp()
  await trigger('work', { maxAttempts: 1 }, TRANSACTIONAL)
  let kept: pg.ClientBase | undefined
  const refusals: unknown[] = []
  bus.handle<SetEvent>('work', async ({ tx, deliveryId, attempt }) => {
    kept = tx
    for (const end of ['commit', ' ROLLBACK', 'begin', 'End;', '-- so\n/* be; it */;commit', 'rollback and chain']) {
      try {
        await tx.query(end)
      } catch (error) {
        refusals.push((error as { code?: unknown }).code)
      }
    }
    expect(() => (tx as pg.PoolClient).release()).toThrow('not the handler')
    await write(tx, deliveryId, attempt, 'kept')
  })
  await cx.kv.set('jobs', 'a', 1)
  await bus.start()
  await outcomes.until((seen) => seen.length === 1)
  expect(outcomes.count('done')).toBe(1)
  expect(refusals).toEqual(Array.from({ length: 6 }, () => 'emit.tx_closed'))
  expect(await ledger()).toEqual([{ note: 'kept', attempt: 1 }])
  expect(() => kept?.query('select 1')).toThrow('has ended')
})

/** Texts that Postgres takes for one query, and that end the transaction in a place where no look at the beginning finds it. */
const ENDS_WITHIN = [
  'select 1; commit',
  'select 1; end; begin',
  'select 1; rollback',
  'select 1; abort; start transaction',
  'savepoint s; rollback to s; commit and chain',
  'savepoint s; rollback and chain',
  'select 1; commit; select 1 / 0',
]

test('a text that ends the transaction in its middle fails the attempt: nothing settles in another transaction', async () => {
  const { db, bus, cx, trigger, outcomes, ledger } = await setUp()
  await trigger('work', { maxAttempts: 1 }, TRANSACTIONAL)
  const later: unknown[] = []
  bus.handle<SetEvent>('work', async ({ event, tx, deliveryId, attempt, cx: own }) => {
    const text = ENDS_WITHIN[Number(event.key)] as string
    await tx.query(text).catch(() => undefined)
    try {
      await write(tx, deliveryId, attempt, text)
    } catch (error) {
      later.push((error as { code?: unknown }).code)
    }
    await own.kv.set('results', event.key, 1).catch(() => undefined)
  })
  await bus.start()
  for (const i of ENDS_WITHIN.keys()) await cx.kv.set('jobs', String(i), 1)
  await outcomes.until((seen) => seen.length === ENDS_WITHIN.length)
  expect(outcomes.count('dead')).toBe(ENDS_WITHIN.length)
  expect(await ledger()).toEqual([])
  const { rows } = await db.pool.query<{ code: string }>(
    `select errors -> 0 ->> 'code' as code from outbus.dead_letters order by id`,
  )
  expect(rows.map(({ code }) => code)).toEqual(ENDS_WITHIN.map(() => 'emit.tx_closed'))
  // Where no transaction is left, the client takes no further statement.
  expect(later).toEqual(
    ENDS_WITHIN.filter((text) => /(commit|rollback|1 \/ 0)$/.test(text)).map(() => 'emit.tx_closed'),
  )
})

test('a text that nobody waits for, and that ends the transaction while the handler returns, fails the attempt too', async () => {
  const { bus, cx, trigger, outcomes } = await setUp()
  await trigger('work', { maxAttempts: 1 }, TRANSACTIONAL)
  bus.handle<SetEvent>('work', ({ event, tx }) => {
    if (event.key === 'promised') void tx.query('select pg_sleep(0.05); commit')
    else tx.query('select pg_sleep(0.05); commit', () => undefined)
  })
  await bus.start()
  await cx.kv.set('jobs', 'promised', 1)
  await cx.kv.set('jobs', 'called back', 1)
  await outcomes.until((seen) => seen.length === 2)
  expect(outcomes.count('dead')).toBe(2)
})

test('savepoints, several statements in a text and a failure that is rolled back to leave the transaction whole', async () => {
  const { bus, cx, trigger, outcomes, ledger } = await setUp()
  await trigger('work', { maxAttempts: 1 }, TRANSACTIONAL)
  bus.handle<SetEvent>('work', async ({ tx, deliveryId, attempt }) => {
    await tx.query('savepoint s')
    await expect(tx.query('select 1; select 1 / 0')).rejects.toThrow('division by zero')
    await tx.query('rollback to s; release s; prepare p as select 1; set local work_mem = 100; reset all')
    await write(tx, deliveryId, attempt, '; commit')
    await new Promise<void>((resolve) => tx.query("select '; commit'", () => resolve()))
  })
  await cx.kv.set('jobs', 'a', 1)
  await bus.start()
  await outcomes.until((seen) => seen.length === 1)
  expect(outcomes.count('done')).toBe(1)
  expect(await ledger()).toEqual([{ note: '; commit', attempt: 1 }])
})

test('a handler that swallows a failed statement does not complete', async () => {
  const { bus, cx, trigger, outcomes, ledger } = await setUp()
  await trigger('work', { maxAttempts: 1 }, TRANSACTIONAL)
  bus.handle<SetEvent>('work', async ({ tx, deliveryId, attempt }) => {
    await write(tx, deliveryId, attempt, 'lost')
    await tx.query('select 1 / 0').catch(() => undefined)
  })
  await cx.kv.set('jobs', 'a', 1)
  await bus.start()
  await outcomes.until((seen) => seen.length === 1)
  expect(outcomes.seen[0]?.outcome).toMatchObject({ kind: 'dead', error: { kind: 'handler_error' } })
  expect(await ledger()).toEqual([])
})

test('after its timeout a handler can write nothing more, and what it wrote is gone', async () => {
  const { bus, cx, trigger, outcomes, ledger } = await setUp()
  await trigger(
    'work',
    { maxAttempts: 2, strategy: 'constant', baseDelayMs: 1 },
    { ...TRANSACTIONAL, timeoutMs: 1_000 },
  )
  const late = Promise.withResolvers<unknown>()
  bus.handle<SetEvent>('work', async ({ tx, deliveryId, attempt, signal }) => {
    await write(tx, deliveryId, attempt, 'written')
    if (attempt === 2) return
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    try {
      await write(tx, deliveryId, attempt, 'late')
    } catch (error) {
      late.resolve(error)
    }
  })
  await cx.kv.set('jobs', 'a', 1)
  await bus.start()
  await outcomes.until((seen) => seen.length === 2)
  expect(outcomes.seen.map(({ outcome }) => outcome.kind)).toEqual(['retry', 'done'])
  expect(await late.promise).toMatchObject({ code: 'emit.tx_closed' })
  expect(await ledger()).toEqual([{ note: 'written', attempt: 2 }])
})

test('whoever lost its lease commits nothing', async () => {
  const { db, bus, cx, trigger, outcomes, ledger } = await setUp({ leaseMs: 60_000 })
  await trigger('work', undefined, TRANSACTIONAL)
  bus.handle<SetEvent>('work', async ({ tx, deliveryId, attempt }) => {
    await write(tx, deliveryId, attempt, attempt)
    // As if the lease had run out and somebody else had taken the row: charged, and due again.
    if (attempt === 1)
      await db.pool.query(
        `update outbus.outbox set lease_token = null, attempt = 2, due_at = now() where id = ${deliveryId}`,
      )
  })
  await cx.kv.set('jobs', 'a', 1)
  await bus.start()
  await outcomes.until((seen) => seen.length === 1)
  expect(await ledger()).toEqual([{ note: '2', attempt: 2 }])
  expect((await cx.deadLetters.list()).items).toEqual([])
})

/** A transaction is older than `frozenAfterMs` of the next test. */
const OLD_TRANSACTION = `select exists (select from pg_stat_activity where datname = current_database()
  and state = 'idle in transaction' and clock_timestamp() - xact_start > interval '600 milliseconds')`

test('a handler that waits for something else keeps its transaction beyond frozenAfterMs', async () => {
  const { db, bus, cx, trigger, outcomes, ledger } = await setUp({ frozenAfterMs: 300, holdMs: 20 })
  await trigger('work', { maxAttempts: 1 }, TRANSACTIONAL)
  bus.handle<SetEvent>('work', async ({ tx, deliveryId, attempt }) => {
    await write(tx, deliveryId, attempt, 'slow')
    await untilDatabaseSays(db.pool, OLD_TRANSACTION, true)
  })
  await cx.kv.set('jobs', 'a', 1)
  await bus.start()
  await outcomes.until((seen) => seen.length === 1)
  expect(outcomes.count('done')).toBe(1)
  expect(await ledger()).toHaveLength(1)
})

test('nothing is asked on a connection that waits with the completion', async () => {
  const { db, bus, cx, trigger, outcomes } = await setUp({ holdMs: 30, frozenAfterMs: 150 })
  await trigger('work', undefined, TRANSACTIONAL)
  const locker = await db.pool.connect()
  bus.handle('work', async () => {
    await locker.query('begin')
    // The row can still be read, and its end cannot be written.
    await locker.query('lock table outbus.outbox in exclusive mode')
  })
  const warned: string[] = []
  const onWarning = ({ message }: Error) => void warned.push(message)
  process.on('warning', onWarning)
  onTestFinished(() => void process.off('warning', onWarning))
  await cx.kv.set('jobs', 'a', 1)
  await bus.start()
  // Three times as long as between two heartbeats, by the clock that they go by.
  await untilDatabaseSays(
    db.pool,
    `select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query_start < clock_timestamp() - interval '150 ms') as yes`,
    true,
  )
  await locker.query('rollback')
  locker.release()
  await outcomes.until((seen) => seen.length === 1)
  expect(warned.filter((message) => message.includes('already executing'))).toEqual([])
})

test('a request commits with its reply', async () => {
  const { bus, cx, trigger, ledger } = await setUp()
  await trigger('work', undefined, TRANSACTIONAL)
  bus.handle<SetEvent>('work', async ({ event, tx, deliveryId, attempt }) => {
    await write(tx, deliveryId, attempt, event.key)
    if (event.key === 'fails') throw new Error('no')
    return reply(event.key)
  })
  await bus.start()
  const event = (key: string) => ({ op: 'set' as const, collection: 'jobs', key, value: 1, version: 1 })
  expect(await cx.request('kv', event('a'), { timeoutMs: 5_000 })).toMatchObject({ ok: true, value: 'a' })
  expect(await cx.request('kv', event('fails'), { timeoutMs: 5_000 })).toMatchObject({ ok: false })
  expect((await ledger()).map(({ note }) => note)).toEqual(['a'])
})

test('a dead-letter handler resolves its letter in its own transaction', async () => {
  const { bus, cx, trigger, outcomes, ledger } = await setUp()
  await trigger('work', { maxAttempts: 1 })
  bus.handle('work', () => {
    throw new Error('no')
  })
  await bus.on(
    'mourn',
    'dead_letter',
    {},
    async ({ tx, deliveryId, attempt }) => void (await write(tx, deliveryId, attempt, 'mourned')),
    TRANSACTIONAL,
  )
  await cx.kv.set('jobs', 'a', 1)
  await bus.start()
  await outcomes.until((seen) => seen.some(({ outcome }) => outcome.kind === 'handled'))
  expect(await ledger()).toEqual([{ note: 'mourned', attempt: 1 }])
  const { items } = await cx.deadLetters.list({ resolution: 'handled' })
  expect(items).toHaveLength(1)
})

test('a handler of another trigger has no tx, and is told so', async () => {
  const { bus, cx, trigger, outcomes } = await setUp()
  await trigger('work', { maxAttempts: 1 })
  bus.handle('work', async ({ tx }) => void (await tx.query('select 1')))
  await cx.kv.set('jobs', 'a', 1)
  await bus.start()
  await outcomes.until((seen) => seen.length === 1)
  expect(outcomes.seen[0]?.outcome).toMatchObject({
    error: { message: 'trigger "work" is not transactional: it has no tx' },
  })
})

test('processes that are killed in the middle: each event is in the ledger once', { timeout: 60_000 }, async () => {
  const { db, cx, trigger, ledger } = await setUp()
  await trigger(
    'transact',
    { maxAttempts: 10, strategy: 'constant', baseDelayMs: 1, jitter: 'none' },
    { ...TRANSACTIONAL },
  )
  const keys = Array.from({ length: 60 }, (_, i) => `k${i}`)
  await cx.kv.setMany(
    keys.map((key, i) => ({
      collection: 'jobs',
      key,
      value: { ms: 2, ...(i % 20 === 7 ? { kills: 1 } : {}), ...(i % 7 === 0 ? { failures: 1 } : {}) },
    })),
  )
  const dispatch = { leaseMs: 500 }
  const workers: Worker[] = []
  let finished = false
  const keepRunning = async (): Promise<void> => {
    try {
      const worker = await Worker.start({ url: db.url, dispatch })
      workers.push(worker)
      if (finished) await worker.kill('SIGTERM')
      await worker.exited()
    } catch {
      // What it ran killed it before it could say that it was ready.
    }
    if (!finished) await keepRunning()
  }
  const running = [keepRunning(), keepRunning()]
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  finished = true
  await Promise.all(workers.map((worker) => worker.kill('SIGTERM')))
  await Promise.all(running)
  expect(workers.length).toBeGreaterThan(2)
  expect((await ledger()).map(({ note }) => note).toSorted()).toEqual(keys.toSorted())
})

/** New connections wait at it while it is shut; those that are through stay. */
async function openDoor(url: string) {
  let open = Promise.withResolvers<void>()
  open.resolve()
  const ends = new Set<Socket>()
  const { hostname, port } = new URL(url)
  const waits = Promise.withResolvers<void>()
  let shut = false
  const server = createServer((client) => {
    ends.add(client.on('error', () => undefined))
    if (shut) waits.resolve()
    void open.promise.then(() => {
      const database = connect({ host: hostname, port: Number(port) })
      ends.add(database.on('error', () => undefined))
      client.pipe(database).pipe(client)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const end of ends) end.destroy()
    server.close()
  })
  const through = new URL(url)
  through.port = String((server.address() as AddressInfo).port)
  return {
    url: through.href,
    shut() {
      shut = true
      open = Promise.withResolvers()
    },
    open: () => open.resolve(),
    /** Somebody waits at it. */
    waits: waits.promise,
  }
}

test('a handler whose time is up before its transaction is begun is not started then, and is not charged (G16)', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const door = await openDoor(db.url)
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: door.url, plugins: [kv()], migrate: true, app: 'shop', log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const outcomes = watchOutcomes('shop')
  await bus.context().principals.put('u_1', { roles: ['admin'] })
  const cx = bus.context({ principal: { id: 'u_1' } })
  for (const [name, timeoutMs] of [
    ['long', 60_000],
    ['late', 300],
  ] as const)
    await cx.triggers.create({
      name,
      source: 'kv',
      filter: { collection: name },
      target: { type: 'function', name },
      retry: { maxAttempts: 1 },
      transactional: true,
      timeoutMs,
    })
  const holds = Promise.withResolvers<void>()
  const ends = Promise.withResolvers<void>()
  bus.handle('long', () => {
    holds.resolve()
    return ends.promise
  })
  const started: number[] = []
  bus.handle('late', ({ attempt }) => void started.push(attempt))
  await bus.start()
  // It has the only connection for handlers that there is by now.
  await cx.kv.set('long', 'a', 1)
  await holds.promise
  door.shut()
  await cx.kv.set('late', 'b', 1)
  await door.waits
  await outcomes.until((seen) => seen.length === 1)
  expect(outcomes.seen[0]?.outcome.kind).toBe('postponed')
  expect(started).toEqual([])
  door.open()
  await outcomes.until((seen) => seen.some(({ outcome }) => outcome.kind === 'done'))
  expect(started).toEqual([1])
  ends.resolve()
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
})
