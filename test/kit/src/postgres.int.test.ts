import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { openClient, withClient } from './connections.ts'
import { createTestDatabase } from './database.ts'
import { startPostgres } from './postgres.ts'
import { testServerUrl, useTestDatabase } from './vitest.ts'

const SERVER_PROCESS = fileURLToPath(new URL('testing/server-process.ts', import.meta.url))
const kind = inject('postgresKind')
const isOurs = kind === 'embedded' || kind === 'system'

const db = await useTestDatabase()

describe('useTestDatabase', () => {
  it('gives a file a database of its own', async () => {
    const { rows } = await db.pool.query<{ name: string }>('select current_database() as name')
    expect(rows).toEqual([{ name: db.name }])
  })

  it('gives a test a database of its own', async () => {
    const own = await useTestDatabase()
    const { rows } = await own.pool.query<{ name: string }>('select current_database() as name')
    expect(rows).toEqual([{ name: own.name }])
    expect(own.name).not.toBe(db.name)
  })

  it('copies a template', async () => {
    const template = await createTestDatabase(testServerUrl())
    onTestFinished(template.drop)
    await withClient({ connectionString: template.url }, (client) =>
      client.query('create table copied as select 1 as one'),
    )
    const copy = await useTestDatabase({ template: template.name })
    expect((await copy.pool.query('select * from copied')).rows).toEqual([{ one: 1 }])
  })
})

describe('startPostgres', () => {
  it('refuses a kind that it does not know', async () => {
    await expect(startPostgres('sqlite')).rejects.toThrow('OUTBUS_TEST_POSTGRES is "sqlite"')
  })

  it.runIf(isOurs)('keeps what a production server keeps when it is to be durable, and takes settings', async () => {
    const server = await startPostgres(kind, { durable: true, settings: { work_mem: '5MB' } })
    const { rows } = await withClient({ connectionString: server.url }, (client) =>
      client.query(
        `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit, current_setting('work_mem') as work_mem`,
      ),
    )
    expect(rows).toEqual([{ fsync: 'on', commit: 'on', work_mem: '5MB' }])
    await server.stop()
    await server.stop()
    await expect(openClient({ connectionString: server.url })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    })
  })

  it.runIf(isOurs)('leaves neither server nor data behind a process that is killed', async () => {
    const child = spawn(process.execPath, ['--conditions=outbus-source', SERVER_PROCESS, kind], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [url] = (await once(child.stdout, 'data')) as [Buffer]
    const { rows } = await withClient({ connectionString: url.toString() }, (client) =>
      client.query<{ data: string }>(`select current_setting('data_directory') as data`),
    )
    const data = rows[0]?.data ?? ''
    expect(existsSync(data)).toBe(true)
    child.kill('SIGKILL')
    while (existsSync(data)) await pause(10)
    await expect(openClient({ connectionString: url.toString() })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    })
  })
})
