/** The clock of the database jumps ahead by an hour while handlers run: nothing is taken over, run again or charged (G3, G7, G14). */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { keepLeases } from '../../core/src/sql/claim/keep-leases.ts'
import { stillLeased } from '../../core/src/sql/claim/still-leased.ts'
import { lockLimits, takeSingles } from '../../core/src/sql/claim/take-singles.ts'
import { takeAlone } from '../../core/src/sql/claim/take-alone.ts'
import { takeRequests } from '../../core/src/sql/claim/take-requests.ts'
import { setUpBus } from './one-bus.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'

const inSchema = ({ text }: { readonly text: string }) => text.replaceAll('{schema}', 'outbus')
const HOUR_S = 3_600
const TOKEN = '00000000-0000-4000-8000-000000000001'
const FIRST = '00000000-0000-0000-0000-000000000000'
const LEASED = 'select count(*)::integer from outbus.outbox where lease_token is not null'

test.for([
  ['plain', {}],
  ['ordered', { ordered: true }],
  ['transactional', { transactional: true }],
  ['limited', { concurrency: 1 }],
] as const)('a %s delivery whose lease seems to be over runs once, to its end', async ([name, more]) => {
  const dispatch = { holdMs: 20, leaseMs: 600, pollMs: 20, maxPollMs: 20 }
  const { db, bus, cx, trigger } = await setUpBus(dispatch)
  const ran: number[] = []
  const started = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  onTestFinished(() => end.resolve())
  const handle = ({ attempt }: { attempt: number }) => {
    ran.push(attempt)
    started.resolve()
    return end.promise
  }
  const options = { database: db.url, plugins: [kv()], app: 'shop', log: pino({ level: 'silent' }), dispatch }
  const other = await createBus(options)
  onTestFinished(() => other.stop({ graceMs: 0 }))
  for (const each of [bus, other]) each.handle(name, handle)
  await trigger(name, { maxAttempts: 1 }, more)
  await cx.kv.set('jobs', 'a', 1)
  await bus.start()
  await other.start()
  await started.promise
  await untilDatabaseSays(db.pool, LEASED, 1)
  await db.pool.query(`update outbus.outbox set due_at = due_at - interval '1 hour' where lease_token is not null`)
  await untilDatabaseSays(db.pool, `${LEASED} and due_at > clock_timestamp()`, 1)
  end.resolve()
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(ran).toEqual([1])
  expect((await cx.deadLetters.list()).items).toEqual([])
})

test('a lease that is over by the clock of the database alone is not over: nothing takes its row, and it counts as running', async () => {
  const { db, cx, trigger } = await setUpBus()
  await trigger('work', undefined, { concurrency: 1 })
  await cx.kv.set('jobs', 'runs', 1)
  await cx.kv.set('jobs', 'waits', 1)
  // A jump of an hour, a second ago: the lease was set before it, and is over since then.
  await db.pool.query(
    `update outbus.outbox set lease_token = gen_random_uuid(), due_set_at = clock_timestamp() - interval '1 hour 1 second',
       due_at = clock_timestamp() - interval '59 minutes 57 seconds' where event ->> 'key' = 'runs'`,
  )
  const { rows } = await db.pool.query<{ id: string; now: number }>(
    `select id, date_part('epoch', clock_timestamp()) as now from outbus.outbox order by id limit 1`,
  )
  const [{ id, now } = { id: '', now: 0 }] = rows
  const client = await db.pool.connect()
  onTestFinished(() => client.release(true))
  const taken = async (statements: readonly (readonly [{ readonly text: string }, readonly unknown[]])[]) => {
    await client.query('begin')
    let last: readonly unknown[] = []
    for (const [statement, parameters] of statements)
      last = (await client.query(inSchema(statement), [...parameters])).rows
    await client.query('rollback')
    return last.length
  }
  const singles = (latest: number) => {
    const parameters = [TOKEN, 5_000, 10, 1, FIRST, latest]
    return [[lockLimits, parameters] as const, [takeSingles, parameters] as const]
  }
  const [before, after] = [now - HOUR_S, now]
  expect([await taken(singles(before)), await taken(singles(after))]).toEqual([0, 1])
  expect([await taken([[stillLeased, [[id], before]]]), await taken([[stillLeased, [[id], after]]])]).toEqual([1, 0])
  await db.pool.query(`update outbus.outbox set alone = true, single = 0 where id = $1`, [id])
  const alone = (latest: number) => [[takeAlone, [TOKEN, 2_000, -Infinity, latest]] as const]
  expect([await taken(alone(before)), await taken(alone(after))]).toEqual([0, 1])
  await db.pool.query(
    `update outbus.outbox set alone = false, reply_to = 'a', reply_by = clock_timestamp() + interval '1 day' where id = $1`,
    [id],
  )
  const requests = (latest: number) => [[takeRequests, [TOKEN, 5_000, 10, -Infinity, -Infinity, latest]] as const]
  expect([await taken(requests(before)), await taken(requests(after))]).toEqual([0, 1])
  await client.query(inSchema(keepLeases), [[id], before])
  const { rows: kept } = await client.query<{ left: number }>(
    `select date_part('epoch', due_at - clock_timestamp()) as left from outbus.outbox where id = $1`,
    [id],
  )
  expect(kept[0]?.left).toBeGreaterThan(1)
  expect(kept[0]?.left).toBeLessThan(4)
})
