/**
 * Processes of the version before go on beside the present schema: their emits, triggers and dispatchers, and those of this version,
 * reach each other (docs/upgrades.md). One that is started anew is refused, and says both versions (G17).
 */
import { createBus } from '@outbus/core'
import type { Bus, SourcesOf } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import { checkOutOlder, startOlder } from './workers/older.ts'

// Each starts processes, beside those of other tests.
vi.setConfig({ testTimeout: 90_000 })

type KvBus = Bus<SourcesOf<ReturnType<typeof kv>>>

const log = pino({ level: 'silent' })

/** An older process has migrated the database and goes on; this version has migrated it further. */
async function setUp() {
  const db = await useTestDatabase()
  const folder = await checkOutOlder()
  const older = await startOlder(folder, db.adminUrl, { migrate: true })
  await older.call('open')
  const newer = async () => {
    const bus = await createBus({ database: db.adminUrl, plugins: [kv()], migrate: true, app: 'shop', log })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    return bus
  }
  return { db, folder, older, newer }
}

const input = (name: string, more: object = {}) => ({
  name,
  source: 'kv' as const,
  filter: { collection: name },
  target: { type: 'function', name: 'f' },
  ...more,
})

const eventOf = (collection: string, key = 'k') => ({ op: 'set', collection, key, value: 1, version: 0 }) as const

const emitOf = async (bus: KvBus, collection: string, key?: string) =>
  (await bus.context().emit('kv', eventOf(collection, key))).deliveries

test('each honours at its next emit what the other has changed: created, updated, deleted (G2)', async () => {
  const { older, newer } = await setUp()
  const first = await older.call<string>('trigger', input('before'))
  expect(await older.call('emit', eventOf('before'))).toBe(1)
  const bus = await newer()
  const { triggers } = bus.context()
  expect(await emitOf(bus, 'before')).toBe(1)

  const byNewer = await triggers.create(input('by newer'))
  expect(await older.call('emit', eventOf('by newer'))).toBe(1)
  expect(await older.call('set', 'by newer', 'k', 1)).toBe(1)
  const byOlder = await older.call<string>('trigger', input('by older'))
  expect(await emitOf(bus, 'by older')).toBe(1)
  expect((await bus.kv.set('by older', 'k', 1)).deliveries).toBe(1)

  await older.call('update', byNewer.id, { filter: { collection: 'changed' } })
  expect([await emitOf(bus, 'by newer'), await emitOf(bus, 'changed')]).toEqual([0, 1])
  await triggers.update(byOlder, { filter: { collection: 'changed too' } })
  expect(await older.call('emit', eventOf('by older'))).toBe(0)
  expect(await older.call('emit', eventOf('changed too'))).toBe(1)

  await older.call('remove', first)
  expect(await emitOf(bus, 'before')).toBe(0)
  await triggers.delete(byOlder)
  expect(await older.call('emit', eventOf('changed too'))).toBe(0)
})

test('a change by an older process, after lost commits, is not taken for one that this process knows (G22)', async () => {
  const { db, older, newer } = await setUp()
  await older.call('trigger', input('kept'))
  const bus = await newer()
  expect(await emitOf(bus, 'kept')).toBe(1)
  await bus.context().triggers.create(input('lost'))
  expect(await emitOf(bus, 'lost')).toBe(1)
  await db.pool.query(`delete from outbus.triggers where name = 'lost';
    delete from outbus.trigger_changes c using outbus.trigger_epochs e where c.epoch = e.epoch;
    update outbus.trigger_epochs set epoch = epoch - 1;
    select setval('outbus.trigger_epoch_sequence', (select max(epoch) from outbus.trigger_epochs))`)
  await older.call('trigger', input('new'))
  expect([await emitOf(bus, 'lost'), await emitOf(bus, 'new'), await emitOf(bus, 'kept')]).toEqual([0, 1, 1])
})

test('both dispatch what either emits, and every delivery comes to its outcome once', async () => {
  const { db, older, newer } = await setUp()
  await older.call('start')
  await older.call('trigger', input('plain'))
  await older.call('trigger', input('in order', { ordered: true }))
  await older.call('trigger', input('few', { concurrency: 2 }))
  const bus = await newer()
  const ran: string[] = []
  const enough = Promise.withResolvers<void>()
  const all = () => [...ran, ...older.ran.map(({ trigger, key }) => `${trigger} ${key}`)]
  const check = () => {
    if (all().length >= 120) enough.resolve()
  }
  bus.handle('f', ({ trigger, event }: { trigger: { name: string }; event: unknown }) => {
    ran.push(`${trigger.name} ${(event as { key: string }).key}`)
    check()
  })
  await bus.start()
  const emitted: string[] = []
  for (let i = 0; i < 20; i++) {
    for (const name of ['plain', 'in order', 'few']) {
      emitted.push(`${name} o${i}`, `${name} n${i}`)
      await Promise.all([older.call('emit', eventOf(name, `o${i}`)), emitOf(bus, name, `n${i}`)])
    }
  }
  void older.until(() => (check(), all().length >= 120))
  await enough.promise
  for (let left = true; left;) left = (await db.pool.query('select from outbus.outbox limit 1')).rowCount === 1
  expect(all().toSorted()).toEqual(emitted.toSorted())
})

test('what an older process emits is of no known caller, and not the service’s', async () => {
  const { older, newer } = await setUp()
  await older.call('trigger', input('plain'))
  const bus = await newer()
  const callers: unknown[] = []
  const both = Promise.withResolvers<void>()
  bus.handle('f', ({ cx }) => {
    if (callers.push(cx.caller) === 2) both.resolve()
  })
  expect([await older.call('emit', eventOf('plain')), await emitOf(bus, 'plain')]).toEqual([1, 1])
  await bus.start()
  await both.promise
  expect(callers).toEqual([{ id: '' }, undefined])
})

test('a process of this version, under which the older schema is restored, says what to do, and goes on once it is done (G22)', async () => {
  const { db, folder, newer } = await setUp()
  const bus = await newer()
  await bus.context().triggers.create(input('before'))
  const ran = Promise.withResolvers<string>()
  bus.handle('f', ({ trigger }) => ran.resolve(trigger.name))
  expect(await emitOf(bus, 'before')).toBe(1)
  await db.pool.query('drop schema outbus cascade')
  await (await startOlder(folder, db.adminUrl, { migrate: true })).call('open')
  const refused = { code: 'schema.outdated', hint: expect.stringContaining('migrate') }
  await expect(emitOf(bus, 'before')).rejects.toMatchObject(refused)
  await expect(bus.context().triggers.create(input('after'))).rejects.toMatchObject(refused)
  await expect(bus.kv.set('before', 'k', 1)).rejects.toMatchObject(refused)
  await newer()
  expect(await emitOf(bus, 'before')).toBe(0)
  await bus.context().triggers.create(input('after'))
  expect((await bus.kv.set('after', 'k', 1)).deliveries).toBe(1)
  await bus.start()
  expect(await ran.promise).toBe('after')
})

test('one that is started anew is refused, and says both versions and what to do (G17)', async () => {
  const { db, folder, older, newer } = await setUp()
  await newer()
  expect(await older.call('emit', eventOf('a'))).toBe(0)
  const again = await startOlder(folder, db.adminUrl)
  await again.call('open')
  await expect(again.call('start')).rejects.toMatchObject({
    code: 'schema.newer',
    message: expect.stringMatching(
      /the database is at \d{4}_\w+, and this program knows no further than 0011_notes_of_emits/,
    ),
  })
})
