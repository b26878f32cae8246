/**
 * The ids of a trigger and of a request are no secret: they travel in `outbus-causality` to whoever is called over HTTP. Under row
 * security a login that knows another app's writes no row under it. Such a row would stand in ordered lines, count for limits, or
 * answer a request (G15, G19).
 */
import { expect, test } from 'vitest'
import { setUpTwoApps } from './two-apps.ts'

const DENIED = { code: '42501' }

async function setUp() {
  const all = await setUpTwoApps()
  const { items } = await all.bank.triggers.list()
  const idOf = (name: string) => items.find((trigger) => trigger.name === name)?.id as string
  /** As an emit of `shop` writes it, but under a trigger of `bank`. */
  const forge = (trigger: string, columns: { readonly ordering_key?: string; readonly single?: number }) =>
    all.emitting.query(
      `insert into outbus.outbox (priority, due_at, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, ordering_key, single)
      values (1, now() + interval '1 year', 'shop', gen_random_uuid(), '{}', 1, $1, '{"app":"shop"}', 1, gen_random_uuid(), $2, $3)`,
      [idOf(trigger), columns.ordering_key ?? null, columns.single ?? 0],
    )
  return { ...all, idOf, forge }
}

test('an ordered line of another app is not held up by a row in front of it', async () => {
  const { bank, dispatching, forge, ran, outcomes } = await setUp()
  const forged = await forge('ordered', { ordering_key: `ordered${String.fromCodePoint(31)}k` }).then(
    () => 'written',
    ({ code }: { code: string }) => code,
  )
  await bank.kv.set('ordered', 'k', 1)
  await dispatching.start()
  await outcomes.until((seen) => seen.length > 0)
  expect(ran).toEqual(['bank work k'])
  expect(forged).toBe(DENIED.code)
})

test('no row counts for the limit of another app’s trigger, and none is set for it', async () => {
  const { emitting, idOf, forge, bank } = await setUp()
  await expect(forge('limited', { single: 1 })).rejects.toMatchObject(DENIED)
  await expect(
    emitting.query(`insert into outbus.trigger_limits (trigger_id, app_id, concurrency) values ($1, 'shop', 1)`, [
      idOf('working'),
    ]),
  ).rejects.toMatchObject(DENIED)
  expect(await bank.triggers.update(idOf('working'), { concurrency: 2 })).toMatchObject({ concurrency: 2 })
})

test('a request of another app is answered by that app alone, and is not given up for it', async () => {
  const { bank, dispatching, emitting, idOf, ran } = await setUp()
  const submitted = await bank.submit('kv', { op: 'set', collection: 'questions', key: 'k', value: 1, version: 1 })
  const id = submitted?.requestId as string
  const forged = await emitting
    .query(
      `insert into outbus.outbox (priority, due_at, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, reply_to)
      values (1, now() - interval '1 minute', 'shop', $1, '{}', 1, gen_random_uuid(), '{"app":"shop"}', 1, $1, 'inbox')`,
      [id],
    )
    .then(
      () => 'written',
      ({ code }: { code: string }) => code,
    )
  await expect(
    emitting.query(
      `insert into outbus.abandoned_executions (request_id, app_id, delivery_id, source, trigger_id, trigger_name, reply, emitted_at, replied_at)
      values ($1, 'shop', 1, 'kv', $2, 't', '{}', now(), now())`,
      [id, idOf('working')],
    ),
  ).rejects.toMatchObject(DENIED)
  await dispatching.start()
  await expect.poll(async () => (await bank.requests.get(id))?.state).toBe('replied')
  expect([forged, ran]).toEqual([DENIED.code, []])
})

test('under a trigger of its own, and under one that is gone, an app writes as before', async () => {
  const { db, shop, forge, emitting } = await setUp()
  const { items } = await shop.triggers.list()
  const id = items.find(({ name }) => name === 'working')?.id as string
  await db.pool.query(`delete from outbus.triggers where app_id = 'bank' and name = 'working'`)
  for (const trigger of [id, '00000000-0000-4000-8000-000000000001'])
    await emitting.query(
      `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id)
      values (1, 'shop', gen_random_uuid(), '{}', 1, $1, '{"app":"shop"}', 1, gen_random_uuid())`,
      [trigger],
    )
  await expect(forge('failing', {})).rejects.toMatchObject(DENIED)
})
