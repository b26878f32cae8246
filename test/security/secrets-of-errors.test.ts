/** Secrets that stand in the texts of errors, and those of the bus's own connections, are in no table and in no log line. */
import { createBus, deadLetter, discard } from '@outbus/core'
import { kv } from '@outbus/kv'
import { openPool } from '@outbus/test-kit/connections'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { aDay } from '../integration/a-day.ts'
import { watchOutcomes } from '../integration/workers/outcomes.ts'

/** Each in a text of its own, as clients of other systems word them. */
const TEXTS = [
  'GET /orders answered 401 to authorization: Bearer hunter2-of-billing',
  'connect postgres://billing:hunter2@db.example:5432/orders refused',
  '{"headers":{"x-api-key":"hunter2"},"password":"hunter2"}',
]

function capture() {
  const lines: string[] = []
  const waiting = new Map<string, () => void>()
  const write = (line: string) => {
    lines.push(line)
    for (const [text, found] of waiting) if (line.includes(text)) found()
  }
  return {
    log: pino({ level: 'trace' }, { write }),
    text: () => lines.join(''),
    line: (text: string) =>
      new Promise<void>((found) => (lines.some((line) => line.includes(text)) ? found() : waiting.set(text, found))),
  }
}

async function everyRow(url: string): Promise<string> {
  const pool = openPool({ connectionString: url, max: 1 })
  try {
    const { rows } = await pool.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname like 'outbus%'`,
    )
    let all = ''
    for (const { name } of rows) {
      const found = await pool.query<{ text: string }>(`select t::text as text from ${name} t`)
      all += found.rows.map(({ text }) => `${name}: ${text}\n`).join('')
    }
    return all
  } finally {
    await pool.end()
  }
}

async function failing(redactErrors?: readonly RegExp[] | false) {
  const db = await useTestDatabase({ plugins: [kv()] })
  const { log, text } = capture()
  const outcomes = watchOutcomes('shop')
  const bus = await createBus({
    database: db.url,
    plugins: [kv()],
    app: 'shop',
    migrate: true,
    history: 'all',
    retention: false,
    log,
    ...(redactErrors === undefined ? {} : { redactErrors }),
  })
  onTestFinished(() => bus.stop())
  const retry = { maxAttempts: 2, strategy: 'constant', baseDelayMs: 1, jitter: 'none' } as const
  const thrown = (key: string) => TEXTS[Number(key)] ?? ''
  await bus.on('throws', 'kv', { collection: 'throws' }, ({ event }) => Promise.reject(new Error(thrown(event.key))), {
    retry,
  })
  await bus.on('buries', 'kv', { collection: 'buries' }, ({ event }) => deadLetter(thrown(event.key)))
  await bus.on('discards', 'kv', { collection: 'discards' }, ({ event }) => discard(thrown(event.key)))
  await bus.start()
  const cx = bus.context()
  for (const collection of ['throws', 'buries', 'discards'])
    for (const key of TEXTS.keys()) await cx.kv.set(collection, String(key), 1)
  await outcomes.until(() => outcomes.count('dead') === 6 && outcomes.count('discarded') === 3)
  await bus.stop()
  return { stored: await everyRow(db.adminUrl), logged: text() }
}

test('what a handler throws, buries or discards with a secret in it leaves none in tables and logs', async () => {
  const { stored, logged } = await failing()
  expect(stored).toContain('[hidden]')
  expect(logged).toContain('[hidden]')
  expect(stored.split('\n').filter((row) => row.includes('hunter2'))).toEqual([])
  expect(logged.split('\n').filter((line) => line.includes('hunter2'))).toEqual([])
})

test('a service adds patterns of its own, or turns hiding off', async () => {
  const own = await failing([/answered \d+/])
  expect(own.stored).toContain('GET /orders [hidden] to')
  const off = await failing(false)
  expect(off.stored).toContain('Bearer hunter2-of-billing')
})

test('a day of a bus that logs everything shows no password of its connections', async () => {
  const db = await useTestDatabase()
  const { log, text } = capture()
  await aDay(db, undefined, log)
  expect(text()).not.toBe('')
  expect(text()).not.toMatch(/"(connectionParameters|secretKey|connectionString|password)":/)
  const { password } = new URL(db.url)
  expect(password).not.toBe('')
  expect(text()).not.toContain(`:${password}@`)
})

test('an idle connection that Postgres ends is logged without its client', async () => {
  const db = await useTestDatabase()
  const { log, text, line } = capture()
  const bus = await createBus({ database: db.url, plugins: [kv()], app: 'shop', migrate: true, retention: false, log })
  onTestFinished(() => bus.stop())
  await bus.on('work', 'kv', { collection: 'jobs' }, () => undefined)
  await bus.start()
  await bus.context().kv.set('jobs', 'a', 1)
  await db.pool.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  )
  await line('an idle connection was lost')
  await bus.stop()
  expect(text()).not.toMatch(/"(connectionParameters|secretKey|connectionString|_events|client)":/)
})
