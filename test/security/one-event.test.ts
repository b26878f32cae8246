/** One event of one app, whatever its filters, keeps the process from the others for no longer than a moment (G19). */
import { OutbusError } from '@outbus/core'
import type { SourcesOf } from '@outbus/core'
import { compilePattern, encodeJson } from '@outbus/core/plugin'
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import { MatchingIndex } from '@outbus/core/matching'
import type { StoredTrigger } from '@outbus/core/matching'
import { docs } from '@outbus/docs'
import { http } from '@outbus/http'
import { kv } from '@outbus/kv'
import { expect, test } from 'vitest'
import { setUpTwoApps } from './two-apps.ts'

const times = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i))

type WithDocs = { readonly docs: ReturnType<SourcesOf<ReturnType<typeof docs>>['api']> }

test('a filter of 37,000 paths is refused; those of 200 cost a document of 15,000 members what they have', async () => {
  const { migrating, shop } = await setUpTwoApps({ plugins: [docs()] })
  const own = migrating.context({ app: 'shop' }) as never as WithDocs
  const create = (name: string, changed: string[]) =>
    shop.triggers.create({
      name,
      source: 'docs',
      filter: { changed },
      target: { type: 'function', name: 'work' },
    })
  await expect(
    create(
      'too many',
      times(37_000, (i) => `p${i}`),
    ),
  ).rejects.toMatchObject({
    code: 'trigger.invalid',
    path: 'filter.changed',
    limit: 200,
  })
  for (let n = 0; n < 20; n++)
    await create(
      `t${n}`,
      times(200, (i) => `other${n}.${i}`),
    )
  await create('matches', [(14_999).toString(36)])
  const document = Object.fromEntries(times(15_000, (i) => [i.toString(36), 1] as const))
  expect(await own.docs.insert('c', document)).toMatchObject({ deliveries: 1 })
})

test('a pattern that any number leads to is tested once for a list of 37,000 of them', async () => {
  const { shop } = await setUpTwoApps()
  await shop.triggers.create({
    name: 'numbers',
    source: 'kv',
    filter: { collection: 'lists', pattern: { x: times(390, (i) => ({ numeric: ['>', i, '<', i + 0.5] })) } },
    target: { type: 'function', name: 'work' },
  })
  expect(await shop.kv.set('lists', 'k', { x: times(37_000, (i) => 100_000 + i) })).toMatchObject({ deliveries: 0 })
})

test('an event that takes more steps than one may is refused with its limit, and writes nothing', async () => {
  const { shop, bank } = await setUpTwoApps()
  await shop.triggers.create({
    name: 'wild',
    source: 'kv',
    filter: { collection: 'lists', pattern: { x: times(50, (i) => ({ wildcard: `*b${i}*c*` })) } },
    target: { type: 'function', name: 'work' },
  })
  const list = { x: times(60_000, () => 'a') }
  await expect(shop.kv.set('lists', 'k', list)).rejects.toMatchObject({ code: 'pattern.too_complex', limit: 1_000_000 })
  expect(await shop.kv.get('lists', 'k')).toBeUndefined()
  expect(await bank.kv.set('lists', 'k', list)).toMatchObject({ deliveries: 0 })
})

/** An index of as many triggers as an app may have. */
async function indexOf(plugin: AnyPlugin, filter: (i: number) => unknown, triggers = 10_000) {
  const [source] = plugin.sources as readonly [AnySource]
  const rows = times(triggers, (i): StoredTrigger => {
    const settings = { priority: 1, timeout_ms: 1, ordered: false, transactional: false, concurrency: null }
    const target = { type: 'function', name: 'f' }
    const more = { rate_limit: null, registrant: null, run_as: 'registrant', epoch: '1' } as const
    return {
      ...settings,
      ...more,
      target,
      retry: {},
      id: `t${i}`,
      name: `t${i}`,
      source: source.name,
      filter: filter(i),
    }
  })
  const index = await MatchingIndex.load('app', '1', rows, new Map([[source.name, source]]))
  return (event: { op: string }) => index.match(source, event)
}

