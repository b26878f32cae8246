/** What a handler is given beside its event, and what a failure of it tells whoever reads the log. */
import { createBus, discard, reply } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { asks } from './ask-source.ts'
import { setUpBus } from './one-bus.ts'
import { watchOutcomes } from './workers/outcomes.ts'

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test.for<[how: string, more: object]>([
  ['claimed in a batch', {}],
  ['transactional', { transactional: true }],
  ['one at a time', { concurrency: 1 }],
  ['in order', { ordered: true }],
])('a handler reads the trace context of the call that emitted, and hands it on: %s', async ([, more]) => {
  const { bus, cx, trigger, outcomes } = await setUpBus()
  await trigger('first', {}, more)
  await trigger('second', {}, { ...more, filter: { collection: 'next' } })
  const seen: (string | undefined)[] = []
  bus.handle('first', async ({ traceContext, cx: inner, event }) => {
    seen.push(traceContext)
    await inner.kv.set('next', (event as { readonly key: string }).key, 1)
  })
  bus.handle('second', ({ traceContext }) => void seen.push(traceContext))
  await bus.start()
  await bus.context({ traceContext: TRACE }).kv.set('jobs', 'traced', 1)
  await outcomes.until((all) => all.length === 2)
  await cx.kv.set('jobs', 'not', 1)
  await outcomes.until((all) => all.length === 4)
  expect(seen).toEqual([TRACE, TRACE, undefined, undefined])
})

test('so do the handler of a request and the handler of a dead letter', async () => {
  const db = await useTestDatabase({ plugins: [asks] })
  const bus = await createBus({
    database: db.url,
    plugins: [asks],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const buried = Promise.withResolvers<string | undefined>()
  await bus.on('answer', 'asks', { topic: 'answers' }, ({ traceContext }) => reply(traceContext ?? 'none'))
  await bus.on('dies', 'asks', { topic: 'dies' }, () => Promise.reject(new Error('on purpose')), {
    retry: { maxAttempts: 1 },
  })
  await bus.on('bury', 'dead_letter', {}, ({ traceContext }) => buried.resolve(traceContext))
  await bus.start()
  const cx = bus.context({ traceContext: TRACE })
  const ask = (topic: string) => ({ op: 'ask' as const, topic })
  expect(await cx.request('asks', ask('answers'))).toMatchObject({ ok: true, value: TRACE })
  await cx.emit('asks', ask('dies'))
  expect(await buried.promise).toBe(TRACE)
})

test('retries are told at warn, one line a trigger and minute, and that line names trigger, failure and delay', async () => {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) })
  const { bus, cx, trigger } = await setUpBus({}, log)
  const outcomes = watchOutcomes('shop')
  for (const name of ['fails', 'fails too']) await trigger(name)
  for (const name of ['fails', 'fails too'])
    bus.handle(name, ({ attempt }) => {
      if (attempt < 3) throw new Error(`${name} on purpose`)
      return discard('enough')
    })
  await bus.start()
  for (let i = 0; i < 5; i++) await cx.kv.set('jobs', `k${i}`, i)
  await outcomes.until((all) => all.filter(({ outcome }) => outcome.kind === 'discarded').length === 10)
  const told = lines.filter(({ msg }) => msg === 'failed; will be retried')
  expect(told.map(({ level, trigger: of, error, leftOut }) => ({ level, of, error, leftOut }))).toEqual(
    expect.arrayContaining(
      ['fails', 'fails too'].map((name) => ({ level: 40, of: name, error: `${name} on purpose`, leftOut: 0 })),
    ),
  )
  expect(told).toHaveLength(2)
  expect(told[0]).toMatchObject({ failure: 'handler_error', delayMs: 1, attempt: 1 })
})
