/**
 * An emit on a bus that has nothing to do goes to Postgres together with the claim of its row, and its note commits with it. What comes
 * between the two costs nobody an attempt, loses nothing, and starts nothing twice (G1, G3, G7).
 */
import { createBus } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import { EventEmitter, once } from 'node:events'
import type { Socket } from 'node:net'
import pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { said, topics } from './topics.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

const NO_NOTES = 'select not exists (select from outbus.claim_notes)'
const LOCKS = `from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`
const NO_LOCKS = `select not exists (select ${LOCKS}) as none`

async function setUp(dispatch: Record<string, number> = {}) {
  const db = await useTestDatabase({ plugins: [topics('topics')] })
  const runs: { body: unknown; attempt: number; by: string }[] = []
  const outcomes = watchOutcomes('shop')
  const open = async (by: string, settings: Record<string, number> = {}) => {
    const log = pino({ level: 'silent' })
    const bus = await createBus({
      database: db.url,
      plugins: [topics('topics')],
      migrate: true,
      app: 'shop',
      log,
      dispatch: settings,
    })
    onTestFinished(() => bus.stop())
    bus.handle('f', ({ event, attempt }) => void runs.push({ body: (event as { body: unknown }).body, attempt, by }))
    return bus
  }
  const bus = await open('emitter', dispatch)
  const cx = bus.context()
  const trigger = await cx.triggers.create({
    name: 'one',
    source: 'topics',
    filter: { topic: 'a' },
    target: { type: 'function', name: 'f' },
    retry: { maxAttempts: 3, strategy: 'constant', baseDelayMs: 1, jitter: 'none' },
  })
  const ended = (body: unknown) => outcomes.until(() => runs.some((run) => run.body === body))
  return { db, bus, cx, open, trigger, runs, outcomes, ended }
}

/** What this process sends to Postgres, from now on. `hold` keeps back the next claim of an emitted row until it is let go. */
function watchStatements() {
  const sent: string[] = []
  const rested = new EventEmitter()
  /** Connections, and what they wait for with all that they are to send. */
  const heldBack = new WeakMap<pg.Client, Promise<void>>()
  let untilLost: (() => Promise<void>) | undefined
  let held: { reached(): void; readonly released: Promise<void> } | undefined
  const { query } = pg.Client.prototype
  const send = query as (...all: unknown[]) => unknown
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    const { name } = args[0] as { name?: string }
    if (name !== undefined) sent.push(name.replace('outbus.', ''))
    const callback = args.at(-1)
    // By a pool, which calls back.
    if (name === 'outbus.next_due' && typeof callback === 'function') {
      const answered = (...answer: unknown[]) => {
        ;(callback as (...all: unknown[]) => void)(...answer)
        setImmediate(() => rested.emit('rests'))
      }
      return send.apply(this, [...args.slice(0, -1), answered])
    }
    if (name === 'outbus.emit_noted' && untilLost !== undefined) {
      const { stream } = (this as unknown as { readonly connection: { readonly stream: Socket } }).connection
      stream.pause()
      void untilLost().then(() => stream.destroy())
      untilLost = undefined
    }
    if (name === 'outbus.claim_emitted' && held !== undefined) {
      heldBack.set(this, held.released)
      held.reached()
      held = undefined
    }
    const released = heldBack.get(this)
    if (released === undefined) return send.apply(this, args)
    void released.then(() => {
      heldBack.delete(this)
      send.apply(this, args)
    })
    return undefined
  } as typeof query
  onTestFinished(() => {
    pg.Client.prototype.query = query
  })
  return {
    sent,
    /** A lane has asked when something is due, and waits. */
    rests: () => once(rested, 'rests'),
    /** Of the next emit on a lane nothing is heard any more, and once that is so its connection is gone. */
    loseAnswerOnce(when: () => Promise<void>) {
      untilLost = when
    },
    hold() {
      const reached = Promise.withResolvers<void>()
      const released = Promise.withResolvers<void>()
      held = { reached: reached.resolve, released: released.promise }
      return { reached: reached.promise, letGo: released.resolve }
    },
  }
}

type Watched = ReturnType<typeof watchStatements>

