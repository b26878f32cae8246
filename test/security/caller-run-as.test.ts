/** Triggers that run as their caller: with its present rights, never with more than the registrant has, and closed where it is gone (G11). */
import { reply } from '@outbus/core'
import type { Principal } from '@outbus/core'
import { expect, test } from 'vitest'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from '../integration/workers/outcomes.ts'
import { Worker } from '../integration/workers/worker.ts'
import { FORBIDDEN, ONCE, setUpCallers, TWICE } from './callers.ts'

const FIVE_TIMES = { ...TWICE, maxAttempts: 5 }

async function withPeople(options: Parameters<typeof setUpCallers>[0] = {}) {
  const around = await setUpCallers(options)
  const { service } = around
  await service.principals.put('root', { roles: ['admin'] })
  for (const id of ['ada', 'bob', 'mallory']) await service.principals.put(id, { roles: [`role of ${id}`] })
  const input = (name: string, more: object = {}) => ({
    name,
    source: 'kv' as const,
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'work' },
    runAs: 'caller' as const,
    ...more,
  })
  return { ...around, input }
}

test.for<[how: string, more: object]>([
  ['claimed in a batch', {}],
  ['transactional', { transactional: true }],
  ['one at a time', { concurrency: 3 }],
  ['in order', { ordered: true }],
])('each of many deliveries runs as its own caller, with its present roles: %s', async ([, more]) => {
  const { bus, of, service, outcomes } = await withPeople()
  const seen = new Map<string, unknown>()
  await bus.on('work', 'kv', { collection: 'jobs' }, ({ cx, event }) => void seen.set(event.key, cx.principal), {
    runAs: 'caller',
    ...more,
  })
  const people = ['ada', 'bob', undefined, 'root'] as const
  const expected = new Map<string, unknown>()
  for (let i = 0; i < 16; i++) {
    const person = people[i % 4]
    await (person === undefined ? service : of(person)).kv.set('jobs', `k${i}`, i)
    const roles = person === 'root' ? ['admin'] : person === 'ada' ? ['another'] : [`role of ${person}`]
    expected.set(`k${i}`, person === undefined ? undefined : { id: person, roles })
  }
  await service.principals.put('ada', { roles: ['another'] })
  await bus.start()
  await outcomes.until((all) => all.length === 16)
  expect(seen).toEqual(expected)
})

test.for<[what: string, code: string]>([
  ['gone', 'principal_gone'],
  ['disabled', 'principal_disabled'],
  ['never known', 'principal_gone'],
  ['nobody that is said', 'caller_unknown'],
])('a caller that is %s runs nothing: one attempt, a dead letter, and a request is refused', async ([what, code]) => {
  const { bus, db, of, service, outcomes } = await withPeople()
  let ran = 0
  await bus.on('work', 'kv', { collection: 'jobs' }, () => void ran++, { runAs: 'caller', retry: FIVE_TIMES })
  await bus.on('answer', 'asks', { topic: 'a' }, () => reply(ran++), { runAs: 'caller' })
  await bus.on('bury', 'dead_letter', {}, () => void ran++, { runAs: 'caller' })
  const caller = what === 'never known' ? 'stranger' : 'ada'
  await of(caller).kv.set('jobs', 'a', 1)
  if (what === 'nobody that is said') await db.pool.query('update outbus.outbox set caller = default')
  if (what === 'gone') await service.principals.remove('ada')
  if (what === 'disabled') await service.principals.put('ada', { disabled: true })
  await bus.start()
  await outcomes.until((all) => all.length === 2)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  const { items } = await service.deadLetters.list({ resolution: 'any' })
  const errors = [{ code, kind: 'forbidden' }]
  expect(items).toMatchObject([{ attempts: 1, failureKind: 'forbidden', reason: 'not_retryable', errors }])
  // Its handler runs as the caller, too: it has not run, and nothing more comes of that.
  expect(items[0]?.resolution).toBe('handler_failed')
  const asks = () => of(caller).request('asks', { op: 'ask', topic: 'a' })
  // Nobody has revoked anything of whom nobody knows: it asks, and is refused where that would run.
  if (what === 'never known') expect(await asks()).toMatchObject({ failure: 'forbidden' })
  else if (what !== 'nobody that is said') await expect(asks()).rejects.toMatchObject(FORBIDDEN)
  expect(ran).toBe(0)

  // A replay asks again, and the one after the caller has come back runs.
  if (what === 'nobody that is said') return
  await service.deadLetters.replay(items[0]?.id as string, { force: true })
  await outcomes.until((all) => all.filter(({ outcome }) => outcome.kind === 'handler_failed').length === 2)
  expect(ran).toBe(0)
  await service.principals.put(caller, { disabled: false })
  const [last] = (await service.deadLetters.list({ resolution: 'any' })).items
  await service.deadLetters.replay(last?.id as string, { force: true })
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'done'))
  expect(ran).toBe(1)
})

