/**
 * The caller of an event travels with every row of every source, and nothing that a sender writes can say who it is (G20). Each of
 * these failed before rows had a caller.
 */
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { httpListener } from '@outbus/http'
import { reply, withTransaction } from '@outbus/core'
import { definePlugin, defineTarget } from '@outbus/core/plugin'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from '../integration/workers/outcomes.ts'
import { Worker } from '../integration/workers/worker.ts'
import { ONCE, setUpCallers, TWICE } from './callers.ts'

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test('the principal of an HTTP request reaches its handler, and what headers and body say of it does not', async () => {
  const { bus } = await setUpCallers()
  const seen: unknown[] = []
  await bus.on('who', 'http', { path: '/who' }, ({ cx, caller }) => {
    seen.push([cx.caller, caller, cx.principal])
    return reply('ok')
  })
  const server = createServer(
    httpListener(bus, { context: () => ({ app: 'shop', principal: { id: 'mallory' } }) }),
  ).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  await bus.start()
  const { port } = server.address() as AddressInfo
  const claims = { caller: 'root', principal: { id: 'root' }, origin: 'root', cx: { caller: { id: 'root' } } }
  await fetch(`http://127.0.0.1:${port}/who?caller=root`, {
    method: 'POST',
    body: JSON.stringify(claims),
    headers: {
      'content-type': 'application/json',
      'x-caller': 'root',
      'outbus-caller': 'root',
      'outbus-causality': 'depth=1;chain=',
      traceparent: TRACE,
    },
  })
  expect(seen).toEqual([[{ id: 'mallory' }, { id: 'mallory' }, undefined]])
})

test('a target sees the caller of what it delivers, and acts for it', async () => {
  const seen = Promise.withResolvers<unknown>()
  const relay = definePlugin({
    name: 'relay',
    targets: [
      defineTarget({
        type: 'relay',
        config: z.strictObject({}),
        async run({ delivery }) {
          const cx = delivery.cx as ReturnType<typeof of>
          seen.resolve([delivery.caller, cx.caller, cx.as(cx.caller).principal])
        },
      }),
    ],
  })
  const { bus, of, service } = await setUpCallers({ more: [relay] })
  await service.triggers.create({ name: 'relay', source: 'kv', filter: {}, target: { type: 'relay' } })
  await bus.start()
  await of('mallory').kv.set('jobs', 'a', 1)
  expect(await seen.promise).toEqual([{ id: 'mallory' }, { id: 'mallory' }, { id: 'mallory' }])
})

test('no event, no option of an emit, no trace context and no option of a context names a caller', async () => {
  const { bus, of, outcomes } = await setUpCallers()
  type Cx = ReturnType<typeof of>
  let handled: Cx | undefined
  const seen: unknown[] = []
  await bus.on(
    'see',
    'kv',
    { collection: 'jobs' },
    ({ cx }) => {
      handled = cx
      seen.push(cx.caller)
    },
    { principal: { id: 'ada' } },
  )
  await bus.start()
  const cx = bus.context({ principal: { id: 'mallory' }, traceContext: `${TRACE.replace('00-', 'cc-')}-caller=root` })
  await cx.kv.set('jobs', 'a', { caller: 'root', principal: { id: 'root' } })
  await outcomes.until((all) => all.length === 1)
  expect(seen).toEqual([{ id: 'mallory' }])
  const refused = { name: 'OutbusError' }
  for (const claim of ['caller', 'origin', 'principal'] as const) {
    await expect(of('mallory').kv.set('jobs', 'a', 1, { [claim]: 'root' })).rejects.toMatchObject(refused)
    await expect(of('mallory').emit('asks', { op: 'ask', topic: 'a' }, { [claim]: 'root' })).rejects.toMatchObject(
      refused,
    )
  }
  const context = () => bus.context({ app: 'shop', caller: { id: 'root' } } as never)
  expect(context).toThrow(expect.objectContaining({ code: 'options.invalid', path: 'caller' }))
  for (const { caller, principal } of [of('mallory'), handled as Cx]) {
    const rename = (it: object | undefined) => Object.assign(it as object, { id: 'root' })
    expect(() => rename(caller)).toThrow(TypeError)
    expect(() => rename(principal)).toThrow(TypeError)
  }
})