/** Emits until one goes with its claim: a lane may have gone to look for something just then. */
async function emitOnLane(
  { bus, ended }: Pick<Awaited<ReturnType<typeof setUp>>, 'bus' | 'ended'>,
  { sent, rests }: Pick<Watched, 'sent' | 'rests'>,
  held?: Promise<void>,
): Promise<string> {
  for (let i = 0; ; i++) {
    await rests()
    const before = sent.length
    const body = `${held === undefined ? 'emit' : 'held'}-${i}`
    await bus.context().emit('topics', said('a', body))
    const isOnLane = sent.slice(before).includes('emit_noted')
    await (isOnLane && held !== undefined ? held : ended(body))
    if (isOnLane) return body
  }
}

test('the emit, its note and the claim are one trip; nothing of it is left', async () => {
  const { db, bus, runs, ended } = await setUp()
  await bus.start()
  const watched = watchStatements()
  const { sent } = watched
  const body = await emitOnLane({ bus, ended }, watched)
  const from = sent.lastIndexOf('emit_noted')
  expect(sent[from + 1]).toBe('claim_emitted')
  expect(sent.slice(from)).not.toContain('write_note')
  expect(runs.at(-1)).toEqual({ body, attempt: 1, by: 'emitter' })
  await untilDatabaseSays(db.pool, NO_NOTES, true)
  expect((await db.pool.query(NO_LOCKS)).rows).toEqual([{ none: true }])
  expect(bus.stats).toMatchObject({ interrupted: 0, done: runs.length })
})

test('whoever claims the row in between runs it as what it is: started by nobody', async () => {
  const { db, bus, open, runs, ended } = await setUp({ lanes: 1 })
  await bus.start()
  const watched = watchStatements()
  const { reached, letGo } = watched.hold()
  const body = await emitOnLane({ bus, ended }, watched, reached)
  const other = await open('other', { pollMs: 10, maxPollMs: 20 })
  await other.start()
  await ended(body)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  letGo()
  await untilDatabaseSays(db.pool, NO_LOCKS, true)
  await untilDatabaseSays(db.pool, NO_NOTES, true)
  expect(runs.filter((run) => run.body === body)).toEqual([{ body, attempt: 1, by: 'other' }])
  expect([bus.stats.interrupted, other.stats.interrupted]).toEqual([0, 0])
  await emitOnLane({ bus, ended }, watched)
})

test('a lane that loses its connection in between has started nothing, and says so', async () => {
  // Another lane that looked before the note is taken back would charge an attempt, as docs/claim-protocol.md says.
  const { db, bus, runs, ended } = await setUp({ lanes: 1 })
  await bus.start()
  const watched = watchStatements()
  const { reached, letGo } = watched.hold()
  const body = await emitOnLane({ bus, ended }, watched, reached)
  await db.pool.query(`select pg_terminate_backend(pid) ${LOCKS}`)
  letGo()
  await ended(body)
  expect(runs.filter((run) => run.body === body)).toEqual([{ body, attempt: 1, by: 'emitter' }])
  expect(bus.stats.interrupted).toBe(0)
})

