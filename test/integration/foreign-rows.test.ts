/** Rows that no emit of a bus has written, as whoever may insert into the outbox can: they end, and hold up nobody. */
import { expect, test } from 'vitest'
import { setUpBus } from './one-bus.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'

const COLUMNS = [
  'priority',
  'app_id',
  'event_id',
  'event',
  'event_version',
  'trigger_id',
  'trigger',
  'depth',
  'root_id',
  'chain',
]
const of = (snapshot: object) => `'${JSON.stringify(snapshot)}'::json`
const LETTER = {
  app: 'shop',
  id: '01a21526-6258-74f5-b366-8bc3fe14e2a9',
  name: 'n',
  source: 'dead_letter',
  target: { type: 'function', name: 'work' },
}

test.for<[what: string, columns: Record<string, string>]>([
  ['a trigger without a target', { trigger: of({ app: 'shop' }) }],
  ['a trigger whose target is null', { trigger: of({ ...LETTER, source: 'kv', target: null }) }],
  ['a trigger of odd types', { trigger: of({ app: 'shop', id: 5, name: {}, source: [], target: 7, timeoutMs: 'a' }) }],
  ['a trigger that is no object', { trigger: `'7'::json` }],
  ['an id that is none', { trigger: of({ ...LETTER, source: 'kv', id: 5 }) }],
  ['a dead letter that is none', { trigger: of(LETTER), event: of({ id: 'zzz' }) }],
  ['a dead letter without an event', { trigger: of(LETTER), event: `'null'::json` }],
  ['a chain that is none', { chain: `'5'::json` }],
  ['an event that is null', { event: `'null'::json` }],
])('%s', async ([, columns]) => {
  const { db, bus, cx, trigger } = await setUpBus({ lanes: 1 })
  await trigger('work')
  const ran: string[] = []
  bus.handle('work', ({ deliveryId }) => {
    ran.push(deliveryId)
  })
  await cx.kv.set('jobs', 'before', 1)
  await db.pool.query(
    `insert into outbus.outbox (${COLUMNS.join(', ')}) select ${COLUMNS.map((column) => columns[column] ?? column).join(', ')} from outbus.outbox`,
  )
  await cx.kv.set('jobs', 'after', 1)
  await bus.start()
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(ran).toEqual(expect.arrayContaining(['1', '3']))
  const { items } = await cx.deadLetters.list()
  for (const { id } of items) expect(await cx.deadLetters.get(id)).toMatchObject({ id, failureKind: 'payload_invalid' })
})
