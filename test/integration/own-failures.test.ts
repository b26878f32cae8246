/**
 * What fails of the bus's own SQL between a row in hand and its handler costs no attempt, however the row is held (G16). With
 * `maxAttempts: 1` a charged attempt is a dead letter of what never ran.
 */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { asks } from './ask-source.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

const KINDS = {
  plain: {},
  ordered: { ordered: true },
  transactional: { transactional: true },
  limited: { concurrency: 1 },
  alone: {},
}
const REQUESTS = {
  asked: {},
  'asked and limited': { concurrency: 1 },
  'asked in a transaction': { transactional: true },
}

async function setUp(seen: (trigger: string, message: string) => void) {
  const db = await useTestDatabase({ plugins: [kv(), asks] })
  const write = (line: string) => {
    const { trigger, msg } = JSON.parse(line) as { trigger?: string; msg: string }
    if (trigger !== undefined) seen(trigger, msg)
  }
  const bus = await createBus({
    database: db.url,
    plugins: [kv(), asks],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'warn' }, { write }),
    // A request that a busy machine does not start in time is answered, and refused by nobody's principals.
    dispatch: { pollMs: 5, overloadedAfterMs: 60_000 },
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  await bus.context().principals.put('u_1', { roles: ['admin'] })
  const cx = bus.context({ principal: { id: 'u_1' } })
  const started: [string, number][] = []
  bus.handle('work', ({ trigger, attempt }) => void started.push([trigger.name, attempt]))
  const target = { type: 'function', name: 'work' } as const
  const retry = { maxAttempts: 1 }
  for (const [name, more] of Object.entries(KINDS))
    await cx.triggers.create({ name, source: 'kv', filter: { collection: name }, target, retry, ...more })
  for (const [name, more] of Object.entries(REQUESTS))
    await cx.triggers.create({ name, source: 'asks', filter: { topic: name }, target, retry, ...more })
  await cx.triggers.create({ name: 'burying', source: 'dead_letter', filter: {}, target })
  return { db, bus, cx, started, outcomes: watchOutcomes('shop') }
}

test('principals that cannot be asked for charge nobody an attempt, and what waited for them runs once', async () => {
  // The letter is announced once somebody can be asked who may read it, and its handler is not refused before.
  const waitingFor = new Set([...Object.keys(KINDS), ...Object.keys(REQUESTS)])
  const allRefused = Promise.withResolvers<void>()
  const { db, bus, cx, started, outcomes } = await setUp((trigger, message) => {
    if (message === 'principals could not be resolved') waitingFor.delete(trigger)
    if (waitingFor.size === 0) allRefused.resolve()
  })
  for (const name of Object.keys(KINDS)) await cx.kv.set(name, 'one', 1)
  // As if a process had been killed with it; and a letter from before for the handler of dead letters.
  await db.pool.query(`update outbus.outbox set alone = true where trigger ->> 'name' = 'alone'`)
  await cx.kv.set('plain', 'dies', 1, { delayMs: 3_600_000 })
  const { rows } = await db.pool.query<{ id: string }>(
    `select id from outbus.outbox where due_at > now() + interval '1 minute'`,
  )
  await cx.deliveries.cancel(rows[0]?.id as string)
  await db.pool.query('alter table outbus.principals rename to principals_away')
  await bus.start()
  const replies = Object.keys(REQUESTS).map((topic) =>
    bus.context().request('asks', { op: 'ask', topic }, { timeoutMs: 20_000 }),
  )
  await allRefused.promise
  await db.pool.query('alter table outbus.principals_away rename to principals')
  for (const reply of await Promise.all(replies)) expect(reply).toMatchObject({ ok: true })
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  await outcomes.until(() => outcomes.count('done') === 8 && outcomes.count('handled') === 1)
  const once = [...Object.keys(KINDS), ...Object.keys(REQUESTS), 'burying'].map((name) => [name, 1])
  expect(new Map(started.map(([name, attempt]) => [name, attempt]))).toEqual(new Map(once as [string, number][]))
  expect(started).toHaveLength(once.length)
  expect(outcomes.count('dead')).toBe(0)
})
