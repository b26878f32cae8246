/** Depth, root and chain of a request are its sender's word: they count where the sender is a peer, and nowhere else (G20). */
import { createHmac } from 'node:crypto'
import { reply } from '@outbus/core'
import { causalityHeaders } from '@outbus/http'
import type { HttpHandlerOptions } from '@outbus/http'
import { beforeAll, expect, test } from 'vitest'
import { httpService } from './http-service.ts'

const KEY = 'a shared key of at least 24 bytes'
const OLD_KEY = 'the key that was in use before that'
const ROOT = '01890000-0000-7000-8000-000000000001'
const LINK = '01890000-0000-7000-8000-000000000002'
const CAUSALITY = { depth: 7, rootId: ROOT, chain: [LINK] }
const HEADER = `depth=7;root=${ROOT};chain=${LINK}`
const HEADERS = { 'outbus-causality': HEADER }

async function deeplyAsked(options: HttpHandlerOptions) {
  const service = await httpService(options, { maxTriggerDepth: 9 })
  await service.route('who', { path: '/who' }, ({ cx }) => reply({ ...cx.causality, chain: cx.causality.chain.length }))
  await service.bus.start()
  const asked = async (headers: Record<string, string>) => {
    const response = await service.call('/who', { headers })
    expect(response.status).toBe(200)
    return (await response.json()) as { depth: number; rootId: string; chain: number }
  }
  return { ...service, asked }
}

/** As somebody signs it who has the key. */
function signedAt(seconds: number, key = KEY, header = HEADER): Record<string, string> {
  const mac = createHmac('sha256', key).update(`outbus-causality.v1.${seconds}.${header}`).digest('hex')
  return { 'outbus-causality': header, 'outbus-causality-signature': `t=${seconds},v1=${mac}` }
}

const now = () => Math.floor(Date.now() / 1_000)

test('a stranger cannot make an order so deep that its billing is skipped', async () => {
  const { bus, db, route, call } = await httpService({}, { maxTriggerDepth: 3 })
  const billed = Promise.withResolvers<number>()
  await route('order', { method: 'POST', path: '/orders' }, async ({ cx }) => {
    await cx.emit('http', { op: 'request', method: 'POST', path: '/bill' })
    return reply('ordered')
  })
  await route('bill', { method: 'POST', path: '/bill' }, ({ cx }) => billed.resolve(cx.depth))
  await bus.start()
  const response = await call('/orders', { method: 'POST', headers: { 'outbus-causality': 'depth=2;chain=' } })
  expect([response.status, await response.json()]).toEqual([200, 'ordered'])
  expect(await billed.promise).toBe(2)
  expect((await db.pool.query(`select from outbus.attempts where outcome = 'skipped'`)).rowCount).toBe(0)
})

let ofTheFile: ReturnType<typeof deeplyAsked>
beforeAll(async () => {
  ofTheFile = deeplyAsked({ peers: { keys: [KEY], windowMs: 60_000 } })
  await ofTheFile
})

test.for<[what: string, headers: () => Record<string, string>]>([
  ['no signature', () => HEADERS],
  ['an empty signature', () => ({ ...HEADERS, 'outbus-causality-signature': '' })],
  ['another key', () => signedAt(now(), 'a key that this listener does not know')],
  ['a signature from beyond the window', () => signedAt(now() - 61)],
  ['a signature from the future', () => signedAt(now() + 120)],
  ['the signature of another header', () => ({ ...signedAt(now()), 'outbus-causality': `depth=8;chain=${LINK}` })],
  [
    'a signature that was cut',
    () => ({
      ...HEADERS,
      'outbus-causality-signature': String(signedAt(now())['outbus-causality-signature']).slice(0, -2),
    }),
  ],
  [
    'a signature of another version',
    () => ({
      ...HEADERS,
      'outbus-causality-signature': String(signedAt(now())['outbus-causality-signature']).replace('v1', 'v2'),
    }),
  ],
  [
    'a signature with a later time than was signed',
    () => {
      const old = String(signedAt(now() - 600)['outbus-causality-signature'])
      return { ...HEADERS, 'outbus-causality-signature': old.replace(/t=\d+/, `t=${now()}`) }
    },
  ],
  ['what is no causality at all', () => ({ 'outbus-causality': 'depth=-1;chain=' })],
])('%s is ignored by a listener that has keys', async ([_what, headers]) => {
  const { asked } = await ofTheFile
  const heard = await asked(headers())
  expect(heard).toMatchObject({ depth: 1 })
  expect(heard.rootId).not.toBe(ROOT)
})

test('a peer signs with the new key or the old one, and is believed; its header that cannot be read is refused', async () => {
  const { asked, call } = await deeplyAsked({ peers: { keys: [KEY, OLD_KEY] } })
  const cx = { causality: CAUSALITY }
  for (const key of [KEY, OLD_KEY]) {
    expect(await asked(causalityHeaders(cx, { key }))).toMatchObject({ depth: 8, rootId: ROOT })
    expect(await asked(signedAt(now(), key))).toMatchObject({ depth: 8, rootId: ROOT })
  }
  expect(await asked(causalityHeaders(cx))).toMatchObject({ depth: 1 })
  const response = await call('/who', { headers: signedAt(now(), KEY, 'depth=x') })
  expect([response.status, await response.json()]).toMatchObject([400, { error: { code: 'event.invalid' } }])
})

test('a listener may know its peers in another way; what says no, or nothing, is no peer', async () => {
  const { asked } = await deeplyAsked({
    peers: async (request) => (request.headers.get('x-mesh') ?? '') === 'inside',
  })
  expect(await asked({ ...HEADERS, 'x-mesh': 'inside' })).toMatchObject({ depth: 8, rootId: ROOT })
  expect(await asked(HEADERS)).toMatchObject({ depth: 1 })
  const lax = await deeplyAsked({ peers: (() => 'yes') as never })
  expect(await lax.asked(HEADERS)).toMatchObject({ depth: 1 })
})

test('neither the header nor its signature is stored with the event', async () => {
  const { bus, call, route } = await httpService({
    peers: { keys: [KEY] },
    headers: ['outbus-causality', 'outbus-causality-signature', 'x-own'],
  })
  await route('headers', { path: '/' }, ({ event }) => reply(event.headers))
  await bus.start()
  expect(await (await call('/', { headers: { ...signedAt(now()), 'x-own': 'yes' } })).json()).toEqual({
    'x-own': 'yes',
  })
})

test('a key that is short is refused where it is given', async () => {
  const { httpListener } = await import('@outbus/http')
  const { bus } = await httpService()
  for (const peers of [{ keys: [] }, { keys: ['short'] }, { keys: [KEY], windowMs: 0 }])
    expect(() => httpListener(bus, { peers })).toThrow(expect.objectContaining({ code: 'options.invalid' }))
  expect(() => causalityHeaders({ causality: CAUSALITY }, { key: 'short' })).toThrow(
    expect.objectContaining({ code: 'options.invalid' }),
  )
})
