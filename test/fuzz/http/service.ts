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
import type { Measured, Work } from '../second-app.ts'
import { measure } from '../second-app.ts'

export type FromService =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'problem'; readonly problem: string }
  | { readonly kind: 'measured'; readonly measured: Measured }
  | { readonly kind: 'left'; readonly problems: readonly string[] }
export type ToService = 'measure' | 'leave'

/** What is fuzzed, and the bystander. */
const APPS = { fuzzed: 'fuzzed', other: 'other' } as const

const tell = (message: FromService) => void process.send?.(message)
const problem = (text: string) => tell({ kind: 'problem', problem: text })

process.on('uncaughtExceptionMonitor', (error) => problem(`nobody caught ${String(error)}`))
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') problem(`a warning: ${warning.message}`)
})

const plugins = [http(), kv()] as const
const bus = await createBus({
  database: process.argv[2] as string,
  plugins,
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

/** What waits for a delivery of the other app, by the value that it carries. */
const waiting = new Map<number, () => void>()
const { kv: others } = bus.context({ app: other })
await bus.context({ app: other }).triggers.create({
  name: 'timed',
  source: 'kv',
  filter: { collection: 'timed' },
  target: { type: 'function', name: 'timed' },
})
bus.handle('timed', ({ event }) => {
  const { value } = event as { value: number }
  waiting.get(value)?.()
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
const bystander: readonly Work[] = [
  {
    name: 'delivery',
    isTimed: true,
    run: async (signal) => {
      const value = count++
      const ran = new Promise<void>((resolve, reject) => {
        waiting.set(value, resolve)
        signal.addEventListener('abort', () => reject(new Error('a delivery of the other app did not run')), {
          once: true,
        })
      }).finally(() => waiting.delete(value))
      await Promise.all([ran, others.set('timed', 'k', value)])
    },
  },
  {
    name: 'request',
    isTimed: true,
    run: async () => {
      const answer = await bus.context({ app: other }).request('http', request)
      if (!answer.ok) throw new Error(`the other app was answered ${answer.failure}`)
    },
  },
]

/** It works all the while. A stretch ends where its measure is asked for. */
function stretch(): () => Promise<Measured> {
  const over = new AbortController()
  const measured = measure(bystander, over.signal)
  return () => {
    over.abort()
    return measured
  }
}
let endStretch = stretch()

process.on('message', (asked: ToService) => {
  if (asked === 'leave') void leave()
  else
    void endStretch().then((measured) => {
      endStretch = stretch()
      tell({ kind: 'measured', measured })
    })
})

/** What is left of the run that should not be. */
async function leave(): Promise<void> {
  const problems: string[] = [...(await endStretch()).failures]
  if (Object.keys(Object.prototype).length > 0) problems.push('Object.prototype has members')
  for await (const { deliveryId, error } of lettersOf(other))
    problems.push(`a dead letter of the other app: ${deliveryId} ${error}`)
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
