/**
 * Every listing: with whatever limit it is paged, each item comes once, in one order; a cursor that is not its own is
 * refused with one code, before it reaches the database.
 */
import { randomUUID } from 'node:crypto'
import { createBus, isOutbusError } from '@outbus/core'
import type { Page } from '@outbus/core'
import { assertName } from '@outbus/core/plugin'
import type { PageOptions } from '@outbus/core/plugin'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import fc from 'fast-check'
import pino from 'pino'
import { afterAll, expect, test } from 'vitest'

const plugins = [kv(), docs(), schedule()]
const db = await useTestDatabase({ plugins })
const bus = await createBus({ database: db.pool, plugins, migrate: true, log: pino({ level: 'silent' }) })
afterAll(() => bus.stop({ graceMs: 0 }))
await db.pool.query(`select outbus.add_attempts_partition(current_date)`)

type Cx = ReturnType<typeof bus.context>

interface Listing {
  /** Makes an item for each name. */
  readonly fill: (cx: Cx, names: readonly string[]) => Promise<unknown>
  readonly list: (cx: Cx, page: PageOptions) => Promise<Page<object>>
  /** What an item is known by, and what became of the name. Default: it has an id or a name, which is the name. */
  readonly idOf?: (item: never) => string
}

const target = { type: 'function', name: 'f' }
const nobody = `$1, 1, 'kv', gen_random_uuid()`

const LISTINGS: Readonly<Record<string, Listing>> = {
  'kv.list': {
    fill: (cx, names) => cx.kv.setMany(names.map((key) => ({ collection: 'c', key, value: 1 }))),
    list: (cx, page) => cx.kv.list('c', page),
    idOf: ({ key }: { key: string }) => key,
  },
  'docs.find': {
    fill: (cx, names) => Promise.all(names.map((id) => cx.docs.insert('c', { a: 1 }, { id }))),
    list: (cx, page) => cx.docs.find('c', page),
  },
  'schedule.list': {
    fill: (cx, names) => Promise.all(names.map((name) => cx.schedule.set(name, { recurrence: '0 0 1 1 *' }))),
    list: (cx, page) => cx.schedule.list(page),
  },
  'triggers.list': {
    fill: (cx, names) =>
      Promise.all(names.map((name) => cx.triggers.create({ name, source: 'kv', filter: {}, target }))),
    list: (cx, page) => cx.triggers.list(page),
  },
  'principals.list': {
    // By SQL, since ids of before the rule for them are listed as well.
    fill: (cx, names) =>
      db.pool.query('insert into outbus.principals (app_id, id) select $1, unnest($2::text[])', [cx.app, names]),
    list: (cx, page) => cx.principals.list(page),
  },
  'deadLetters.list': {
    fill: (cx, names) =>
      db.pool.query(
        `insert into outbus.dead_letters (app_id, delivery_id, source, trigger_id, trigger_name, event_id, event,
          event_version, trigger, priority, depth, root_id, attempts, failure_kind, reason, errors, emitted_at)
        select ${nobody}, name, gen_random_uuid(), '{}', 1, '{"id":"1","name":"n","target":{"type":"f"},"retry":{}}', 0, 1,
          gen_random_uuid(), 1, 'timeout', 'r', '[]', now() from unnest($2::text[]) as name`,
        [cx.app, names],
      ),
    list: (cx, page) => cx.deadLetters.list({}, page),
    idOf: ({ trigger }: { trigger: { name: string } }) => trigger.name,
  },
  'history.list': {
    fill: (cx, names) =>
      db.pool.query(
        `insert into outbus.attempts (app_id, delivery_id, source, trigger_id, trigger_name, event_id, attempt, ended_at, outcome)
        select ${nobody}, name, gen_random_uuid(), 1, current_date, 'done' from unnest($2::text[]) as name`,
        [cx.app, names],
      ),
    list: (cx, page) => cx.history.list({}, page),
    idOf: ({ trigger }: { trigger: { name: string } }) => trigger.name,
  },
  'audit.list': {
    fill: (cx, names) =>
      db.pool.query(
        `insert into outbus.audit (app_id, action, operation, resource) select $1, 'x', 'x', unnest($2::text[])`,
        [cx.app, names],
      ),
    list: (cx, page) => cx.audit.list(page),
    idOf: ({ resource }: { resource: string }) => resource,
  },
  'deliveries.list': {
    fill: (cx, names) =>
      db.pool.query(
        `insert into outbus.outbox (app_id, priority, due_at, event_id, event, event_version, trigger_id, trigger, depth, root_id)
        select $1, 1, now(), gen_random_uuid(), '{}', 1, gen_random_uuid(),
          json_build_object('app', $1::text, 'id', gen_random_uuid(), 'name', name, 'source', 'kv'), 1, gen_random_uuid()
        from unnest($2::text[]) as name`,
        [cx.app, names],
      ),
    list: (cx, page) => cx.deliveries.list(page),
    idOf: ({ trigger }: { trigger: { name: string } }) => trigger.name,
  },
  'requests.abandoned': {
    fill: (cx, names) =>
      db.pool.query(
        `insert into outbus.abandoned_executions (app_id, delivery_id, source, trigger_id, trigger_name, request_id, reply,
          emitted_at, replied_at) select ${nobody}, name, gen_random_uuid(), '{}', now(), now() from unnest($2::text[]) as name`,
        [cx.app, names],
      ),
    list: (cx, page) => cx.requests.abandoned(page),
    idOf: ({ trigger }: { trigger: { name: string } }) => trigger.name,
  },
}

