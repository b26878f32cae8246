/** What the compiler refuses, so that a service hears of it before it runs. Compiled by `npm run typecheck`, never run. */
import { createBus } from '@outbus/core'
import type { Bus } from '@outbus/core'
import { definePlugin, defineSource, defineTarget } from '@outbus/core/plugin'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { z } from 'zod'

const topics = () =>
  definePlugin({
    name: 'topics',
    sources: [
      defineSource({
        name: 'topics',
        version: 1,
        events: { said: z.strictObject({ topic: z.string() }), left: z.strictObject({}) },
        filter: z.strictObject({ topic: z.string().optional() }),
        keys: ({ topic }) => [topic ?? ''],
        keysOf: (event) => (event.op === 'said' ? [event.topic, ''] : ['']),
        // @ts-expect-error -- `left` has no topic
        matches: ({ event, filter }) => event.topic === filter.topic,
        serialize: (event) => ({ op: event.op }),
        api: () => ({ say: (topic: string) => topic.length }),
      }),
    ],
  })

export async function both() {
  const bus = await createBus({ database: '', plugins: [kv(), topics()] })
  const cx = bus.context({ app: 'shop' })

  await cx.kv.set('c', 'k', 1)
  const length: number = cx.topics.say('t')
  // @ts-expect-error -- no such source
  void cx.docs
  // @ts-expect-error -- no such verb
  void cx.kv.put

  await cx.emit('topics', { op: 'said', topic: 't' })
  await cx.emit('topics', { op: 'left' })
  // @ts-expect-error -- no such source
  await cx.emit('docs', { op: 'said', topic: 't' })
  // @ts-expect-error -- `said` has a topic
  await cx.emit('topics', { op: 'said' })
  // @ts-expect-error -- no such op
  await cx.emit('topics', { op: 'sung', topic: 't' })
  // @ts-expect-error -- an op of another source
  await cx.emit('topics', { op: 'set', collection: 'c', key: 'k', value: 1, version: 1 })
  // @ts-expect-error -- no such option
  await cx.emit('topics', { op: 'left' }, { dedupKey: 'x' })

  const target = { type: 'function', name: 'f' }
  await cx.triggers.create({ name: 'a', source: 'kv', filter: { collection: 'c', ops: ['set'] }, target })
  // @ts-expect-error -- a filter of another source
  await cx.triggers.create({ name: 'a', source: 'topics', filter: { collection: 'c' }, target })
  // @ts-expect-error -- no such op
  await cx.triggers.create({ name: 'a', source: 'kv', filter: { ops: ['put'] }, target })
  // @ts-expect-error -- no such source
  await cx.triggers.create({ name: 'a', source: 'docs', filter: {}, target })
  // @ts-expect-error -- no such strategy
  await cx.triggers.create({ name: 'a', source: 'kv', filter: {}, target, retry: { strategy: 'sometimes' } })

  await bus.on('a', 'kv', { collection: 'c' }, ({ idempotencyKey, eventId, deliveryId }) => {
    const ids: string[] = [idempotencyKey, eventId, deliveryId]
    // @ts-expect-error -- not for a handler to change
    idempotencyKey.length = 1
    return void ids
  })
  bus.handle('traced', ({ traceContext }) => {
    const trace: string | undefined = traceContext
    // @ts-expect-error -- a context may have been given none
    const given: string = traceContext
    return void [trace, given]
  })
  const letterKey: string = (await cx.deadLetters.get('1')).idempotencyKey
  const attemptKey: string | undefined = (await cx.history.list()).items[0]?.idempotencyKey
  const pendingKey: string = (await cx.deliveries.get('1')).idempotencyKey
  // Where nobody answers there is none.
  const replyKey: string | undefined = (await cx.request('topics', { op: 'left' })).idempotencyKey
  void [letterKey, attemptKey, pendingKey, replyKey]

  await bus.on('a', 'kv', { collection: 'c' }, async ({ event, cx: inner }) => {
    const seen: KvEvent = event
    if (seen.op === 'set') await inner.kv.set('c', seen.key, seen.value)
    inner.topics.say('t')
  })
  // @ts-expect-error -- an unknown return value is a failure, not a success
  await bus.on('a', 'kv', {}, () => 'done')
  // @ts-expect-error -- a filter of another source
  await bus.on('a', 'topics', { collection: 'c' }, () => {})
  return length
}

