/** A connection that Postgres ends while nobody uses it ends no process: not a test's, and not an application's (G16). */
import { execFile } from 'node:child_process'
import type { EventEmitter } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createTestDatabase } from '@outbus/test-kit'
import { testServerUrl, useTestClient, useTestDatabase, useTestPool } from '@outbus/test-kit/vitest'
import { expect, test } from 'vitest'

const PROCESS = fileURLToPath(new URL('workers/idle-connection.ts', import.meta.url))

/** Not `once` of node:events: that listens to `error`, which is what is tried here. */
async function ended(emitter: EventEmitter, event: string): Promise<void> {
  await new Promise((resolve) => emitter.once(event, resolve))
}

test('a pool without a listener, on which a bus is, loses an idle connection: its process lives, and the log says so', async () => {
  const db = await useTestDatabase()
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=outbus-source', PROCESS], {
    env: { ...process.env, DATABASE_URL: db.adminUrl },
  })
  const { after, log } = JSON.parse(stdout) as {
    readonly after: unknown
    readonly log: readonly { readonly code?: string }[]
  }
  expect(after).toBe(2)
  expect(log.filter(({ code }) => code === '57P01')).toHaveLength(1)
})

test('a test’s own pool and client outlive a database that is dropped under them', async () => {
  const database = await createTestDatabase(testServerUrl())
  const pool = useTestPool(database.url)
  const client = await useTestClient(database.url)
  await pool.query('select')
  const gone = Promise.all([ended(pool, 'remove'), ended(client, 'end')])
  await database.drop()
  await gone
  await expect(pool.query('select')).rejects.toMatchObject({ code: '3D000' })
})