test('rights that a caller loses after the emit are lost for what waits', async () => {
  const { bus, of, service } = await withPeople()
  const ended = Promise.withResolvers<unknown>()
  await bus.on(
    'work',
    'kv',
    { collection: 'jobs' },
    ({ cx }) =>
      ended.resolve(
        cx.principals.put('new').then(
          () => 'done',
          (error: unknown) => error,
        ),
      ),
    { runAs: 'caller', retry: ONCE },
  )
  await of('root').kv.set('jobs', 'a', 1)
  await service.principals.put('root', { roles: [] })
  await bus.start()
  expect(await ended.promise).toMatchObject(FORBIDDEN)
})

test('it runs with no more rights than its registrant has, and not at all where that one is gone', async () => {
  const { bus, of, service, input, outcomes } = await withPeople()
  // Who registers it is an admin at that time.
  await service.principals.put('ada', { roles: ['admin'] })
  await of('ada').triggers.create(input('work', { retry: ONCE }))
  await service.principals.put('ada', { roles: [] })
  const seen: [principal: Principal | undefined, outcome: unknown][] = []
  const work: Parameters<typeof bus.handle>[1] = async ({ cx }) => {
    const outcome = await cx.principals.put('new').then(
      () => 'done',
      (error: { code: string }) => error.code,
    )
    seen.push([cx.principal, outcome])
  }
  bus.handle('work', work, { triggerableBy: 'everyone' })
  await bus.start()
  await of('root').kv.set('jobs', 'a', 1)
  await outcomes.until((all) => all.length === 1)
  // What the service emitted does not run as the service.
  await service.kv.set('jobs', 'b', 1)
  await outcomes.until((all) => all.length === 2)
  await service.principals.put('ada', { roles: ['admin'] })
  await of('root').kv.set('jobs', 'c', 1)
  await outcomes.until((all) => all.length === 3)
  await of('mallory').kv.set('jobs', 'd', 1)
  await outcomes.until((all) => all.length === 4)
  expect(seen).toEqual([
    [{ id: 'root', roles: ['admin'] }, 'access.forbidden'],
    [{ id: 'ada', roles: [] }, 'access.forbidden'],
    [{ id: 'root', roles: ['admin'] }, 'done'],
    [{ id: 'mallory', roles: ['role of mallory'] }, 'access.forbidden'],
  ])
  await service.principals.remove('ada')
  await of('root').kv.set('jobs', 'e', 1)
  await outcomes.until((all) => all.length === 5)
  expect(seen).toHaveLength(4)
  const { items } = await service.deadLetters.list()
  expect(items).toMatchObject([{ attempts: 1, failureKind: 'forbidden', errors: [{ code: 'principal_gone' }] }])
})