test('each of many callers whose emits and writes share a statement is told apart', async () => {
  const { bus, of, service } = await setUpCallers()
  const seen = new Map<string, unknown>()
  const kinds = ['kv', 'kv ordered', 'plain', 'doc', 'message', 'deduped'] as const
  const all = Promise.withResolvers<void>()
  const people = ['ada', 'bob', 'eve', null] as const
  const note = (kind: string, key: unknown, caller: { id: string } | undefined) => {
    seen.set(`${kind} ${String(key)}`, caller?.id ?? null)
    if (seen.size === kinds.length * 40) all.resolve()
  }
  await bus.on('kv', 'kv', { collection: 'jobs' }, ({ cx, event }) => note('kv', event.key, cx.caller))
  await bus.on('ordered', 'kv', { collection: 'lines' }, ({ cx, event }) => note('kv ordered', event.key, cx.caller), {
    ordered: true,
  })
  await bus.on('plain', 'asks', { topic: 'plain' }, ({ cx, event }) => note('plain', event.value, cx.caller))
  await bus.on('deduped', 'asks', { topic: 'deduped' }, ({ cx, event }) => note('deduped', event.value, cx.caller))
  await bus.on('doc', 'docs', { collection: 'papers' }, ({ cx, event }) => note('doc', event.id, cx.caller))
  await bus.on('message', 'pubsub', { topic: 'a.*' }, ({ cx, event }) => note('message', event.topic, cx.caller))
  const expected = new Map<string, unknown>()
  const writes: Promise<unknown>[] = []
  for (let i = 0; i < 40; i++) {
    const person = people[i % people.length] as (typeof people)[number]
    const cx = person === null ? service : of(person)
    const expect = (kind: string, key: unknown) => expected.set(`${kind} ${String(key)}`, person)
    writes.push(
      cx.kv.set('jobs', `k${i}`, i),
      cx.kv.set('lines', `k${i}`, i),
      cx.emit('asks', { op: 'ask', topic: 'plain', value: i }),
      cx.emit('asks', { op: 'ask', topic: 'deduped', value: i }, { dedupeKey: `d${i}` }),
      cx.docs.insert('papers', { n: i }).then(({ id }) => expect('doc', id)),
      cx.pubsub.publish(`a.t${i}`, i),
    )
    expect('kv', `k${i}`)
    expect('kv ordered', `k${i}`)
    expect('plain', i)
    expect('deduped', i)
    expect('message', `a.t${i}`)
  }
  await Promise.all(writes)
  await bus.start()
  await all.promise
  expect(seen).toEqual(expected)
})

test.for<[how: string, more: object]>([
  ['claimed in a batch', {}],
  ['transactional', { transactional: true }],
  ['one at a time', { concurrency: 1 }],
  ['in order', { ordered: true }],
])('the caller goes down a deep tree, through retries and transactions: %s', async ([, more]) => {
  const { bus, db, of } = await setUpCallers()
  const seen: unknown[] = []
  const ended = Promise.withResolvers<void>()
  const options = { retry: TWICE, ...more }
  await bus.on(
    'down',
    'kv',
    { collection: 'levels' },
    async ({ cx, event, attempt }) => {
      if (attempt === 1) throw new Error('once more')
      seen.push([cx.depth, cx.caller, cx.principal])
      if (cx.depth === 7) ended.resolve()
      else await cx.kv.set('levels', `${event.key}+`, 1)
    },
    options,
  )
  await bus.start()
  await withTransaction(db.pool, async (tx) => {
    await of('mallory').with(tx).kv.set('levels', 'a', 1)
  })
  await ended.promise
  expect(seen).toEqual(Array.from({ length: 7 }, (_, i) => [i + 1, { id: 'mallory' }, undefined]))
})

