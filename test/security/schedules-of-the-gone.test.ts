/** Exploit: what a principal scheduled goes on happening in its name after it was removed, disabled, or shut out (G11). */
import { createBus, ownerAndAdmin } from '@outbus/core'
import type { Authorizer, PrincipalResolver } from '@outbus/core'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from '../integration/workers/outcomes.ts'

const RECURRENCE = '0 3 1 1 *'

type TestDatabase = Awaited<ReturnType<typeof useTestDatabase>>

async function setUp(options: { authorizer?: Authorizer; principals?: PrincipalResolver } = {}, given?: TestDatabase) {
  const db = given ?? (await useTestDatabase({ plugins: [schedule()] }))
  const logged: string[] = []
  const bus = await createBus({
    database: db.url,
    plugins: [schedule({ syncMs: 100 })],
    app: 'shop',
    migrate: true,
    log: pino({ level: 'error' }, { write: (line: string) => void logged.push(line) }),
    ...options,
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const fired: string[] = []
  for (const app of ['shop', 'bank'])
    await bus.on(
      'all',
      'schedule',
      {},
      ({ event, cx }) => {
        fired.push(`${app} ${event.schedule} for ${cx.caller?.id ?? 'the service'}`)
      },
      { app },
    )
  /** As pg-boss does once it is time, for all schedules at once. */
  const fire = async () => {
    fired.length = 0
    await db.pool.query(`insert into outbus_boss.job (name, data)
      select 'outbus_schedules', json_build_object('id', id) from outbus.schedules order by name`)
  }
  const firedNow = async () => {
    await fire()
    await untilDatabaseSays(db.pool, `select count(*) = 0 from outbus_boss.job where state < 'completed'`, true)
    await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
    return fired.toSorted()
  }
  const service = bus.context()
  return { db, bus, service, of: (id: string) => bus.context({ principal: { id } }), fired, fire, firedNow, logged }
}

test('whoever was removed, is disabled, or was shut out has nothing fired any more, until it may again', async () => {
  let closed = false
  const authorizer: Authorizer = {
    allows: (request) => {
      if (closed && request.principal?.id === 'shut' && request.action === 'schedule.set') return false
      return ownerAndAdmin.allows(request)
    },
  }
  const { db, bus, service, of, firedNow, logged } = await setUp({ authorizer })
  for (const id of ['off', 'removed', 'shut']) {
    await service.principals.put(id)
    await of(id).schedule.set(`of-${id}`, { recurrence: RECURRENCE })
  }
  await of('new').schedule.set('of-new', { recurrence: RECURRENCE })
  await service.schedule.set('plain', { recurrence: RECURRENCE })
  await bus.start()
  const still = ['shop of-new for new', 'shop plain for the service']
  const all = [...still, ...['off', 'removed', 'shut'].map((id) => `shop of-${id} for ${id}`)].toSorted()
  await service.principals.put('off', { disabled: true })
  await service.principals.remove('removed')
  closed = true
  expect(await firedNow()).toEqual(still)
  const problems = [
    ['of-off', 'principal "off" is disabled'],
    ['of-removed', 'principal "removed" was removed'],
    ['of-shut', 'principal "shut" may not do this: schedule.set'],
  ] as const
  for (const [name, problem] of problems)
    expect(await service.schedule.get(name)).toMatchObject({ enabled: true, problem: expect.stringContaining(problem) })
  const reasons = problems.map(([, problem]) => expect.stringContaining(problem) as string)
  const aside = (await service.setAside.list({ kind: 'schedule' })).items.map(({ reason }) => reason)
  expect(aside.toSorted()).toEqual(reasons)
  expect(logged.map((line) => (JSON.parse(line) as { reason: string }).reason).toSorted()).toEqual(reasons)
  // As after a restore: pg-boss is told of all of them again.
  await db.pool.query(`delete from outbus_boss.schedule where name = 'outbus_schedules'`)
  await untilDatabaseSays(
    db.pool,
    `select count(*)::integer from outbus_boss.schedule where name = 'outbus_schedules'`,
    5,
  )
  await service.principals.put('off', { disabled: false })
  await service.principals.put('removed')
  closed = false
  expect(await firedNow()).toEqual(all)
  expect((await service.schedule.list()).items.filter(({ problem }) => problem !== undefined)).toEqual([])
  expect((await service.setAside.list()).items).toEqual([])
})

test('a resolver that never answers about principals of one app keeps the schedules of no other app', async () => {
  const hanging: PrincipalResolver = {
    resolve: ({ principals }) =>
      principals.some(({ app }) => app === 'shop')
        ? new Promise(() => undefined)
        : Promise.resolve(principals.map(({ id }) => ({ id, roles: [], disabled: false }))),
  }
  const { db, bus: before, of } = await setUp()
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await of(id).schedule.set(id, { recurrence: RECURRENCE })
  await before.context({ app: 'bank', principal: { id: 'u' } }).schedule.set('zz', { recurrence: RECURRENCE })
  const { bus, fire, fired } = await setUp({ principals: hanging }, db)
  await bus.start()
  await fire()
  await expect.poll(() => fired, { timeout: 8_000 }).toEqual(['bank zz for u'])
})