/** The sources of this repository together. */
export async function ours() {
  const bus = await createBus({ database: '', plugins: [kv(), docs(), pubsub()], app: 'shop' })
  const cx = bus.context()
  const document = await cx.docs.insert('users', { name: 'ada' })
  const id: string = document.id
  // @ts-expect-error -- a document is an object
  await cx.docs.insert('users', 'text')
  await cx.pubsub.publish('orders.eu', { total: 9 })
  await bus.on('a', 'docs', { changed: ['plan'], pattern: { plan: ['pro'] } }, ({ event }) => {
    const paths: string[] = event.changed
    // @ts-expect-error -- it may not be carried
    void event.after.plan
    return void paths
  })
  // @ts-expect-error -- a pattern is an object
  await bus.on('a', 'docs', { pattern: 5 }, () => {})
  await bus.on('b', 'pubsub', { topic: 'orders.>' }, ({ event }) => void event.message)
  // @ts-expect-error -- a subscription has a topic
  await bus.on('b', 'pubsub', {}, () => {})
  // @ts-expect-error -- no such op
  await bus.on('a', 'docs', { ops: ['inserted'] }, () => {})
  return id
}

/** A plugin with two sources, one with a target alone, and none at all. */
export async function severalSources() {
  const two = definePlugin({
    name: 'two',
    sources: [named('first'), named('second')],
    start: async (host) => {
      await host.source('first').context('shop').emit({ op: 'said', of_first: 'x' })
      // @ts-expect-error -- the member of the other source
      await host.source('first').context('shop').emit({ op: 'said', of_second: 'x' })
      // @ts-expect-error -- the source of another plugin
      void host.source('kv')
    },
  })
  const target = defineTarget({
    type: 'post',
    config: z.strictObject({ to: z.string() }),
    run: ({ config: { to } }) => void to.length,
    triggersFor: ({ config: { to }, app }) => (to === app ? 'everyone' : 'service'),
  })
  const bus = await createBus({ database: '', plugins: [two, definePlugin({ name: 'post', targets: [target] })] })
  const cx = bus.context({ app: 'shop' })
  const said: ['first', 'second'] = [cx.first.say_first(), cx.second.say_second()]
  // @ts-expect-error -- the verb of the other source
  void cx.first.say_second
  // @ts-expect-error -- it brings no source
  void cx.post
  // @ts-expect-error -- sources come with plugins
  await createBus({ database: '', sources: [] })
  const none = await createBus({ database: '' })
  // @ts-expect-error -- there is none
  void none.context().first
  return said
}

/** For a service that has one app and no principals. */
export async function verbsOfTheBus() {
  await using bus = await createBus({ database: '', plugins: [kv(), docs()], app: 'shop' })
  const version: number = (await bus.kv.set('users', 'ada', 1)).version
  // @ts-expect-error -- no such verb
  void bus.docs.put
  // @ts-expect-error -- not installed
  void bus.pubsub
  return version
}

/** Sources that are known at run time only, such as a test kit's: nothing is inferred, and nothing refused. */
export async function anySources(bus: Bus) {
  const cx = bus.context({ app: 'shop' })
  await cx.emit('whatever', { op: 'happened', to: 'whom' })
  await cx.triggers.create({
    name: 'a',
    source: 'whatever',
    filter: { any: 1 },
    target: { type: 'function', name: 'f' },
  })
}

/** Sixty sources in one bus: the compiler maps them by name, so that they cost it next to nothing. */
type Numbered<N extends string> = ReturnType<typeof named<N>>
const named = <const N extends string>(name: N) =>
  defineSource({
    name,
    version: 1,
    events: { said: z.strictObject({ [`of_${name}` as const]: z.string() } as Record<`of_${N}`, z.ZodString>) },
    filter: z.strictObject({ [name]: z.string() } as Record<N, z.ZodString>),
    keys: () => [''],
    keysOf: () => [''],
    matches: () => true,
    serialize: () => null,
    api: () => ({ [`say_${name}` as const]: () => name }) as Record<`say_${N}`, () => N>,
  })
type Digit = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9'
type Sixty = `s${'0' | '1' | '2' | '3' | '4' | '5'}${Digit}`
declare const sixty: Bus<{ [N in Sixty]: Numbered<N> }[Sixty]>

export async function many() {
  const cx = sixty.context({ app: 'shop' })
  await cx.emit('s42', { op: 'said', of_s42: 'x' })
  const said: 's42' = cx.s42.say_s42()
  // @ts-expect-error -- the member of another source
  await cx.emit('s42', { op: 'said', of_s41: 'x' })
  // @ts-expect-error -- the verb of another source
  void cx.s42.say_s41
  // @ts-expect-error -- the sixty-first
  void cx.s60
  return said
}