test('what the service emitted is the service’s own down the tree, but for what a principal’s trigger emits of it', async () => {
  const { bus, service, of } = await setUpCallers()
  const seen = new Map<string, unknown>()
  const ended = Promise.withResolvers<void>()
  const step = (name: string, next: string | undefined, principal?: { id: string }) =>
    bus.on(
      name,
      'kv',
      { collection: name },
      async ({ cx, event }) => {
        seen.set(name, [cx.caller, cx.principal?.id])
        if (next === undefined) ended.resolve()
        else await cx.kv.set(next, event.key, 1)
      },
      { retry: ONCE, ...(principal === undefined ? {} : { principal }) },
    )
  await step('first', 'second')
  // As the service, it would make the service of whoever registers a trigger.
  await step('second', 'third', { id: 'mallory' })
  await step('third', undefined)
  expect(of('mallory').caller).toEqual({ id: 'mallory' })
  expect(service.caller).toBeUndefined()
  await bus.start()
  await service.kv.set('first', 'k', 1)
  await ended.promise
  expect(Object.fromEntries(seen)).toEqual({
    first: [undefined, undefined],
    second: [undefined, 'mallory'],
    third: [{ id: 'mallory' }, undefined],
  })
})

test('a dead letter, its handler, its replays and the history name the caller, whoever replays', async () => {
  const { bus, db, of, service, outcomes } = await setUpCallers()
  const buried: unknown[] = []
  const ran: unknown[] = []
  await bus.on(
    'work',
    'kv',
    { collection: 'jobs' },
    ({ cx }) => {
      ran.push(cx.caller)
      throw new Error('no')
    },
    { retry: TWICE },
  )
  await bus.on('bury', 'dead_letter', {}, ({ cx }) => void buried.push(cx.caller))
  await service.principals.put('root', { roles: ['admin'] })
  await bus.start()
  await of('mallory').kv.set('jobs', 'a', 1)
  await outcomes.until((all) => all.length === 3)
  const [letter] = (await service.deadLetters.list({ resolution: 'any' })).items
  expect(letter).toMatchObject({ caller: { id: 'mallory' }, resolution: 'handled' })
  await of('root').deadLetters.replay(letter?.id as string, { force: true })
  await outcomes.until((all) => all.length === 6)
  const [replayed] = (await service.deadLetters.list({ resolution: 'any' })).items
  expect(replayed).toMatchObject({ caller: { id: 'mallory' }, replayOf: letter?.id })
  await service.deadLetters.replay(replayed?.id as string, { force: true })
  await outcomes.until((all) => all.length === 9)
  expect(ran).toEqual(Array.from({ length: 6 }, () => ({ id: 'mallory' })))
  expect(buried).toEqual(Array.from({ length: 3 }, () => ({ id: 'mallory' })))
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.attempts', 9)
  const { items } = await service.history.list()
  expect(items.map(({ caller }) => caller)).toEqual(Array.from({ length: 9 }, () => ({ id: 'mallory' })))
})

test('what waits is listed with its caller; cancelled, it is a letter and an attempt of that caller', async () => {
  const { bus, db, of, service } = await setUpCallers()
  const { id } = await service.triggers.create({
    name: 'later',
    source: 'kv',
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'later' },
  })
  await of('mallory').kv.set('jobs', 'a', 1)
  await service.kv.set('jobs', 'b', 1)
  const { items } = await service.deliveries.list()
  expect(items.map(({ caller }) => caller)).toEqual([{ id: 'mallory' }, undefined])
  expect((await service.deliveries.get(items[0]?.id as string)).caller).toEqual({ id: 'mallory' })
  await service.triggers.pause(id)
  await service.deliveries.cancelAll({ all: true })
  await bus.start()
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  const letters = (await service.deadLetters.list()).items
  expect(letters.map(({ caller }) => caller)).toEqual([undefined, { id: 'mallory' }])
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.attempts', 2)
  const attempts = (await service.history.list()).items
  expect(new Set(attempts.map(({ caller }) => caller?.id))).toEqual(new Set(['mallory', undefined]))
})

