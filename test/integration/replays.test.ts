/** A replay is a new decision of a person: what was discarded before it does not concern it, and what makes it wait is said. */
import { withTransaction } from '@outbus/core'
import { expect, test } from 'vitest'
import { setUpBus } from './one-bus.ts'
import { untilDatabaseSays } from './workers/outcomes.ts'

const ROWS = 'select count(*)::integer from outbus.outbox'

/** A trigger whose one delivery has died, and would succeed now. */
async function setUpDeadLetter(options: object = {}) {
  const all = await setUpBus()
  const { bus, cx, trigger, outcomes } = all
  const { id } = await trigger('work', { maxAttempts: 1 }, options)
  let fails = true
  const ran: boolean[] = []
  bus.handle('work', () => {
    ran.push(!fails)
    if (fails) throw new Error('no')
  })
  await bus.start()
  await cx.kv.set('jobs', 'k', 1)
  await outcomes.until((seen) => seen.length === 1)
  fails = false
  const letter = (await cx.deadLetters.list()).items[0]?.id as string
  return { ...all, id, letter, ran, replay: () => cx.deadLetters.replay(letter) }
}

type SetUp = Awaited<ReturnType<typeof setUpDeadLetter>>
const DISCARD = { waiting: 'discard' } as const
const DISCARDS: readonly [how: string, act: (setUp: SetUp) => Promise<unknown>][] = [
  [
    'disabled, replayed, enabled',
    async ({ cx, id, replay }) => {
      await cx.triggers.disable(id, DISCARD)
      await replay()
      await cx.triggers.enable(id)
    },
  ],
  [
    'disabled, enabled, replayed',
    async ({ cx, id, replay }) => {
      await cx.triggers.disable(id, DISCARD)
      await cx.triggers.enable(id)
      await replay()
    },
  ],
  [
    'enabled, replayed',
    async ({ cx, id, replay }) => {
      await cx.triggers.disable(id)
      await cx.triggers.enable(id, DISCARD)
      await replay()
    },
  ],
  [
    'deleted, replayed',
    async ({ cx, id, replay }) => {
      await cx.triggers.delete(id, DISCARD)
      await replay()
    },
  ],
]

test.for(DISCARDS)('a letter that is replayed after its trigger was told to discard runs: %s', async ([, act]) => {
  const setUp = await setUpDeadLetter()
  await act(setUp)
  await untilDatabaseSays(setUp.db.pool, ROWS, 0)
  expect(setUp.ran).toEqual([false, true])
  expect((await setUp.cx.history.list({ outcome: 'discarded' })).items).toEqual([])
})

test('a replay that is there when its trigger is told to discard is discarded, also one that waits for a retry', async () => {
  const { db, cx, id, replay, ran } = await setUpDeadLetter()
  await cx.triggers.pause(id)
  await replay()
  await db.pool.query(`update outbus.outbox set attempt = 2, due_set_at = clock_timestamp()`)
  await cx.triggers.delete(id, DISCARD)
  await untilDatabaseSays(db.pool, ROWS, 0)
  expect(ran).toEqual([false])
  expect((await cx.history.list({ outcome: 'discarded' })).items).toHaveLength(1)
})

test('a letter of a trigger that was deleted long ago, and discarded, runs when it is replayed', async () => {
  const { db, cx, id, replay, ran } = await setUpDeadLetter()
  await cx.triggers.disable(id, DISCARD)
  await cx.triggers.delete(id, DISCARD)
  await untilDatabaseSays(db.pool, 'select swept from outbus.pauses', true)
  await replay()
  await untilDatabaseSays(db.pool, ROWS, 0)
  expect(ran).toEqual([false, true])
})

test('what a transaction commits after its trigger was deleted is discarded, and a replay beside it is not', async () => {
  const { db, cx, id, replay, ran } = await setUpDeadLetter()
  await withTransaction(db.pool, async (tx) => {
    await cx.with(tx).kv.set('jobs', 'late', 1)
    await cx.triggers.delete(id, DISCARD)
    await replay()
    await untilDatabaseSays(db.pool, `${ROWS} where paused`, 1)
  })
  await untilDatabaseSays(db.pool, ROWS, 0)
  expect(ran).toEqual([false, true])
  expect((await cx.history.list({ outcome: 'discarded' })).items).toHaveLength(1)
})

test.for(['paused', 'disabled', 'parked'] as const)(
  'a replay of a deleted trigger that left its rows parked is refused, with what to do: %s',
  async (how) => {
    const { db, bus, cx, id, letter, replay, ran } = await setUpDeadLetter()
    if (how === 'disabled') await cx.triggers.disable(id)
    else await cx.triggers.pause(id)
    await (how === 'parked' ? cx.triggers.delete(id, { waiting: 'park' }) : cx.triggers.delete(id))
    const hint = `cx.triggers.release('${id}') lets its rows run; then replay again`
    await expect(replay()).rejects.toMatchObject({ code: 'trigger.rows_parked', path: 'id', received: letter, hint })
    for (const dryRun of [true, false])
      await expect(cx.deadLetters.replayAll({ source: 'kv' }, { dryRun })).rejects.toMatchObject({
        code: 'trigger.rows_parked',
        hint,
      })
    expect((await cx.deadLetters.list()).items).toMatchObject([{ id: letter, resolution: undefined }])
    expect(await bus.context().triggers.release(id)).toBe(true)
    expect(await bus.context().triggers.release(id)).toBe(false)
    expect(await cx.deadLetters.replayAll({ source: 'kv' }, { dryRun: true })).toEqual({ count: 1, parked: 0 })
    expect(await replay()).toEqual({ parked: false })
    await untilDatabaseSays(db.pool, ROWS, 0)
    expect(ran).toEqual([false, true])
  },
)

test.for(['', 'transactional', 'ordered'])(
  'a replay says that it waits, and what waits runs in the end: %s',
  async (kind) => {
    const { db, bus, cx, id, letter, replay, ran } = await setUpDeadLetter(kind === '' ? {} : { [kind]: true })
    await cx.triggers.disable(id)
    expect(await cx.deadLetters.replayAll({ source: 'kv' }, { dryRun: true })).toEqual({ count: 1, parked: 1 })
    expect(await replay()).toEqual({ parked: true })
    await cx.triggers.enable(id)
    await untilDatabaseSays(db.pool, ROWS, 0)
    await bus.context().triggers.pauseAll()
    expect(await cx.deadLetters.replay(letter, { force: true })).toEqual({ parked: true })
    await bus.context().triggers.resumeAll()
    await untilDatabaseSays(db.pool, ROWS, 0)
    expect(ran).toEqual([false, true, true])
  },
)
