/** Under roles and row security, what a login can write of a caller: who called for its own app, once, when it emits (G15, G20). */
import { createBus, enableRowSecurity } from '@outbus/core'
import { kv } from '@outbus/kv'
import { TEST_ROLES } from '@outbus/test-kit'
import { useTestClient } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { migratedWithRoles } from '../integration/migrated-with-roles.ts'
import { untilDatabaseSays } from '../integration/workers/outcomes.ts'

const log = pino({ level: 'silent' })
const DENIED = /permission denied/

test('an emitter names the caller of what it emits, and changes it of nothing that is there', async () => {
  const { db, as } = await migratedWithRoles()
  await enableRowSecurity(as('outbus_migrator'), { allApps: [TEST_ROLES.dispatcher, TEST_ROLES.reader] })
  await db.pool.query(`insert into outbus.role_apps values ('outbus_emitting', 'shop')`)
  const emitting = await createBus({ database: as('outbus_emitting'), plugins: [kv()], log })
  const dispatching = await createBus({ database: as('outbus_dispatching'), plugins: [kv()], log })
  for (const bus of [emitting, dispatching]) onTestFinished(() => bus.stop({ graceMs: 0 }))
  emitting.handle('work', () => undefined, { triggerableBy: 'everyone' })
  const mallory = emitting.context({ app: 'shop', principal: { id: 'mallory' } })
  await mallory.triggers.create({
    name: 'work',
    source: 'kv',
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'work' },
    retry: { maxAttempts: 1 },
  })
  const died = Promise.withResolvers<void>()
  const seen: unknown[] = []
  const work: Parameters<typeof dispatching.handle>[1] = ({ cx, event }) => {
    seen.push(cx.caller)
    if ((event as { key: string }).key === 'dies') throw new Error('no')
    died.resolve()
  }
  dispatching.handle('work', work, { triggerableBy: 'everyone' })
  await mallory.kv.set('jobs', 'waits', 1, { delayMs: 3_600_000 })
  await mallory.kv.set('jobs', 'dies', 1)
  await mallory.kv.set('jobs', 'done', 1)
  await dispatching.start()
  await died.promise
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.dead_letters', 1)
  expect((await mallory.deadLetters.list()).items).toHaveLength(1)
  expect(seen).toEqual([{ id: 'mallory' }, { id: 'mallory' }])

  const client = await useTestClient(as('outbus_emitting'))
  for (const change of [
    `update outbus.outbox set caller = 'root'`,
    `update outbus.outbox set caller = null`,
    `update outbus.dead_letters set caller = null`,
    `update outbus.attempts set caller = null`,
    `update outbus.replies set caller = null`,
    `update outbus.abandoned_executions set caller = null`,
  ])
    await expect(client.query(change)).rejects.toThrow(DENIED)
  const forged = (app: string) =>
    client.query(
      `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, caller)
      select priority, $1, event_id, event, event_version, trigger_id,
        json_build_object('app', $1::text, 'name', 'work', 'id', trigger_id), depth, root_id, 'root' from outbus.outbox`,
      [app],
    )
  await expect(forged('bank')).rejects.toThrow(/row-level security/)
  const { rows } = await db.pool.query('select distinct app_id, caller from outbus.outbox')
  expect(rows).toEqual([{ app_id: 'shop', caller: 'mallory' }])
})
