/** A process that only emits meets the schema at its first use, and is told what `start` would tell it (G17). */
import { createBus, isOutbusError } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase, useTestPool } from '@outbus/test-kit/vitest'
import type pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'

const log = pino({ level: 'silent' })

async function open(database: string | pg.Pool) {
  const bus = await createBus({ database, plugins: [kv()], app: 'shop', log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  return bus
}

type Bus = Awaited<ReturnType<typeof open>>

const FILED = { source: 'kv', filter: {}, target: { type: 'function', name: 'f' } } as const
const set = { op: 'set', collection: 'a', key: 'k', value: 1, version: 1 } as const

/** Each as the first thing that its process does. */
const uses: Record<string, (bus: Bus) => Promise<unknown>> = {
  emit: (bus) => bus.context().emit('kv', set),
  'emit with a dedupe key': (bus) => bus.context().emit('kv', set, { dedupeKey: 'd' }),
  emitMany: (bus) => bus.context().emitMany('kv', [set, set]),
  'a verb': (bus) => bus.kv.set('a', 'k', 1),
  'a verb for many': (bus) => bus.kv.setMany([{ collection: 'a', key: 'k', value: 1 }]),
  'a verb that reads': (bus) => bus.kv.get('a', 'k'),
  'triggers.create': (bus) => bus.context().triggers.create({ name: 't', ...FILED }),
  'triggers.list': (bus) => bus.context().triggers.list(),
  on: (bus) => bus.on('f', 'kv', {}, () => {}),
  'deadLetters.list': (bus) => bus.context().deadLetters.list(),
  request: (bus) => bus.context().request('kv', set, { timeoutMs: 60_000 }),
  submit: (bus) => bus.context().submit('kv', set),
  explain: (bus) => bus.context().explain('kv', set),
  upkeep: (bus) => bus.upkeep(),
}

const schemas: Record<string, { readonly code: string; readonly make: (db: Database) => Promise<unknown> }> = {
  missing: { code: 'schema.missing', make: async () => undefined },
  older: {
    code: 'schema.outdated',
    make: async (db) => {
      await migrate(db)
      // As it is before the last migration of this program has been applied.
      await db.pool.query(`delete from outbus.migration_checksums where (line, name) =
        (select line, name from outbus.migration_checksums where line = 'core' order by name desc limit 1)`)
    },
  },
  newer: {
    code: 'schema.newer',
    make: async (db) => {
      await migrate(db)
      await db.pool.query(
        `insert into outbus.migration_checksums (line, name, sha256) values ('core', '9999_of_tomorrow', 'x')`,
      )
    },
  },
}

type Database = Awaited<ReturnType<typeof useTestDatabase>>

async function migrate(db: Database): Promise<void> {
  const bus = await createBus({ database: db.adminUrl, plugins: [kv()], migrate: true, log })
  await bus.stop()
}

const refusalOf = async (work: Promise<unknown>) => {
  const error: unknown = await work.then(
    () => 'nothing was refused',
    (refusal: unknown) => refusal,
  )
  return isOutbusError(error) ? error.toJSON() : error
}

test.for(Object.keys(schemas))(
  'whatever a process does first on a schema that is %s, it is refused as start refuses it, and so is what it does then',
  async (name) => {
    const schema = schemas[name] as (typeof schemas)[string]
    const db = await useTestDatabase()
    await schema.make(db)
    const refused = await refusalOf((await open(db.adminUrl)).start())
    expect(refused).toMatchObject({ code: schema.code })
    for (const [what, use] of Object.entries(uses)) {
      const bus = await open(db.pool)
      const first = await refusalOf(use(bus))
      const later = await Promise.all([1, 2, 3].map(() => refusalOf(use(bus))))
      expect({ what, first, later }).toEqual({ what, first: refused, later: [refused, refused, refused] })
    }
  },
)

test('in a transaction of the caller’s it is refused as well, and the transaction stays usable', async () => {
  const db = await useTestDatabase()
  const bus = await open(db.pool)
  const tx = await db.pool.connect()
  onTestFinished(() => tx.release(true))
  await tx.query('begin')
  expect(await refusalOf(bus.context().with(tx).kv.set('a', 'k', 1))).toMatchObject({ code: 'schema.missing' })
  await tx.query('create table mine (n int)')
  expect((await tx.query('commit')).command).toBe('COMMIT')
})

test('a process that was refused goes on once the schema has come', async () => {
  const db = await useTestDatabase()
  const bus = await open(db.adminUrl)
  expect(await refusalOf(bus.kv.set('a', 'k', 1))).toMatchObject({ code: 'schema.missing' })
  await migrate(db)
  await bus.kv.set('a', 'k', 1)
  expect(await bus.kv.get('a', 'k')).toMatchObject({ value: 1 })
})

test('the schema is looked at once: what comes after the first use costs no round trip more', async () => {
  const db = await useTestDatabase()
  await migrate(db)
  const pool = useTestPool(db.adminUrl, { max: 1 })
  let queries = 0
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown
    Object.assign(client, { query: (...args: unknown[]) => (queries++, query(...args)) })
  })
  const bus = await open(pool)
  const tx = await pool.connect()
  await tx.query('begin')
  // On the pool's only connection: a look from another one would wait for this transaction for ever.
  await bus.context().with(tx).kv.get('a', 'k')
  await tx.query('commit')
  tx.release()
  queries = 0
  await bus.kv.get('a', 'k')
  expect(queries).toBe(1)
})
