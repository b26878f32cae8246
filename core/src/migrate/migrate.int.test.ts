import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { withClient } from '@outbus/test-kit/connections'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import type pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { lockName } from './lock.ts'
import { checkSchema, migrate } from './migrate.ts'
import type { AppliedLine } from './migrate.ts'

const PROCESS = fileURLToPath(new URL('testing/migrate-process.ts', import.meta.url))
const run = promisify(execFile)

type Files = Record<string, string>
const A: Files = { '0001_a.sql': 'create table {schema}.a (id int);\n-- the end' }
const B: Files = { '0002_b.sql': 'create table {schema}.b (id int);\ninsert into {schema}.b values (1);\n' }
/** What the connection that is to hold the lock has asked last. */
const WAITS_FOR_THE_LOCK = `query like 'select l.pid, pg_catalog.max(a.usename)%'`
const C: Files = { '0003_c.sql': 'create table {schema}.c (id int);\n' }

/** The line whose migrations these files are. */
function line(name: string, files: Files) {
  const named = Object.entries(files).map(([file, text]) => [file.replace(/\.sql$/, ''), text])
  return { name, migrations: Object.fromEntries(named) as Files }
}

/** A database of the test's own, and the two functions on it. */
async function setUp(schema = 'outbus') {
  const db = await useTestDatabase()
  const connection = { connectionString: db.url }
  const rows = async <T>(sql: string) => (await db.pool.query<Record<string, T>>(sql)).rows
  return {
    db,
    rows,
    migrate: async (...lines: ReturnType<typeof line>[]) => migrate({ connection, schema, lines }),
    check: async (...lines: ReturnType<typeof line>[]) => checkSchema({ db: db.pool, schema, lines }),
    tables: async (of = schema) =>
      (await rows<string>(`select tablename as t from pg_tables where schemaname = '${of}' order by 1`)).map(
        (row) => row['t'],
      ),
  }
}