test('a path is taken apart once for 10,000 routes, not for each of them', async () => {
  const match = await indexOf(http(), (i) => ({ path: `/:a/b${i}` }))
  const path = `/${times(120_000, () => '%41').join('/')}`
  // One by one they took 43 s.
  expect(match({ op: 'request', method: 'GET', path } as { op: string })).toEqual([])
  expect(match({ op: 'request', method: 'GET', path: '/a/b77' } as { op: string })).toMatchObject([{ id: 't77' }])
})

test('routes of hundreds of segments, and globs that go back often, are counted among the steps of an event', async () => {
  const routed = await indexOf(http(), (i) => ({ path: `/:a/${times(480, () => 'a').join('/')}${i}` }), 4_500)
  const path = `/${times(481, () => 'a').join('/')}`
  const tooMany = expect.objectContaining({ code: 'pattern.too_complex' }) as Error
  expect(() => routed({ op: 'request', method: 'GET', path } as { op: string })).toThrow(tooMany)
  const globbed = await indexOf(kv(), () => ({ collection: `*${'a'.repeat(62)}b*` }), 4_500)
  const set = { op: 'set', key: 'k', value: 1, version: 1 }
  expect(() => globbed({ ...set, collection: 'a'.repeat(128) } as { op: string })).toThrow(tooMany)
  expect(globbed({ ...set, collection: 'other' } as { op: string })).toEqual([])
})

test('a path that no head of a request could hold is no event', async () => {
  const { migrating } = await setUpTwoApps({ plugins: [http()] })
  const cx = migrating.context({ app: 'shop' }) as unknown as { emit(source: string, event: unknown): Promise<unknown> }
  const event = { op: 'request', method: 'GET', path: `/${'a'.repeat(16_384)}` }
  await expect(cx.emit('http', event)).rejects.toMatchObject({ code: 'event.invalid', path: 'path', limit: 16_384 })
})

test('a pattern of many members beside many alternatives is refused at once; a few of each are fine', () => {
  const combined = (members: number) => ({
    $or: times(200, (i) => ({ y: [`b${i}`] })),
    ...Object.fromEntries(times(members, (i) => [`a${i}`, ['x']])),
  })
  // Each member made a copy of all combinations: 1.5 s.
  expect(() => compilePattern(combined(780))).toThrow(
    expect.objectContaining({ code: 'pattern.too_complex', limit: 10_000 }) as Error,
  )
  const event = Object.fromEntries(times(48, (i) => [`a${i}`, 'x']))
  expect(compilePattern(combined(48)).test({ ...event, y: 'b7' })).toBe(true)
  expect(compilePattern(combined(48)).test({ ...event, y: 'b200' })).toBe(false)
})

test('while a call of 10 MB of events is read, others have their turn', async () => {
  const { shop } = await setUpTwoApps()
  const events = times(50, (i) => ({ op: 'set' as const, collection: 'c', key: `k${i}`, version: 1, value: list }))
  let turns = 0
  let isOver = false
  const turn = () => {
    turns++
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  expect(await shop.emitMany('kv', events)).toHaveLength(50)
  isOver = true
  expect(turns).toBeGreaterThan(5)
})

/** 200,000 bytes of JSON. */
const list = times(50_000, () => 'a')

test('a text of 100 MB is too large before it is looked through', () => {
  const text = 'a'.repeat(100_000_000)
  const tooLarge = expect.objectContaining({ code: 'payload.too_large', limit: 262_144 }) as Error
  expect(() => encodeJson({ text })).toThrow(tooLarge)
  expect(() => encodeJson({ [text]: 1 })).toThrow(tooLarge)
})

test('an error that shows a text of 20,000 passwords is made at once, and shows none', () => {
  const received = 'postgres://u:secret'.repeat(20_000)
  const error = new OutbusError('options.invalid', received, { path: 'x', received, hint: received })
  expect(JSON.stringify(error)).not.toContain('secret')
})