test('a request that is asked, submitted or abandoned names its caller', async () => {
  const { bus, db, of, service } = await setUpCallers()
  const release = Promise.withResolvers<void>()
  await bus.on('who', 'asks', { topic: 'who' }, async ({ cx, event }) => {
    if (event.value === 'wait') await release.promise
    return reply(cx.caller?.id ?? 'the service')
  })
  await bus.start()
  const ask = (value: string) => ({ op: 'ask', topic: 'who', value }) as const
  expect(await of('mallory').request('asks', ask('now'))).toMatchObject({ value: 'mallory' })
  expect(await service.request('asks', ask('now'))).toMatchObject({ value: 'the service' })
  const submitted = await of('mallory').submit('asks', ask('now'))
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(await service.requests.get(submitted?.requestId as string)).toMatchObject({ reply: { value: 'mallory' } })
  const left = await of('mallory').request('asks', ask('wait'), { timeoutMs: 1 })
  expect(left).toMatchObject({ ok: false, failure: 'timeout' })
  release.resolve()
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.abandoned_executions', 1)
  const [abandoned] = (await service.requests.abandoned()).items
  expect(abandoned?.caller).toEqual({ id: 'mallory' })
})

test('a schedule fires for whoever set it last, or the service', async () => {
  const { bus, db, of, service } = await setUpCallers()
  const seen = new Map<string, unknown>()
  const all = Promise.withResolvers<void>()
  await bus.on('tick', 'schedule', {}, ({ cx, event }) => {
    seen.set(event.schedule, cx.caller)
    if (seen.size === 5) all.resolve()
  })
  const recurrence = '* * * * *'
  await of('mallory').schedule.set('of mallory', { recurrence })
  await service.schedule.set('of the service', { recurrence })
  await service.schedule.set('changed', { recurrence })
  // Whoever changes what is the service's is an administrator.
  await service.principals.put('mallory', { roles: ['admin'] })
  await of('mallory').schedule.set('changed', { recurrence })
  await service.schedule.set('changed by an older process', { recurrence })
  await db.pool.query(`update outbus.schedules set data = '1', revision = revision + 1 where name like '%older%';
    insert into outbus.schedules (id, app_id, name, recurrence, timezone, missed, data, enabled)
    values (gen_random_uuid(), 'shop', 'before', '* * * * *', 'UTC', 'skip', 'null', true)`)
  await bus.start()
  await all.promise
  expect(Object.fromEntries(seen)).toEqual({
    'of mallory': { id: 'mallory' },
    'of the service': undefined,
    changed: { id: 'mallory' },
    before: { id: '' },
    'changed by an older process': { id: '' },
  })
})

test('a row whose process was killed runs again for the same caller', async () => {
  const { bus, db, of, service } = await setUpCallers()
  await service.triggers.create({
    name: 'work',
    source: 'kv',
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'work' },
    retry: TWICE,
  })
  await of('mallory').kv.set('jobs', 'killer', { ms: 0, kills: 1 })
  const worker = await Worker.start({ url: db.url })
  await worker.exited()
  const seen = Promise.withResolvers<unknown>()
  bus.handle('work', ({ cx, attempt }) => seen.resolve([attempt, cx.caller]))
  await bus.start()
  expect(await seen.promise).toEqual([2, { id: 'mallory' }])
})

test('a row that says nothing of its caller is nobody’s, and not the service’s; what it leads to is so too', async () => {
  const { bus, db, service } = await setUpCallers()
  const seen: unknown[] = []
  const ended = Promise.withResolvers<void>()
  await bus.on('work', 'kv', { collection: 'jobs' }, async ({ cx }) => {
    seen.push(cx.caller)
    await cx.kv.set('next', 'k', 1)
  })
  await bus.on('next', 'kv', { collection: 'next' }, ({ cx }) => {
    seen.push(cx.caller)
    ended.resolve()
  })
  await service.kv.set('jobs', 'a', 1)
  // As an older process writes it.
  await db.pool
    .query(`insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id)
    select priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id from outbus.outbox;
    delete from outbus.outbox where caller is null`)
  await bus.start()
  await ended.promise
  expect(seen).toEqual([{ id: '' }, { id: '' }])
})