test('the service and admins say that a trigger runs as its caller, and change it; others neither', async () => {
  const { bus, of, service, input } = await withPeople()
  bus.handle('work', () => undefined, { triggerableBy: 'everyone' })
  await expect(of('mallory').triggers.create(input('of mallory'))).rejects.toMatchObject(FORBIDDEN)
  const { id } = await of('mallory').triggers.create(input('of mallory', { runAs: 'registrant' }))
  await expect(of('mallory').triggers.update(id, { runAs: 'caller' })).rejects.toMatchObject(FORBIDDEN)
  expect((await service.triggers.get(id)).runAs).toBe('registrant')
  // Once an admin has said so, it is not its owner's to point at something else.
  expect((await of('root').triggers.update(id, { runAs: 'caller' })).runAs).toBe('caller')
  await expect(of('mallory').triggers.update(id, { target: { type: 'function', name: 'evil' } })).rejects.toMatchObject(
    FORBIDDEN,
  )
  expect((await of('mallory').triggers.update(id, { runAs: 'registrant' })).runAs).toBe('registrant')

  expect((await of('root').triggers.create(input('of root'))).runAs).toBe('caller')
  const { runAs: _, ...unsaid } = input('default')
  expect((await service.triggers.create(unsaid)).runAs).toBe('registrant')
  await expect(service.triggers.create(input('bad', { runAs: 'emitter' }))).rejects.toMatchObject({
    code: 'trigger.invalid',
    path: 'runAs',
  })
  const declare = (more: object) => bus.on('declared', 'kv', {}, () => undefined, more)
  await declare({ runAs: 'caller' })
  expect((await service.triggers.getByName('declared'))?.runAs).toBe('caller')
  await declare({})
  expect((await service.triggers.getByName('declared'))?.runAs).toBe('registrant')
})

test('what such a handler emits is its caller’s, down the tree', async () => {
  const { bus, of } = await withPeople()
  const ended = Promise.withResolvers<unknown>()
  await bus.on('work', 'kv', { collection: 'jobs' }, ({ cx }) => cx.kv.set('next', 'k', 1).then(() => undefined), {
    runAs: 'caller',
  })
  await bus.on('next', 'kv', { collection: 'next' }, ({ cx }) => ended.resolve([cx.caller, cx.principal]), {
    runAs: 'caller',
  })
  await bus.start()
  await of('ada').kv.set('jobs', 'a', 1)
  expect(await ended.promise).toEqual([{ id: 'ada' }, { id: 'ada', roles: ['role of ada'] }])
})

test('a resolver of one’s own is asked for each principal of a batch once; where it rejects, nothing runs', async () => {
  const asked: string[][] = []
  let broken = false
  const { bus, of, outcomes } = await withPeople({
    principals: {
      async resolve({ principals }) {
        asked.push(principals.map(({ id }) => id))
        if (broken) throw new Error('the directory is away')
        return principals.map(({ id }) => ({ id, roles: ['admin'], disabled: false }))
      },
    },
  })
  let ran = 0
  await bus.on('work', 'kv', { collection: 'jobs' }, () => void ran++, {
    runAs: 'caller',
    principal: { id: 'registrant' },
    retry: TWICE,
  })
  for (let i = 0; i < 12; i++) await of(`u${i % 3}`).kv.set('jobs', `k${i}`, i)
  asked.length = 0
  await bus.start()
  await outcomes.until((all) => all.length === 12)
  for (const ids of asked) expect(ids.length).toBe(new Set(ids).size)
  expect(new Set(asked.flat())).toEqual(new Set(['registrant', 'u0', 'u1', 'u2']))
  broken = true
  await of('u0').kv.set('jobs', 'late', 1)
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'dead'))
  expect(ran).toBe(12)
})

test('after its process was killed it runs again as its caller; a row that says to run as somebody else does not', async () => {
  const { bus, db, of, service, input, outcomes } = await withPeople()
  await service.triggers.create(input('work', { retry: TWICE }))
  await of('ada').kv.set('jobs', 'killer', { ms: 0, kills: 1 })
  const worker = await Worker.start({ url: db.url })
  await worker.exited()
  const seen: unknown[] = []
  bus.handle('work', ({ cx, attempt }) => void seen.push([attempt, cx.principal?.id]))
  await of('ada').kv.set('jobs', 'newer', 1)
  // As a version that knows more than these two would write it.
  await db.pool
    .query(`update outbus.outbox set trigger = replace(trigger::text, '"runAs":"caller"', '"runAs":"owner"')::json
    where event ->> 'key' = 'newer'`)
  await bus.start()
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'done'))
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'dead'))
  expect(seen).toEqual([[2, 'ada']])
  const { items } = await service.deadLetters.list()
  expect(items).toMatchObject([{ failureKind: 'payload_invalid' }])
})
