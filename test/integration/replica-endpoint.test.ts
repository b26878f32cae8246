/**
 * An endpoint that leads to a read-only standby for a while, and then to the primary again: connections that were opened meanwhile
 * stay open, and refuse every write. Each kind of row runs all the same, soon and once, and what is emitted is written (G22). Of a
 * server that has `pg_basebackup`: see vitest.config.ts. With sessions as if, on any server: replica-sessions.test.ts.
 */
import { createBus, isOutbusError } from '@outbus/core'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import { postgresBinaries, startServer } from '@outbus/test-kit'
import { openPool } from '@outbus/test-kit/connections'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { startProxy } from '../faults/proxy.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

type SetEvent = KvEvent & { op: 'set' }

const KINDS = {
  plain: {},
  ordered: { ordered: true },
  transactional: { transactional: true },
  limited: { concurrency: 1 },
}
const ROWS = 10
const addressOf = (url: string) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) })

async function setUp(whose: string) {
  const bin = postgresBinaries('system')
  const settings = { fsync: 'off' }
  const primary = await startServer(bin, { settings, inMemory: true })
  onTestFinished(() => primary.stop())
  const standby = await startServer(bin, { settings, inMemory: true, standbyOf: primary.url })
  onTestFinished(() => standby.stop())
  const proxy = await startProxy(addressOf(primary.url))
  onTestFinished(() => proxy.close())
  const url = new URL(primary.url)
  url.port = String(proxy.port)
  const pools = [primary.url, standby.url, url.href].map((at) => openPool({ connectionString: at, max: ROWS }))
  for (const pool of pools) onTestFinished(() => pool.end())
  const [onPrimary, onStandby, callers] = pools as [(typeof pools)[0], (typeof pools)[0], (typeof pools)[0]]
  const makeBus = async (database: Parameters<typeof createBus>[0]['database']) => {
    const bus = await createBus({
      database,
      plugins: [kv()],
      migrate: true,
      app: 'shop',
      log: pino({ level: 'silent' }),
    })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    return bus
  }
  const emitting = await makeBus(primary.url)
  const bus = await makeBus(whose === 'the bus' ? url.href : callers)
  for (const [collection, more] of Object.entries(KINDS))
    await emitting.context().triggers.create({
      name: collection,
      source: 'kv',
      filter: { collection },
      target: { type: 'function', name: 'work' },
      retry: { maxAttempts: 1 },
      ...more,
    })
  return { bus, emitting, proxy, primary, standby, onPrimary, onStandby }
}

test.for(['the bus', 'the caller'])(
  'with a pool of %s every row that waited is run once, and sets are written',
  { timeout: 60_000 },
  async (whose) => {
    const { bus, emitting, proxy, primary, standby, onPrimary, onStandby } = await setUp(whose)
    const outcomes = watchOutcomes('shop')
    const ran: string[] = []
    bus.handle<SetEvent>('work', ({ event, attempt }) => void ran.push(`${event.collection} ${event.key} ${attempt}`))
    await bus.start()
    const setAll = (on: typeof bus, name: string) =>
      Promise.allSettled(
        Object.keys(KINDS).flatMap((collection) =>
          Array.from({ length: ROWS }, (_, i) =>
            on.kv.set(collection, `${name} ${i}`, i, { dedupeKey: `${collection} ${name} ${i}` }),
          ),
        ),
      )
    const all = Object.keys(KINDS).length * ROWS
    await setAll(bus, 'before')
    await outcomes.until(() => outcomes.count('done') === all)

    proxy.redirect(addressOf(standby.url))
    proxy.cut()
    // Its lanes have come back, on the standby, and come again: a connection that is refused a write is closed at once.
    await untilDatabaseSays(
      onStandby,
      'select sessions >= 10 from pg_stat_database where datname = current_database()',
      true,
    )
    const refused = await setAll(bus, 'refused')
    expect(refused.filter(({ status }) => status === 'fulfilled')).toEqual([])
    await setAll(emitting, 'meanwhile')

    proxy.redirect(addressOf(primary.url), { keep: true })
    const startedAt = performance.now()
    const written = await setAll(bus, 'after')
    const failed = written.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
    expect(failed.filter((error) => !isOutbusError(error, 'database.read_only'))).toEqual([])
    await setAll(bus, 'after')
    await untilDatabaseSays(onPrimary, OUTBOX_IS_EMPTY, true)
    await outcomes.until(() => outcomes.count('done') === 3 * all)
    expect(performance.now() - startedAt).toBeLessThan(20_000)
    const expected = ['before', 'meanwhile', 'after'].flatMap((name) =>
      Object.keys(KINDS).flatMap((collection) =>
        Array.from({ length: ROWS }, (_, i) => `${collection} ${name} ${i} 1`),
      ),
    )
    expect(ran.toSorted()).toEqual(expected.toSorted())
  },
)
