/**
 * The process that is fuzzed: routes of one app on a socket, and beside them another app, whose deliveries and requests are timed all
 * the while. What it finds wrong of itself it tells its parent.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createBus, isOutbusError, reply } from '@outbus/core'
import { http, httpServer, respond } from '@outbus/http'
import { kv } from '@outbus/kv'
import pino from 'pino'

export type FromService =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'problem'; readonly problem: string }
  | { readonly kind: 'times'; readonly deliveriesMs: readonly number[]; readonly requestsMs: readonly number[] }
  | { readonly kind: 'left'; readonly problems: readonly string[] }
export type ToService = 'times' | 'leave'

/** What is fuzzed, and the bystander. */
const APPS = { fuzzed: 'fuzzed', other: 'other' } as const
/** Between two things that the bystander does. */
const PACE_MS = 20

const tell = (message: FromService) => void process.send?.(message)
const problem = (text: string) => tell({ kind: 'problem', problem: text })

process.on('uncaughtExceptionMonitor', (error) => problem(`nobody caught ${String(error)}`))
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') problem(`a warning: ${warning.message}`)
})

const sources = [http(), kv()] as const
const bus = await createBus({
  database: process.argv[2] as string,
  sources,
  migrate: true,
  log: pino({ level: 'silent' }),
})

async function route(app: string, path: string, handler: Parameters<typeof bus.handle>[1], more: object = {}) {
  const name = `${app} ${path}`
  const target = { type: 'function', name }
  await bus.context({ app }).triggers.create({ name, source: 'http', filter: { path, ...more }, target })
  bus.handle(name, handler)
}

const { fuzzed, other } = APPS
/** Of a handler: whatever came over HTTP, nothing of this was the client's to say. */
function assertOuter({ app, depth, principal }: { app: string; depth: number; principal: unknown }): void {
  if (app !== fuzzed || depth !== 1 || principal !== undefined)
    problem(`a client made itself ${JSON.stringify({ app, depth, principal })}`)
}

await route(fuzzed, '/echo', ({ event, cx }) => {
  assertOuter(cx)
  return reply(event)
})
await route(fuzzed, '/files/*rest', ({ event, cx }) => {
  assertOuter(cx)
  const { rest } = (event as { params: { rest: string } }).params
  if (rest.split('/').includes('..') || rest.includes('\0')) problem(`a parameter leads out: ${JSON.stringify(rest)}`)
  return reply(rest)
})
await route(fuzzed, '/text', ({ event }) => {
  const { body } = event as { body: unknown }
  return respond({ body: typeof body === 'string' ? body : 'no text' })
})
await route(fuzzed, '/made', ({ event }) =>
  respond({
    status: 201,
    headers: { 'x-made': 'yes', 'set-cookie': 'made=yes' },
    body: (event as { body: never }).body,
  }),
)
await route(fuzzed, '/store/:key', async ({ event, cx }) => {
  const { method, params, body } = event as { method: string; params: { key: string }; body: unknown }
  const store = bus.context({ app: cx.app }).kv
  try {
    if (method === 'PUT' || method === 'POST') await store.set('fuzz', params.key, body)
    return reply((await store.get('fuzz', params.key))?.value ?? null)
  } catch (error) {
    if (!isOutbusError(error)) throw error
    return respond({ status: 422 })
  }
})
await route(fuzzed, '/jobs', ({ event }) => reply(event), { respondAsync: true })

const sent = new Map<number, number>()
let deliveriesMs: number[] = []
let requestsMs: number[] = []
const { kv: others } = bus.context({ app: other })
await bus.context({ app: other }).triggers.create({
  name: 'timed',
  source: 'kv',
  filter: { collection: 'timed' },
  target: { type: 'function', name: 'timed' },
})
bus.handle('timed', ({ event }) => {
  const { value } = event as { value: number }
  deliveriesMs.push(performance.now() - (sent.get(value) ?? Number.NaN))
  sent.delete(value)
})
await route(other, '/other', () => reply('other'))
await bus.start()

const options = { timeoutMs: 2_000, headersTimeoutMs: 1_000, maxInFlight: 64, asyncBytesPerMinute: 1_000_000 }
const server = httpServer(bus, {
  ...options,
  context: () => ({ app: fuzzed }),
  onError: ({ error }) => problem(`an error that nobody expected: ${String(error)}`),
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const request = { op: 'request', method: 'GET', path: '/other' } as const
let count = 0
const over = new AbortController()
/** One thing after another, at its own pace, whatever the others do. */
async function bystander(): Promise<void> {
  while (!over.signal.aborted) {
    const value = count++
    sent.set(value, performance.now())
    await others.set('timed', 'k', value)
    const asked = performance.now()
    const answer = await bus.context({ app: other }).request('http', request)
    if (answer.ok) requestsMs.push(performance.now() - asked)
    else problem(`the other app was answered ${answer.failure}`)
    await new Promise((resolve) => setTimeout(resolve, PACE_MS))
  }
}
const timed = bystander()

process.on('message', (asked: ToService) => {
  if (asked === 'leave') void leave()
  else {
    tell({ kind: 'times', deliveriesMs, requestsMs })
    deliveriesMs = []
    requestsMs = []
  }
})

/** What is left of the run that should not be. */
async function leave(): Promise<void> {
  over.abort()
  await timed
  const problems: string[] = []
  if (Object.keys(Object.prototype).length > 0) problems.push('Object.prototype has members')
  for await (const { deliveryId, error } of lettersOf(other))
    problems.push(`a dead letter of the other app: ${deliveryId} ${error}`)
  if (sent.size > 1) problems.push(`${sent.size} deliveries of the other app never ran`)
  server.closeAllConnections()
  server.close()
  await bus.stop({ graceMs: 5_000 })
  tell({ kind: 'left', problems })
  process.disconnect()
}

async function* lettersOf(app: string) {
  const { items } = await bus.context({ app }).deadLetters.list()
  for (const { deliveryId, errors } of items) yield { deliveryId, error: errors.at(-1)?.message }
}

tell({ kind: 'listening', port: (server.address() as AddressInfo).port })
