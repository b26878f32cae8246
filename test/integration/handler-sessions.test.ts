/** What a transactional handler does to its connection is not there for the next one, which may be another app's (G15, G21). */
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pg from 'pg'
import { expect, test } from 'vitest'
import { CHANGES, SESSION, setUpHandlers } from './handler-sessions.ts'
import type { Work } from './handler-sessions.ts'

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv()] })
  return { db, ...(await setUpHandlers({ database: db.url })) }
}

/** What is given the connection, and may keep it. */
function queryThatKeeps(): pg.Query {
  const query = new pg.Query('select 1')
  const given = query as unknown as { submit(connection: object): unknown }
  const submit = given.submit.bind(query)
  given.submit = (connection) => submit(Object.assign(connection, { secret: 'shop' }))
  return query
}

const ENDS = ['ends well', 'throws'] as const

test.for(ENDS)('after a handler of one app that %s, a handler of another finds the session as new', async (end) => {
  const { db, inHandler, rowsIn } = await setUp()
  const login = new URL(db.url).username
  // So that the roles can be taken, if the tests run as nobody in particular.
  await db.pool.query(`grant pg_monitor to current_user`).catch(() => undefined)
  const asNew = await rowsIn('two', SESSION)
  expect(asNew).toEqual([expect.objectContaining({ session_user: login, tenant: '', locks: '0' })])
  for (const change of CHANGES) {
    const changed = await inHandler('one', async (tx) => {
      await tx.query(change)
      if (end === 'throws') throw new Error('as it was told')
    })
    expect.soft(changed, change).toBeDefined()
    expect.soft(await rowsIn('two', SESSION), change).toEqual(asNew)
  }
})

test('a statement that a handler names is not the one of another app by that name, nor in the way of the bus’s own', async () => {
  const { rowsIn } = await setUp()
  expect(await rowsIn('one', { name: 'ask', text: 'select 1 as one' })).toEqual([{ one: 1 }])
  expect(await rowsIn('two', { name: 'ask', text: 'select 2 as two' })).toEqual([{ two: 2 }])
  // The handler itself is in the way of its own completion; the next one is not.
  await rowsIn('one', 'deallocate all; prepare "outbus.finish" as select 1')
  expect(await rowsIn('two', 'select 3 as three')).toEqual([{ three: 3 }])
})

test('parsers, listeners and members that a handler gives its client are not those of the next one', async () => {
  const { inHandler } = await setUp()
  const heard: unknown[] = []
  const changes: Record<string, (tx: pg.ClientBase) => unknown> = {
    parsers: (tx) => tx.setTypeParser(23, () => 'changed'),
    listeners: (tx) => tx.on('notice', (notice) => heard.push(notice)),
    binary: (tx) => Object.assign(tx, { binary: true }),
    connection: (tx) => ((tx as unknown as { connection: { secret?: string } }).connection.secret = 'shop'),
    'a query of its own class': (tx) => tx.query(queryThatKeeps()),
  }
  for (const [name, change] of Object.entries(changes)) {
    await inHandler('one', async (tx) => {
      change(tx)
    })
    let found: unknown
    await inHandler('two', async (tx) => {
      const { rows } = await tx.query(`select 1 as one, array[1]::text as many`)
      await tx.query(`do $$ begin raise notice 'of app two'; end $$`)
      found = [rows, (tx as unknown as { connection: { secret?: string } }).connection.secret, heard]
    })
    expect.soft(found, name).toEqual([[{ one: 1, many: '{1}' }], undefined, []])
  }
})

test('a handler that sends nothing of its own, or only asks, leaves the connection to the next one', async () => {
  const { bus, inHandler } = await setUp()
  const sessions: unknown[] = []
  const ask: Work = async (tx) => sessions.push((tx as unknown as { processID: unknown }).processID)
  await inHandler('one', ask)
  await inHandler('two', async (tx) => {
    await tx.query('select 1')
    await bus.context({ app: 'two' }).with(tx).kv.set('out', 'k', 1)
    return ask(tx)
  })
  await inHandler('one', ask)
  expect(new Set(sessions).size).toBe(1)
  expect(sessions).toHaveLength(3)
})
