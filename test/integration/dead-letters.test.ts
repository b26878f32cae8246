/** Dead letters: written with every error, listed, replayed, discarded, and nobody else's. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { watchOutcomes } from './workers/outcomes.ts'

type SetEvent = KvEvent & { op: 'set' }

async function withDeadLetters(count: number) {
  const db = await useTestDatabase({ plugins: [kv()] })
  const bus = await createBus({
    database: db.url,
    plugins: [kv()],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop())
  const cx = bus.context()
  await cx.triggers.create({
    name: 'fail',
    source: 'kv',
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'fail' },
    retry: { maxAttempts: 2, strategy: 'constant', baseDelayMs: 1, jitter: 'none' },
  })
  const outcomes = watchOutcomes('shop')
  bus.handle<SetEvent>('fail', ({ attempt }) => {
    throw new Error(`attempt ${attempt} failed`)
  })
  await bus.start()
  await cx.kv.setMany(Array.from({ length: count }, (_, i) => ({ collection: 'jobs', key: `k${i}`, value: { i } })))
  await outcomes.until((all) => all.filter(({ outcome }) => outcome.kind === 'dead').length === count)
  return { db, bus, cx, outcomes }
}

test('a dead letter carries the event, its trigger and the error of every attempt', async () => {
  const { cx } = await withDeadLetters(1)
  const { items } = await cx.deadLetters.list()
  expect(items).toMatchObject([
    {
      app: 'shop',
      source: 'kv',
      trigger: { name: 'fail' },
      target: { type: 'function', name: 'fail' },
      event: { op: 'set', collection: 'jobs', key: 'k0', value: { i: 0 } },
      attempts: 2,
      failureKind: 'handler_error',
      reason: 'attempts_used_up',
      resolution: undefined,
      errors: [
        { attempt: 1, kind: 'handler_error', message: 'attempt 1 failed' },
        { attempt: 2, kind: 'handler_error', message: 'attempt 2 failed' },
      ],
    },
  ])
  expect(await cx.deadLetters.get(items[0]?.id as string)).toEqual(items[0])
})

test('a listing goes page by page, newest first, and a cursor is good for its own filter only', async () => {
  const { cx } = await withDeadLetters(5)
  const first = await cx.deadLetters.list({ triggerName: 'fail' }, { limit: 2 })
  const second = await cx.deadLetters.list({ triggerName: 'fail' }, { limit: 2, cursor: first.nextCursor as string })
  const third = await cx.deadLetters.list({ triggerName: 'fail' }, { limit: 2, cursor: second.nextCursor as string })
  const ids = [...first.items, ...second.items, ...third.items].map(({ id }) => Number(id))
  expect(ids).toEqual(ids.toSorted((a, b) => b - a))
  expect(ids.length).toBe(5)
  expect(third.nextCursor).toBeUndefined()
  await expect(cx.deadLetters.list({}, { cursor: first.nextCursor as string })).rejects.toMatchObject({
    code: 'page.cursor',
  })
})

test('a replay by filter does what its dry run counted, with all attempts before it, and once', async () => {
  const { bus, cx, outcomes } = await withDeadLetters(3)
  const attempts: number[] = []
  bus.handle('fail', ({ attempt }) => void attempts.push(attempt))
  expect(await cx.deadLetters.replayAll({ triggerName: 'fail' }, { dryRun: true })).toEqual({ count: 3, parked: 0 })
  expect(await cx.deadLetters.replayAll({ triggerName: 'other' }, { dryRun: true })).toEqual({ count: 0, parked: 0 })
  expect(await cx.deadLetters.replayAll({ triggerName: 'fail' })).toEqual({ count: 3, parked: 0 })
  await outcomes.until((all) => all.filter(({ outcome }) => outcome.kind === 'done').length === 3)
  expect(attempts).toEqual([1, 1, 1])
  expect(await cx.deadLetters.replayAll({ triggerName: 'fail' })).toEqual({ count: 0, parked: 0 })
  expect((await cx.deadLetters.list()).items).toEqual([])
  expect((await cx.deadLetters.list({ resolution: 'replayed' })).items.length).toBe(3)
})

test('what was replayed is a conflict unless forced, and its new death names the old one', async () => {
  const { cx, outcomes } = await withDeadLetters(1)
  const [letter] = (await cx.deadLetters.list()).items
  const id = letter?.id as string
  await cx.deadLetters.replay(id)
  await outcomes.until((all) => all.filter(({ outcome }) => outcome.kind === 'dead').length === 2)
  expect((await cx.deadLetters.list()).items).toMatchObject([{ replayOf: id, attempts: 2 }])
  await expect(cx.deadLetters.replay(id)).rejects.toMatchObject({ code: 'dead_letter.already_resolved' })
  await cx.deadLetters.replay(id, { force: true })
  await outcomes.until((all) => all.filter(({ outcome }) => outcome.kind === 'dead').length === 3)
})

test('twenty callers who replay one letter at once make one delivery', async () => {
  const { bus, cx, outcomes } = await withDeadLetters(1)
  bus.handle('fail', () => {})
  const [letter] = (await cx.deadLetters.list()).items
  const replays = await Promise.allSettled(
    Array.from({ length: 20 }, () => cx.deadLetters.replay(letter?.id as string)),
  )
  expect(replays.filter(({ status }) => status === 'fulfilled').length).toBe(1)
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'done'))
})

test('discarding keeps the letter with its resolution; a selection that restricts nothing is refused', async () => {
  const { cx } = await withDeadLetters(2)
  const [first] = (await cx.deadLetters.list()).items
  await cx.deadLetters.discard(first?.id as string)
  expect(await cx.deadLetters.get(first?.id as string)).toMatchObject({ resolution: 'discarded' })
  await expect(cx.deadLetters.discardAll({})).rejects.toMatchObject({ code: 'dead_letter.filter_required' })
  await expect(cx.deadLetters.replayAll({})).rejects.toMatchObject({ code: 'dead_letter.filter_required' })
  expect(await cx.deadLetters.discardAll({ all: true })).toEqual({ count: 1 })
})

test('what dies while many are replayed or discarded is not meant: each call ends, and does what its dry run counted', async () => {
  const { db, bus } = await withDeadLetters(1)
  await bus.stop()
  const columns = `app_id, delivery_id, source, trigger_id, trigger_name, event_id, event, event_version, trigger, priority,
    depth, root_id, attempts, failure_kind, reason, errors, emitted_at`
  await db.pool.query(`insert into outbus.dead_letters (${columns})
    select ${columns} from outbus.dead_letters, generate_series(1, 1099)`)
  // Whatever is replayed dies at once, before the next of the statements that replay all.
  await db.pool.query(`create function die_at_once() returns trigger language plpgsql as $$ begin
    insert into outbus.dead_letters (${columns}) select ${columns} from outbus.dead_letters where id = new.replay_of;
    return new; end $$`)
  await db.pool.query(
    'create trigger die_at_once after insert on outbus.outbox for each row execute function die_at_once()',
  )
  const again = await createBus({ database: db.url, plugins: [kv()], app: 'shop', log: pino({ level: 'silent' }) })
  onTestFinished(() => again.stop())
  const { deadLetters } = again.context()
  expect(await deadLetters.replayAll({ source: 'kv' })).toEqual({ count: 1_100, parked: 0 })
  expect(await deadLetters.discardAll({ all: true }, { dryRun: true })).toEqual({ count: 1_100 })
  expect(await deadLetters.discardAll({ all: true })).toEqual({ count: 1_100 })
  expect(await deadLetters.discardAll({ all: true })).toEqual({ count: 0 })
})

test('another app sees, replays and discards none of them (G15)', async () => {
  const { bus, cx } = await withDeadLetters(1)
  const [letter] = (await cx.deadLetters.list()).items
  const other = bus.context({ app: 'other' })
  expect((await other.deadLetters.list()).items).toEqual([])
  expect(await other.deadLetters.replayAll({ all: true })).toEqual({ count: 0, parked: 0 })
  const id = letter?.id as string
  await expect(other.deadLetters.get(id)).rejects.toMatchObject({ code: 'dead_letter.not_found' })
  await expect(other.deadLetters.replay(id)).rejects.toMatchObject({ code: 'dead_letter.not_found' })
  await expect(other.deadLetters.discard(id)).rejects.toMatchObject({ code: 'dead_letter.not_found' })
  await expect(other.deadLetters.get('1; drop table')).rejects.toMatchObject({ code: 'id.malformed' })
})
