/** A database whose encoding cannot hold every text is refused by name: in it a failure that says "€" could not be written (G18, G21). */
import { randomBytes } from 'node:crypto'
import { createBus, isOutbusError } from '@outbus/core'
import { kv } from '@outbus/kv'
import { withClient } from '@outbus/test-kit/connections'
import { testServerUrl, useTestDatabase, useTestPool, whenDone } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'

const log = pino({ level: 'silent' })

async function useDatabaseIn(encoding: string): Promise<string> {
  const name = `outbus_test_${randomBytes(6).toString('hex')}`
  const onServer = (sql: string) => withClient({ connectionString: testServerUrl() }, (client) => client.query(sql))
  await onServer(`create database ${name} template template0 encoding '${encoding}' lc_collate 'C' lc_ctype 'C'`)
  whenDone(async () => void (await onServer(`drop database ${name} with (force)`)))
  return Object.assign(new URL(testServerUrl()), { pathname: `/${name}` }).href
}

test.for(['LATIN1', 'SQL_ASCII', 'WIN1252', 'EUC_JP'])(
  'a database in %s is refused by name, by a migration, by a start and by the first use, and nothing is made in it',
  async (encoding) => {
    const url = await useDatabaseIn(encoding)
    const pool = useTestPool(url)
    const open = (database: typeof url | typeof pool, migrate: boolean) =>
      createBus({ database, plugins: [kv()], app: 'shop', migrate, log })
    const bus = await open(pool, false)
    onTestFinished(() => bus.stop())
    const doors: readonly (() => Promise<unknown>)[] = [
      () => open(url, true),
      () => bus.migrate(),
      () => bus.start(),
      () => bus.kv.set('a', 'k', 1),
    ]
    for (const door of doors) {
      const error: unknown = await door().catch((refusal: unknown) => refusal)
      expect(isOutbusError(error) && error.toJSON()).toMatchObject({
        code: 'database.encoding',
        received: encoding,
        hint: expect.stringContaining(`encoding 'UTF8'`) as unknown,
      })
    }
    const { rows } = await pool.query(`select nspname from pg_namespace where nspname = 'outbus'`)
    expect(rows).toEqual([])
  },
)

test('in a database in UTF8 a failure may say what it likes', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const bus = await createBus({ database: db.url, plugins: [kv()], app: 'shop', migrate: true, log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const buried = Promise.withResolvers<string>()
  await bus.on('f', 'kv', {}, () => Promise.reject(new Error('it broke €')), { retry: { maxAttempts: 1 } })
  await bus.on('g', 'dead_letter', {}, ({ event }) => buried.resolve(event.errors[0]?.message ?? 'none'))
  await bus.start()
  await bus.kv.set('a', 'k', 1)
  expect(await buried.promise).toBe('it broke €')
})