/** A new app for each, so that nothing has to be removed. */
const someApp = () => bus.context({ app: randomUUID() })
const idOf = ({ id, name }: { id?: string; name?: string }) => name ?? id

const isName = (text: string) => {
  try {
    assertName(text, { what: 'a name' })
    return true
  } catch {
    // Then it is none that a trigger could have.
    return false
  }
}
const names = fc.uniqueArray(
  fc.oneof(
    fc.constantFrom('a', 'A', 'aa', 'ä', 'a\u0308', 'é', 'z', '🎉', '_', '%', '10', '9', '-1', 'ａ', "'", '"', '\\'),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(isName),
  ),
  { maxLength: 12 },
)

test.for(Object.entries(LISTINGS))('%s gives each item once, in one order, whatever the limit', async ([, listing]) => {
  const known = (listing.idOf ?? idOf) as (item: object) => string
  await fc.assert(
    fc.asyncProperty(names, fc.integer({ min: 1, max: 13 }), async (made, limit) => {
      const cx = someApp()
      if (made.length > 0) await listing.fill(cx, made)
      const whole = await listing.list(cx, { limit: 1e9 })
      expect(whole.items.map(known).toSorted()).toEqual(made.toSorted())
      expect(whole.nextCursor).toBeUndefined()
      const paged: object[] = []
      let page = await listing.list(cx, { limit })
      for (; page.nextCursor !== undefined; page = await listing.list(cx, { limit, cursor: page.nextCursor })) {
        expect(page.items).toHaveLength(limit)
        paged.push(...page.items)
      }
      expect([...paged, ...page.items]).toEqual(whole.items)
    }),
    { numRuns: 15 },
  )
})

test('kv.list and docs.find go by code point, whatever the language of the database', async () => {
  const made = ['b', 'B', 'a', 'ä', 'Z', 'z', '🎉', '\uff41', '10', '9']
  const cx = someApp()
  for (const name of ['kv.list', 'docs.find'] as const) {
    const { fill, list, idOf: known = idOf } = LISTINGS[name] as Listing
    await fill(cx, made)
    const { items } = await list(cx, {})
    const byCodePoint = made.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(items.map(known as never)).toEqual(byCodePoint)
  }
})

const codeOf = (error: unknown) => (isOutbusError(error) ? `${error.code} at ${error.path}` : error)

test.for(Object.entries(LISTINGS))(
  '%s refuses a cursor of any other listing, of another app, cut, lengthened or made up, and the transaction goes on',
  async ([name, listing]) => {
    const [cx, other] = [someApp(), someApp()]
    const foreign: [what: string, cursor: unknown][] = []
    for (const [from, { fill, list }] of Object.entries(LISTINGS)) {
      await fill(cx, ['a', 'b', 'c'])
      const cursor = (await list(cx, { limit: 1 })).nextCursor as string
      if (from !== name) foreign.push([`of ${from}`, cursor])
      else foreign.push(['cut', cursor.slice(0, -1)], ['lengthened', `${cursor}A`], ['with a blank', ` ${cursor}`])
    }
    await listing.fill(other, ['a', 'b'])
    foreign.push(['of another app', (await listing.list(other, { limit: 1 })).nextCursor])
    for (const made of ['', 'x', '!', 'W10', 'WyJhIl0', 'null', '0', 1, {}]) foreign.push(['made up', made])
    const tx = await db.pool.connect()
    await tx.query('begin')
    try {
      for (const [what, cursor] of foreign)
        expect([what, await listing.list(cx.with(tx), { cursor: cursor as string }).catch(codeOf)]).toEqual([
          what,
          'page.cursor at cursor',
        ])
      expect((await tx.query('commit')).command).toBe('COMMIT')
    } finally {
      tx.release()
    }
  },
)
