/** Events that no trigger matches: refused where the emitter says so, else counted and told once. */
import { createBus, withTransaction } from '@outbus/core'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { said, topics } from './topics.ts'

const required = { requireMatch: true }

async function setUp() {
  const pluginsOfABus = () => [topics('topics'), kv(), docs(), pubsub()] as const
  const db = await useTestDatabase({ plugins: pluginsOfABus() })
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const open = async () => {
    const bus = await createBus({ database: db.url, plugins: pluginsOfABus(), migrate: true, app: 'shop', log })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    return bus
  }
  const bus = await open()
  const cx = bus.context()
  const trigger = (on = cx, more: object = {}) =>
    on.triggers.create({
      name: 'a',
      source: 'topics',
      filter: { topic: 'a' },
      target: { type: 'function', name: 'f' },
      ...more,
    })
  const count = async (table: string) =>
    (await db.pool.query<{ count: number }>(`select count(*)::integer as count from outbus.${table}`)).rows[0]?.count
  return { db, open, bus, cx, lines, trigger, count }
}

const noMatch = (path: string) => ({ code: 'emit.no_match', path, hint: expect.stringContaining('triggers') })

test('requireMatch refuses an event that no trigger matches, and of a batch everything', async () => {
  const { db, cx, trigger, count } = await setUp()
  await expect(cx.emit('topics', said(), required)).rejects.toMatchObject(noMatch(''))
  const { id } = await trigger()
  expect(await cx.emit('topics', said(), required)).toMatchObject({ deliveries: 1 })
  const batch = [said(), said('b'), said()]
  await expect(cx.emitMany('topics', batch, [{}, required])).rejects.toMatchObject(noMatch('events[1]'))
  await expect(
    cx.emitMany('topics', batch, [{ priority: 'high' }, { ...required, dedupeKey: 'k' }]),
  ).rejects.toMatchObject(noMatch('events[1]'))
  await withTransaction(db.pool, async (tx) => {
    const within = cx.with(tx)
    await expect(within.emitMany('topics', batch, [required, required])).rejects.toMatchObject(noMatch('events[1]'))
    // The transaction goes on.
    expect(await within.emit('topics', said(), required)).toMatchObject({ deliveries: 1 })
  })
  await cx.triggers.disable(id)
  await expect(cx.emit('topics', said(), required)).rejects.toMatchObject(noMatch(''))
  expect([await count('outbox'), await count('dedupe_keys')]).toEqual([2, 0])
  await expect(cx.emit('topics', said(), { requireMatch: 'yes' } as never)).rejects.toMatchObject({
    code: 'event.invalid',
    path: 'requireMatch',
  })
})

test('it goes by the triggers of the moment: what another process created or disabled meanwhile counts', async () => {
  const { open, cx, trigger } = await setUp()
  const other = (await open()).context()
  await expect(cx.emit('topics', said(), required)).rejects.toMatchObject(noMatch(''))
  const { id } = await trigger(other)
  expect(await cx.emit('topics', said(), required)).toMatchObject({ deliveries: 1 })
  await other.triggers.disable(id)
  await expect(cx.emit('topics', said(), required)).rejects.toMatchObject(noMatch(''))
  await other.triggers.enable(id)
  expect(await cx.emit('topics', said(), required)).toMatchObject({ deliveries: 1 })
})

test('who is refused costs its neighbours of the same moment nothing, of whatever app, and nothing is written twice', async () => {
  const { bus, open, trigger, count } = await setUp()
  const apps = ['a', 'b', 'c'].map((app) => bus.context({ app }))
  for (const cx of apps) await trigger(cx)
  await Promise.all(apps.map((cx) => cx.emit('topics', said(), required)))
  const elsewhere = await open()
  // The indexes of two apps are stale by now.
  for (const app of ['b', 'c']) await trigger(elsewhere.context({ app }), { name: 'b', filter: { topic: 'b' } })
  const all = Array.from({ length: 60 }, (_, i) => {
    const cx = apps[i % 3] as (typeof apps)[0]
    return cx.emit('topics', said(i % 5 === 0 ? 'nobody' : 'a'), i % 2 === 0 ? required : {}).then(
      ({ deliveries }) => deliveries,
      (error: { code: string }) => error.code,
    )
  })
  expect(await Promise.all(all)).toEqual(
    Array.from({ length: 60 }, (_, i) => (i % 5 !== 0 ? 1 : i % 2 === 0 ? 'emit.no_match' : 0)),
  )
  expect(await count('outbox')).toBe(3 + 48)
})

test('a verb writes neither its value nor an event, in a transaction of its own and in the one of its caller', async () => {
  const { db, cx, count } = await setUp()
  const refused = (on: typeof cx) =>
    [
      () => on.kv.set('c', 'k', 1, required),
      () => on.kv.set('c', 'l', 1, { ...required, ifVersion: 0 }),
      () => on.kv.set('c', 'k', 1, { ...required, dedupeKey: 'k' }),
      () => on.kv.setMany([{ collection: 'c', key: 'k', value: 1 }], required),
      () => on.docs.insert('c', { n: 1 }, { ...required, id: 'd' }),
      () => on.docs.update('c', 'there', { n: 2 }, required),
      () => on.docs.replace('c', 'there', { n: 3 }, { ...required, dedupeKey: 'd' }),
      () => on.docs.delete('c', 'there', required),
      () => on.pubsub.publish('a', 1, required),
      () => on.kv.delete('c', 'there', required),
    ] as const
  await cx.kv.set('c', 'there', 1)
  await cx.docs.insert('c', { n: 1 }, { id: 'there' })
  for (const verb of refused(cx)) await expect(verb()).rejects.toMatchObject({ code: 'emit.no_match' })
  await withTransaction(db.pool, async (tx) => {
    for (const verb of refused(cx.with(tx))) await expect(verb()).rejects.toMatchObject({ code: 'emit.no_match' })
  })
  expect((await cx.kv.list('c')).items.map(({ key, value }) => [key, value])).toEqual([['there', 1]])
  expect((await cx.docs.find('c')).items.map(({ id, content }) => [id, content])).toEqual([['there', { n: 1 }]])
  expect([await count('outbox'), await count('dedupe_keys')]).toEqual([0, 0])
  const target = { type: 'function', name: 'f' }
  await cx.triggers.create({ name: 'kv', source: 'kv', filter: {}, target })
  await cx.triggers.create({ name: 'docs', source: 'docs', filter: {}, target })
  await cx.triggers.create({ name: 'pubsub', source: 'pubsub', filter: { topic: 'a' }, target })
  for (const verb of refused(cx)) expect([await verb()].flat()).toMatchObject([{ duplicate: false, deliveries: 1 }])
})

test('what nobody matches is counted, and told once for each app, source and op', async () => {
  const { bus, cx, lines, trigger } = await setUp()
  await trigger()
  await cx.emit('topics', said('a'))
  for (let i = 0; i < 3; i++) await cx.emit('topics', said('b'))
  await cx.emitMany('topics', [said('a'), said('b'), said('b')])
  await cx.kv.set('c', 'k', 1)
  await bus.context({ app: 'other' }).emit('topics', said('a'))
  // Whoever asks is answered.
  expect(await cx.submit('topics', said('b'))).toBeUndefined()
  expect(bus.stats.unmatched).toBe(7)
  expect(lines.map(({ app, source, op }) => [app, source, op])).toEqual([
    ['shop', 'topics', 'said'],
    ['shop', 'kv', 'set'],
    ['other', 'topics', 'said'],
  ])
})
