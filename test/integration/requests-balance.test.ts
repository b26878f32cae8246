/** Many requests at once, callers that leave, a dispatcher that is killed: the books balance (G8). */
import { createBus } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { asks } from './ask-source.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'
import { CallerProcess, Responder } from './workers/requests.ts'

const REQUESTS = 1_000

test('of 1,000 requests at once, a quarter left by their callers, one dispatcher of four killed, each is a reply or one abandoned execution', async () => {
  const db = await useTestDatabase({ plugins: [asks] })
  const bus = await createBus({
    database: db.url,
    plugins: [asks],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop())
  await bus.context().triggers.create({
    name: 'answering',
    source: 'asks',
    filter: { topic: 'answers' },
    target: { type: 'function', name: 'answer' },
  })
  // 50 permits in all.
  const settings = { url: db.url, dispatch: { concurrency: 13, leaseMs: 1_000, overloadedAfterMs: 1_200 } }
  const callers = await Promise.all([CallerProcess.start(settings), CallerProcess.start(settings)])
  const responders = await Promise.all([1, 2, 3, 4].map(() => Responder.start(settings)))
  const killed = responders[0] as Responder

  const half = Array.from({ length: REQUESTS / 2 }, (_, i) => ({
    topic: 'answers',
    ms: 60 + (i % 7) * 20,
    value: i,
    does: i % 11 === 0 ? ('throw' as const) : ('reply' as const),
  }))
  const leaveAfterMs = half.map((_, i) => (i % 4 === 0 ? 10 + (i % 100) * 5 : null))
  const replied = callers.map((caller) => caller.replies())
  for (const caller of callers) caller.ask(half, { timeoutMs: 20_000, leaveAfterMs })
  await killed.hasRun(30)
  await killed.kill('SIGKILL')
  const replies = (await Promise.all(replied)).flat()

  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.replies where taken_at is null', 0)
  const delivered = replies.filter((reply) => reply.ok || !['cancelled', 'timeout'].includes(reply.failure))
  const { rows } = await db.pool.query<{ request_id: string }>('select request_id from outbus.abandoned_executions')
  const ids = [...delivered.map(({ requestId }) => requestId), ...rows.map((row) => row.request_id)]
  expect(replies).toHaveLength(REQUESTS)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.toSorted()).toEqual(replies.map(({ requestId }) => requestId).toSorted())
  // What the test is about did happen.
  const counts = Map.groupBy(replies, (reply) => (reply.ok ? 'ok' : reply.failure))
  for (const kind of ['ok', 'handler_error', 'cancelled', 'crashed', 'overloaded'])
    expect([...counts.keys()]).toContain(kind)
  expect(rows.length).toBeGreaterThan(0)
  // Nothing ran twice.
  const ran = responders.flatMap((responder) => responder.ran)
  expect(new Set(ran).size).toBe(ran.length)
})