test('a lane that loses its connection while the row runs gives each permit back once (G8)', async () => {
  const { db, bus, runs, ended, outcomes } = await setUp()
  await bus.start()
  const watched = watchStatements()
  await emitOnLane({ bus, ended }, watched)
  const cut: string[] = []
  const started = Promise.withResolvers<void>()
  const lost = Promise.withResolvers<void>()
  bus.handle('f', async ({ event, attempt, signal }) => {
    const { body } = event as { body: string }
    runs.push({ body, attempt, by: 'emitter' })
    if (attempt > 1 || !watched.sent.slice(watched.sent.lastIndexOf('rests')).includes('emit_noted')) return
    cut.push(body)
    signal.addEventListener('abort', () => lost.resolve())
    started.resolve()
    await lost.promise
  })
  for (let i = 0; cut.length === 0; i++) {
    await watched.rests()
    watched.sent.push('rests')
    await bus.context().emit('topics', said('a', `run-${i}`))
    await Promise.race([ended(`run-${i}`), started.promise])
  }
  await db.pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and state = 'idle in transaction'`)
  await outcomes.until(() => runs.some(({ body, attempt }) => body === cut[0] && attempt === 2))
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  // What lanes reserve while they look counts too.
  await bus.stop()
  expect(bus.gate.running).toBe(0)
})

test('a note whose session is gone says that the row may have been started: one attempt is charged', async () => {
  const { db, bus, runs, ended } = await setUp()
  await bus.context().emit('topics', said('a', 'left'))
  await db.pool
    .query(`insert into outbus.claim_notes (lane_id, lowest_id, highest_id, run_lows, run_highs, run_attempts, unclaimed_lock)
    select gen_random_uuid(), id, id, array[id], array[id], array[1], 281474976710655 from outbus.outbox`)
  await bus.start()
  await ended('left')
  expect(runs).toEqual([{ body: 'left', attempt: 2, by: 'emitter' }])
  expect(bus.stats.interrupted).toBe(1)
})

test('a row that others had noted before the lane came to claim it may have been started: one attempt is charged', async () => {
  const { db, bus, runs, ended } = await setUp({ lanes: 1 })
  await bus.start()
  const watched = watchStatements()
  const { reached, letGo } = watched.hold()
  const body = await emitOnLane({ bus, ended }, watched, reached)
  await db.pool
    .query(`insert into outbus.claim_notes (lane_id, lowest_id, highest_id, run_lows, run_highs, run_attempts)
    select gen_random_uuid(), id, id, array[id], array[id], array[1] from outbus.outbox`)
  letGo()
  await ended(body)
  expect(runs.filter((run) => run.body === body)).toEqual([{ body, attempt: 2, by: 'emitter' }])
  expect(bus.stats.interrupted).toBe(1)
})

test('a row that others ran and put back is noted with the attempt that it has', async () => {
  const { db, bus, runs, ended } = await setUp({ lanes: 1 })
  await bus.start()
  const watched = watchStatements()
  const { reached, letGo } = watched.hold()
  const body = await emitOnLane({ bus, ended }, watched, reached)
  let noted: unknown
  bus.handle('f', async ({ event, attempt }) => {
    noted = (await db.pool.query('select run_attempts from outbus.claim_notes')).rows
    runs.push({ body: (event as { body: unknown }).body, attempt, by: 'emitter' })
  })
  await db.pool.query('update outbus.outbox set attempt = 2')
  letGo()
  await ended(body)
  expect(runs.at(-1)).toMatchObject({ body, attempt: 2 })
  expect(noted).toEqual([{ run_attempts: [2] }])
})

test('a row whose lease ran out meanwhile is an interrupted run', async () => {
  const { db, bus, runs, ended } = await setUp({ lanes: 1 })
  await bus.start()
  const watched = watchStatements()
  const { reached, letGo } = watched.hold()
  const body = await emitOnLane({ bus, ended }, watched, reached)
  await db.pool.query('update outbus.outbox set lease_token = gen_random_uuid()')
  letGo()
  await ended(body)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(runs.filter((run) => run.body === body)).toEqual([{ body, attempt: 2, by: 'emitter' }])
})

test('an emit whose answer is lost with the connection has been started by nobody (G16)', async () => {
  const { db, bus, runs, ended } = await setUp({ lanes: 1 })
  await bus.start()
  const watched = watchStatements()
  await emitOnLane({ bus, ended }, watched)
  const written = `select exists (select from outbus.outbox where event ->> 'body' like 'lost%')`
  watched.loseAnswerOnce(() => untilDatabaseSays(db.pool, written, true))
  const codes: unknown[] = []
  while (codes.at(-1) !== 'emit.outcome_unknown') {
    await watched.rests()
    const body = `lost-${codes.length}`
    const answer = bus.context().emit('topics', said('a', body))
    codes.push(
      await answer.then(
        () => 'ok',
        (error: { code?: string }) => error.code,
      ),
    )
    await ended(body)
  }
  expect(runs.at(-1)).toMatchObject({ attempt: 1 })
  expect(bus.stats.interrupted).toBe(0)
})

test('a bus stops within its grace though an emit on a lane takes longer', async () => {
  const { db, bus, ended } = await setUp({ lanes: 1 })
  const holder = await db.pool.connect()
  await db.pool.query(`create function outbus.wait() returns trigger language plpgsql as $$ begin
      if new.event ->> 'body' like 'blocked%' then perform pg_advisory_xact_lock(7); end if; return new; end $$;
    create trigger wait before insert on outbus.outbox for each row execute function outbus.wait()`)
  await bus.start()
  const watched = watchStatements()
  await emitOnLane({ bus, ended }, watched)
  const isBlocked = `select exists (select from pg_locks where locktype = 'advisory' and not granted)`
  let answer: Promise<unknown> | undefined
  for (let from = watched.sent.length; !watched.sent.slice(from).includes('emit_noted');) {
    await holder.query('select pg_advisory_lock(7)')
    await watched.rests()
    from = watched.sent.length
    answer = bus
      .context()
      .emit('topics', said('a', 'blocked'))
      .catch((error: { code?: string }) => error.code)
    await untilDatabaseSays(db.pool, isBlocked, true)
    if (watched.sent.slice(from).includes('emit_noted')) break
    await holder.query('select pg_advisory_unlock(7)')
    await answer
  }
  await bus.stop({ graceMs: 50 })
  expect(await answer).toBe('emit.outcome_unknown')
  await holder.query('select pg_advisory_unlock_all()')
  holder.release()
})

test('a lane that stood still before it heard of its claim takes no note for granted', async () => {
  const { bus, runs, ended } = await setUp({ lanes: 1, holdMs: 50, frozenAfterMs: 100 })
  await bus.start()
  const watched = watchStatements()
  const { reached, letGo } = watched.hold()
  const body = await emitOnLane({ bus, ended }, watched, reached)
  const from = performance.now()
  while (performance.now() - from < 60);
  letGo()
  await ended(body)
  expect(watched.sent.slice(watched.sent.lastIndexOf('claim_emitted'))).toContain('write_note')
  expect(runs.filter((run) => run.body === body)).toEqual([{ body, attempt: 1, by: 'emitter' }])
  expect(bus.stats.interrupted).toBe(0)
})

test('what is paused between the emit and the claim is not run', async () => {
  const { db, bus, cx, trigger, runs, ended } = await setUp({ lanes: 1 })
  await bus.start()
  const watched = watchStatements()
  const { reached, letGo } = watched.hold()
  const body = await emitOnLane({ bus, ended }, watched, reached)
  await cx.triggers.pause(trigger.id)
  letGo()
  await untilDatabaseSays(db.pool, 'select not exists (select from outbus.outbox where not paused)', true)
  expect(runs.filter((run) => run.body === body)).toEqual([])
})

test('what is paused is not run by the lane that it was emitted on', async () => {
  const { db, bus, cx, trigger, runs, ended } = await setUp()
  await bus.start()
  const watched = watchStatements()
  const { sent } = watched
  await emitOnLane({ bus, ended }, watched)
  await cx.triggers.pause(trigger.id)
  for (let from = sent.length; !sent.slice(from).includes('emit_noted');) {
    await watched.rests()
    await cx.emit('topics', said('a', 'paused'))
  }
  await untilDatabaseSays(db.pool, 'select not exists (select from outbus.outbox where not paused)', true)
  expect(runs.filter(({ body }) => body === 'paused')).toEqual([])
  await cx.triggers.resume(trigger.id)
  await ended('paused')
})

test('an emit by triggers that have changed goes once more, by those of now (G2)', async () => {
  const { db, bus, open, runs, ended } = await setUp()
  await bus.start()
  const watched = watchStatements()
  const { sent } = watched
  await emitOnLane({ bus, ended }, watched)
  const elsewhere = await open('elsewhere')
  for (let round = 0, from = sent.length; !sent.slice(from).includes('emit_noted'); round++) {
    const before = runs.length
    const { id } = await elsewhere.context().triggers.create({
      name: `new-${round}`,
      source: 'topics',
      filter: { topic: 'a' },
      target: { type: 'function', name: 'f' },
    })
    await watched.rests()
    from = sent.length
    expect(await bus.context().emit('topics', said('a', `round-${round}`))).toMatchObject({ deliveries: 2 })
    await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
    expect(runs.slice(before).map(({ attempt }) => attempt)).toEqual([1, 1])
    await elsewhere.context().triggers.delete(id)
    // So that its index is the one of one trigger again.
    await bus.context().emit('topics', said('a', `after-${round}`))
    await ended(`after-${round}`)
  }
  expect((await db.pool.query(NO_LOCKS)).rows).toEqual([{ none: true }])
})