/** Resolves when sessions of the database are in the given state: how the tests wait for Postgres, never for time. */
async function until(pool: pg.Pool, condition: string, sessions = 1): Promise<number> {
  for (;;) {
    const { rows } = await pool.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and ${condition}`,
    )
    if (rows[0] !== undefined && rows.length >= sessions) return rows[0].pid
  }
}

it('G17: of ten processes that migrate at once one applies, and none fails', async () => {
  const { db, tables, check } = await setUp()
  const core = line('core', { ...A, ...B, ...C })
  // None may begin before all of them have found work to do: until then the lock is the test's, as of a program of before.
  const holder = await db.pool.connect()
  await holder.query('select pg_advisory_lock(hashtextextended($1, 0))', [lockName('outbus')])
  const processes = Array.from({ length: 10 }, async () => {
    const { stdout } = await run(process.execPath, [
      '--conditions=outbus-source',
      PROCESS,
      db.url,
      'outbus',
      JSON.stringify(core.migrations),
    ])
    return (JSON.parse(stdout) as AppliedLine[])[0]?.applied
  })
  await until(db.pool, WAITS_FOR_THE_LOCK, 10)
  await holder.query('select pg_advisory_unlock_all()')
  holder.release()
  const results = await Promise.all(processes)
  expect(results.filter((applied) => applied?.length !== 0)).toEqual([['0001_a', '0002_b', '0003_c']])
  expect(await tables()).toEqual(['a', 'b', 'c', 'migration_checksums', 'migrations_core'])
  await check(core)
}, 60_000)

it('G17: a process killed inside a file leaves nothing of that file, and the next one finishes', async () => {
  const { db, tables, migrate } = await setUp()
  const slow = {
    '0002_b.sql': 'create table {schema}.b (id int);\nselect pg_sleep(60);\ninsert into {schema}.b values (1);\n',
  }
  const core = line('core', { ...A, ...slow })
  const child = execFile(process.execPath, [
    '--conditions=outbus-source',
    PROCESS,
    db.url,
    'outbus',
    JSON.stringify(core.migrations),
  ])
  const backend = await until(db.pool, `wait_event = 'PgSleep'`)
  child.kill('SIGKILL')
  // What Postgres would find out for itself after the sleep.
  await db.pool.query('select pg_terminate_backend($1)', [backend])
  const whole = line('core', { ...A, ...B })
  expect(await migrate(whole)).toEqual([{ line: 'core', applied: ['0002_b'] }])
  expect(await tables()).toContain('b')
}, 60_000)

it('G17: whoever loses the migration lock inside a file ends there and leaves nothing of that file', async () => {
  const { db, rows, tables, migrate } = await setUp()
  const slow = { '0002_b.sql': 'create table {schema}.b (id int);\nselect pg_sleep(60);\n' }
  const refused = migrate(line('core', { ...A, ...slow })).catch((error: unknown) => error)
  const backend = await until(db.pool, `wait_event = 'PgSleep'`)
  await rows(`select pg_terminate_backend(pid) from pg_locks
    where relation = 'outbus.migration_checksums'::regclass and mode = 'ShareUpdateExclusiveLock'`)
  expect(await refused).toMatchObject({ code: 'migration.failed', path: 'core/0002_b.sql' })
  // What Postgres would find out for itself after the sleep.
  await db.pool.query('select pg_terminate_backend($1)', [backend])
  expect(await migrate(line('core', { ...A, ...B }))).toEqual([{ line: 'core', applied: ['0002_b'] }])
  expect(await tables()).toContain('b')
}, 60_000)

it('G17: a file that fails leaves the ones before it, names itself and its line, and is taken up again', async () => {
  const { rows, tables, migrate, check } = await setUp()
  const broken = { '0002_b.sql': 'create table {schema}.b (id int);\n\ninsert into {schema}.nowhere values (1);\n' }
  await expect(migrate(line('core', { ...A, ...broken, ...C }))).rejects.toMatchObject({
    message: 'migration line core: 0002_b.sql:3: relation "outbus.nowhere" does not exist',
    code: 'migration.failed',
    sqlState: '42P01',
    cause: { code: '42P01' },
  })
  expect(await tables()).toEqual(['a', 'migration_checksums', 'migrations_core'])
  const core = line('core', { ...A, ...B, ...C })
  await expect(check(core)).rejects.toMatchObject({ code: 'schema.outdated' })
  expect(await migrate(core)).toEqual([{ line: 'core', applied: ['0002_b', '0003_c'] }])
  expect(await rows('select count(*)::int as n from outbus.b')).toEqual([{ n: 1 }])
  await check(core)
  expect(await migrate(core)).toEqual([{ line: 'core', applied: [] }])
})

it('refuses a file that was changed after it was applied, and names line and file', async () => {
  const { migrate, check, tables } = await setUp()
  await migrate(line('core', A))
  const changed = line('core', { '0001_a.sql': 'create table {schema}.a (id bigint);\n', ...B })
  const refusal = {
    code: 'migration.changed',
    path: 'core/0001_a.sql',
    message: expect.stringContaining(
      'migration line core: 0001_a.sql was applied to this database and is not the same any more',
    ),
  }
  await expect(migrate(changed)).rejects.toMatchObject(refusal)
  await expect(check(changed)).rejects.toMatchObject(refusal)
  const renamed = line('core', { '0001_other.sql': A['0001_a.sql'] ?? '' })
  await expect(check(renamed)).rejects.toMatchObject({
    code: 'migration.changed',
    message: expect.stringContaining('is now 0001_other'),
  })
  expect(await tables()).not.toContain('b')
})

it('G17: an older program refuses a newer schema, says both versions, and touches no other line', async () => {
  const { migrate, check, tables } = await setUp()
  const kv = { '0001_kv.sql': 'create table {schema}.kv (id int);' }
  const newer = { ...kv, '0002_more.sql': 'create table {schema}.more (id int);' }
  await migrate(line('core', A), line('kv', newer))
  const older = [line('core', { ...A, ...B }), line('kv', kv)] as const
  const refusal = {
    code: 'schema.newer',
    message: expect.stringContaining(
      'migration line kv: the database is at 0002_more, and this program knows no further than 0001_kv',
    ),
  }
  await expect(migrate(...older)).rejects.toMatchObject(refusal)
  await expect(check(older[1])).rejects.toMatchObject(refusal)
  expect(await tables()).not.toContain('b')
})

it('G17: an older program starts beside migrations that all let it, and beside no others', async () => {
  const { migrate, check, rows } = await setUp()
  const says = (form: string, table: string) =>
    `-- outbus: older processes ${form}\ncreate table {schema}.${table} (id int);\n`
  const older = line('core', A)
  const additive = { ...A, '0002_b.sql': says('may run and start', 'b'), '0003_c.sql': says('may run and start', 'c') }
  await migrate(line('core', additive))
  await check(older)
  expect(await migrate(older)).toEqual([{ line: 'core', applied: [] }])
  // A file that it has is compared as ever.
  await expect(check(line('core', { '0001_a.sql': 'select 1;\n' }))).rejects.toMatchObject({
    code: 'migration.changed',
  })
  expect(await rows('select older_processes from outbus.migration_checksums order by name')).toEqual(
    [null, 'may run and start', 'may run and start'].map((said) => ({ older_processes: said })),
  )
  await migrate(line('core', { ...additive, '0004_d.sql': says('may run', 'd') }))
  await expect(check(older)).rejects.toMatchObject({
    code: 'schema.newer',
    message: expect.stringContaining('the database is at 0004_d, and this program knows no further than 0001_a'),
    hint: expect.stringContaining('0004_d does not let older ones start'),
  })
  await migrate(
    line('core', {
      ...additive,
      '0004_d.sql': says('may run', 'd'),
      '0005_e.sql': says('may run and start', 'e'),
    }),
  )
  await expect(check(older)).rejects.toMatchObject({ code: 'schema.newer' })
})

it('G17: a ledger of a program that kept nothing of older processes is read, and its migrations let none start', async () => {
  const { db, migrate, check } = await setUp()
  await migrate(line('core', { ...A, ...B }))
  await db.pool.query('alter table outbus.migration_checksums drop column older_processes')
  await check(line('core', { ...A, ...B }))
  await expect(check(line('core', A))).rejects.toMatchObject({ code: 'schema.newer' })
  expect(await migrate(line('core', { ...A, ...B, ...C }))).toEqual([{ line: 'core', applied: ['0003_c'] }])
})

it('G17: a migration that older processes must not run beside waits for them to be stopped', async () => {
  const { db, migrate, tables } = await setUp()
  const first = {
    '0001_a.sql': 'create table {schema}.dispatchers (id int, seen_at timestamptz not null default now());\n',
  }
  await migrate(line('core', first))
  await db.pool.query('insert into outbus.dispatchers values (1)')
  const core = line('core', {
    ...first,
    '0002_b.sql': '-- outbus: older processes must stop\ncreate table {schema}.b (id int);\n',
  })
  await expect(migrate(core)).rejects.toMatchObject({
    code: 'schema.in_use',
    message: expect.stringContaining('0002_b must not be applied while older processes run, and 1 of them dispatch'),
  })
  expect(await tables()).not.toContain('b')
  await db.pool.query(`update outbus.dispatchers set seen_at = now() - interval '26 seconds'`)
  expect(await migrate(core)).toEqual([{ line: 'core', applied: ['0002_b'] }])
})

it("keeps a plugin's line apart: its own numbers, added later, gone again", async () => {
  const { rows, migrate, check } = await setUp()
  const core = line('core', { ...A, ...B })
  const kv = line('kv', { '0001_kv.sql': 'create table {schema}.kv (id int);' })
  await migrate(core)
  await expect(check(core, kv)).rejects.toMatchObject({
    code: 'schema.outdated',
    message: expect.stringContaining('lacks kv/0001_kv'),
  })
  expect(await migrate(core, kv)).toEqual([
    { line: 'core', applied: [] },
    { line: 'kv', applied: ['0001_kv'] },
  ])
  expect(await rows('select name from outbus.migrations_kv')).toEqual([{ name: '0001_kv' }])
  expect(await rows('select line, name from outbus.migration_checksums order by 1, 2')).toEqual([
    { line: 'core', name: '0001_a' },
    { line: 'core', name: '0002_b' },
    { line: 'kv', name: '0001_kv' },
  ])
  await check(core)
})

it('keeps two schemas of one database apart, and leaves the connection settings and public alone', async () => {
  const { db, tables, migrate: migrateShop, check } = await setUp('shop_bus')
  const core = line('core', { ...A, ...B })
  const other = { connection: { connectionString: db.url }, schema: 'user', lines: [core] }
  const [shop, user] = await Promise.all([migrateShop(core), migrate(other)])
  expect(shop).toEqual([{ line: 'core', applied: ['0001_a', '0002_b'] }])
  expect(user).toEqual(shop)
  expect(await tables('shop_bus')).toEqual(['a', 'b', 'migration_checksums', 'migrations_core'])
  expect(await tables('user')).toEqual(await tables('shop_bus'))
  expect(await tables('public')).toEqual([])
  await check(core)
})

it('runs a file without transaction statement by statement, even while another process waits for the lock', async () => {
  const { db, rows, migrate } = await setUp()
  const core = line('core', {
    ...A,
    '0002_index.sql': `-- outbus: no transaction
drop index concurrently if exists {schema}.a_id;
create index concurrently a_id on {schema}.a (id);
`,
  })
  // A transaction that CREATE INDEX CONCURRENTLY has to wait for, so that the second migrator surely finds the lock taken.
  await migrate(line('core', A))
  const holder = await db.pool.connect()
  await holder.query('begin')
  await holder.query('insert into outbus.a values (1)')
  const first = migrate(core)
  await until(db.pool, `wait_event_type = 'Lock' and query ilike '%concurrently%'`)
  const second = migrate(core)
  await until(db.pool, WAITS_FOR_THE_LOCK)
  await holder.query('commit')
  holder.release()
  expect((await Promise.all([first, second])).map(([done]) => done?.applied)).toEqual([['0002_index'], []])
  expect(await rows(`select indisvalid as valid from pg_index where indexrelid = 'outbus.a_id'::regclass`)).toEqual([
    { valid: true },
  ])
})

it('gives up on an index that another login’s open transaction holds up, after 15 minutes or what the file says, and names it', async () => {
  const { db, rows, migrate } = await setUp()
  const held = {
    '0002_index.sql': `-- outbus: no transaction
create table if not exists {schema}.waits as select current_setting('lock_timeout') as most;
set lock_timeout = '50ms';
drop index concurrently if exists {schema}.a_id;
create index concurrently a_id on {schema}.a (id);
`,
  }
  await migrate(line('core', A))
  const holder = await db.pool.connect()
  await holder.query('begin isolation level repeatable read')
  const { rows: holding } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid')
  const core = line('core', { ...A, ...held })
  await expect(migrate(core)).rejects.toMatchObject({
    code: 'migration.failed',
    sqlState: '55P03',
    message: expect.stringMatching(new RegExp(`open transactions, the oldest first: pid ${holding[0]?.pid} \\(user `)),
  })
  await holder.query('rollback')
  holder.release()
  expect((await migrate(core))[0]?.applied).toEqual(['0002_index'])
  expect(await rows('select most from outbus.waits')).toEqual([{ most: '15min' }])
})

it('goes by the table that programs before this one go by, and runs again what they left out of it', async () => {
  const { db, rows, migrate } = await setUp()
  const concurrently = {
    '0002_index.sql': `-- outbus: no transaction
drop index concurrently if exists {schema}.a_id;
create index concurrently a_id on {schema}.a (id);
`,
  }
  await migrate(line('core', { ...A, ...concurrently }))
  const marks = () => rows('select name from outbus.migrations_core order by id')
  expect(await marks()).toEqual([{ name: '0001_a' }, { name: '0002_index' }])
  // Killed between its two pieces of bookkeeping, which were not yet one transaction.
  await db.pool.query(`delete from outbus.migrations_core where name = '0002_index'`)
  const whole = line('core', { ...A, ...concurrently, ...C })
  expect(await migrate(whole)).toEqual([{ line: 'core', applied: ['0003_c'] }])
  expect(await marks()).toEqual(['0001_a', '0002_index', '0003_c'].map((name) => ({ name })))
  await db.pool.query(`delete from outbus.migrations_core where name = '0001_a'`)
  const more = line('core', { ...A, ...concurrently, ...C, '0004_d.sql': 'create table {schema}.d (id int);' })
  await expect(migrate(more)).rejects.toMatchObject({
    code: 'migration.failed',
    message: expect.stringContaining('migrations_core has 0002_index, and not 0001_a before it'),
  })
})

it('tells a schema that is missing from one that has never been migrated', async () => {
  const { db, check, migrate: migrateOutbus } = await setUp()
  const core = line('core', A)
  await expect(check(core)).rejects.toMatchObject({
    code: 'schema.missing',
    message: expect.stringContaining('pass migrate: true'),
  })
  const inPublic = { connection: { connectionString: db.url }, schema: 'public', lines: [core] }
  await expect(checkSchema({ ...inPublic, db: db.pool })).rejects.toMatchObject({
    code: 'schema.outdated',
    message: expect.stringContaining('lacks core/0001_a'),
  })
  expect(await migrate(inPublic)).toEqual([{ line: 'core', applied: ['0001_a'] }])
  await expect(migrateOutbus()).resolves.toEqual([])
})

it('needs no right on the database where the schema exists, and none but SELECT where nothing is to be done', async () => {
  const { db } = await setUp()
  const role = `r_${db.name}`
  await db.pool.query(`create role ${role} login password 'x'`)
  onTestFinished(async () => {
    await withClient({ connectionString: db.url }, (server) => server.query(`drop owned by ${role}; drop role ${role}`))
  })
  const url = new URL(db.url)
  url.username = role
  url.password = 'x'
  const core = line('core', A)
  const asRole = { connection: { connectionString: url.href }, schema: 'outbus', lines: [core] }

  await expect(migrate(asRole)).rejects.toMatchObject({
    code: 'schema.missing',
    message: expect.stringContaining('create schema outbus authorization'),
  })
  await db.pool.query(`create schema outbus authorization ${role}`)
  expect(await migrate(asRole)).toEqual([{ line: 'core', applied: ['0001_a'] }])
  await db.pool.query(`alter schema outbus owner to current_user`)
  await db.pool.query(`grant usage on schema outbus to ${role}`)
  expect(await migrate(asRole)).toEqual([{ line: 'core', applied: [] }])
})

it('gives up on a lock that a table is held by, rather than stopping everybody behind it', async () => {
  const { db, migrate } = await setUp()
  await migrate(line('core', A))
  const quick = { '0002_alter.sql': `set local lock_timeout = '50ms';\nalter table {schema}.a add column name text;` }
  const holder = await db.pool.connect()
  await holder.query('begin')
  await holder.query('select from outbus.a')
  await expect(migrate(line('core', { ...A, ...quick }))).rejects.toMatchObject({ cause: { code: '55P03' } })
  await holder.query('rollback')
  holder.release()
  expect(await migrate(line('core', { ...A, ...quick }))).toEqual([{ line: 'core', applied: ['0002_alter'] }])
})
