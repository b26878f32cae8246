/** Every call of `cx` that reaches Postgres, for tests of what each of them answers when Postgres does not. */
import { createBus } from '@outbus/core'
import type { OutbusError } from '@outbus/core'
import { docs } from '@outbus/docs'
import { http } from '@outbus/http'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { schedule } from '@outbus/schedule'
import pino from 'pino'

export const everyPlugin = () => [kv(), docs(), pubsub(), http(), schedule()] as const

export function busOfAll(database: string, migrate = false) {
  const log = pino({ level: 'silent' })
  return createBus({ database, plugins: everyPlugin(), migrate, app: 'shop', log })
}

export type Cx = ReturnType<Awaited<ReturnType<typeof busOfAll>>['context']>
type Call = (cx: Cx) => unknown

const event = { op: 'set', collection: 'jobs', key: 'k', value: 1, version: 1 } as const
const trigger = { name: 'new', source: 'kv', filter: {}, target: { type: 'function', name: 'f' } } as const
export const request = {
  op: 'request',
  method: 'GET',
  path: '/a',
  query: {},
  headers: {},
  body: null,
  encoding: null,
} as const

/** What the ids below stand for: written before the calls are made. */
export const IDS = { trigger: '00000000-0000-7000-8000-000000000001', letter: '900000', delivery: '700000' }

export const READS: Record<string, Call> = {
  'setAside.list': (cx) => cx.setAside.list(),
  'kv.get': (cx) => cx.kv.get('jobs', 'k'),
  'kv.list': (cx) => cx.kv.list('jobs'),
  'docs.get': (cx) => cx.docs.get('jobs', 'd'),
  'docs.find': (cx) => cx.docs.find('jobs'),
  'schedule.get': (cx) => cx.schedule.get('s'),
  'schedule.list': (cx) => cx.schedule.list(),
  'triggers.get': (cx) => cx.triggers.get(IDS.trigger),
  'triggers.getByName': (cx) => cx.triggers.getByName('t'),
  'triggers.list': (cx) => cx.triggers.list(),
  'deadLetters.get': (cx) => cx.deadLetters.get(IDS.letter),
  'deadLetters.list': (cx) => cx.deadLetters.list(),
  'deliveries.get': (cx) => cx.deliveries.get(IDS.delivery),
  'deliveries.list': (cx) => cx.deliveries.list(),
  'history.list': (cx) => cx.history.list(),
  'audit.list': (cx) => cx.audit.list(),
  'principals.get': (cx) => cx.principals.get('u'),
  'principals.list': (cx) => cx.principals.list(),
  'requests.get': (cx) => cx.requests.get(IDS.trigger),
  'requests.abandoned': (cx) => cx.requests.abandoned(),
  explain: (cx) => cx.explain('kv', event),
}

/** Calls that are one statement, which commits by itself. */
export const EMITS: Record<string, Call> = {
  emit: (cx) => cx.emit('kv', event),
  emitMany: (cx) => cx.emitMany('kv', [event]),
  'pubsub.publish': (cx) => cx.pubsub.publish('a.b', 1),
}

/** Calls that write with their first statement. */
export const WRITES: Record<string, Call> = {
  ...EMITS,
  'kv.set': (cx) => cx.kv.set('jobs', 'k', 2),
  'kv.set ifVersion': (cx) => cx.kv.set('jobs', 'k', 2, { ifVersion: 1 }),
  'kv.set dedupeKey': (cx) => cx.kv.set('jobs', 'k', 2, { dedupeKey: 'd' }),
  'kv.setMany': (cx) => cx.kv.setMany([{ collection: 'jobs', key: 'k', value: 2 }]),
  'kv.delete': (cx) => cx.kv.delete('jobs', 'k'),
  'docs.insert': (cx) => cx.docs.insert('jobs', { a: 1 }),
  'docs.update': (cx) => cx.docs.update('jobs', 'd', { a: 2 }),
  'docs.replace': (cx) => cx.docs.replace('jobs', 'd', { a: 2 }),
  'docs.delete': (cx) => cx.docs.delete('jobs', 'd'),
  'schedule.set': (cx) => cx.schedule.set('s', { recurrence: '0 3 * * *' }),
  'schedule.delete': (cx) => cx.schedule.delete('s'),
  'pubsub.publishMany': (cx) => cx.pubsub.publishMany([{ topic: 'a.b', message: 1 }]),
  'triggers.create': (cx) => cx.triggers.create(trigger),
  'triggers.pauseAll': (cx) => cx.triggers.pauseAll(),
  'triggers.resumeAll': (cx) => cx.triggers.resumeAll(),
  'triggers.release': (cx) => cx.triggers.release(IDS.trigger),
  'principals.put': (cx) => cx.principals.put('u'),
  'principals.remove': (cx) => cx.principals.remove('u'),
}

/** Calls that read first, and write with a later statement. */
export const READ_AND_WRITE: Record<string, Call> = {
  'triggers.update': (cx) => cx.triggers.update(IDS.trigger, { priority: 'high' }),
  'triggers.enable': (cx) => cx.triggers.enable(IDS.trigger),
  'triggers.disable': (cx) => cx.triggers.disable(IDS.trigger),
  'triggers.delete': (cx) => cx.triggers.delete(IDS.trigger),
  'triggers.pause': (cx) => cx.triggers.pause(IDS.trigger),
  'triggers.resume': (cx) => cx.triggers.resume(IDS.trigger),
  'deadLetters.replay': (cx) => cx.deadLetters.replay(IDS.letter, { force: true }),
  'deadLetters.replayAll': (cx) => cx.deadLetters.replayAll({ all: true }),
  'deadLetters.discard': (cx) => cx.deadLetters.discard(IDS.letter),
  'deadLetters.discardAll': (cx) => cx.deadLetters.discardAll({ all: true }),
  'deliveries.cancel': (cx) => cx.deliveries.cancel(IDS.delivery),
  'deliveries.withdraw': (cx) => cx.deliveries.withdraw([IDS.delivery]),
  'deliveries.cancelAll': (cx) => cx.deliveries.cancelAll({ all: true }),
  'deliveries.purge': (cx) => cx.deliveries.purge({ all: true }),
}

/** Not within a caller's transaction. */
export const REQUESTS: Record<string, Call> = {
  request: (cx) => cx.request('http', request),
  submit: (cx) => cx.submit('http', request),
}

export async function outcomeOf(call: () => unknown): Promise<string> {
  try {
    await call()
    return 'answered'
  } catch (error) {
    const { name, code, sqlState } = error as { name?: string; code?: string; sqlState?: string }
    return `${name === 'OutbusError' ? '' : `${String(name)} `}${String(code)}${sqlState === undefined ? '' : ` ${sqlState}`}`
  }
}

export async function refusalOf(call: () => unknown): Promise<OutbusError> {
  try {
    await call()
  } catch (error) {
    return error as OutbusError
  }
  throw new Error('it was not refused')
}

/** The same outcome for each of the calls. */
export function all(calls: Record<string, Call>, outcome: string): Record<string, string> {
  return Object.fromEntries(Object.keys(calls).map((name) => [name, outcome]))
}
