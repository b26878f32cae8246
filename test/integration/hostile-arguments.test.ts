/**
 * Every verb, with each argument and each of their members replaced by whatever is hostile: it is taken, or refused with
 * the one error of the bus. Never another error (the database's least of all), never after something was written, and
 * the caller's transaction goes on.
 */
import { createBus, fromPgBoss, isOutbusError, parseRetryPolicy, previewRetry } from '@outbus/core'
import { compilePattern } from '@outbus/core/plugin'
import { docs } from '@outbus/docs'
import { http, httpHandler } from '@outbus/http'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import type pg from 'pg'
import pino from 'pino'
import { afterAll, describe, expect, test } from 'vitest'
import { HOSTILE, placesIn, replaced } from './hostile-values.ts'

const log = pino({ level: 'silent' })
const plugins = [kv(), docs(), pubsub(), http(), schedule()]
const db = await useTestDatabase({ plugins })
const bus = await createBus({ database: db.pool, plugins, app: 'shop', migrate: true, log })
afterAll(() => bus.stop({ graceMs: 0 }))

const ID = '0198f8a0-0000-7000-8000-000000000001'
const target = { type: 'function', name: 'f' }
const emitOptions = { dedupeKey: 'd', dedupeWindowMs: 1_000, delayMs: 1, priority: 'high', orderingKey: 'o' }
const page = { limit: 2, cursor: 'x' }
const set = { op: 'set', collection: 'c', key: 'k', value: { a: [1] }, version: 1 }
const request = { op: 'request', method: 'POST', path: '/a', query: { a: 'b' }, headers: { a: 'b' }, body: { a: 1 } }
const trigger = {
  name: 'new',
  source: 'kv',
  filter: { collection: 'c', ops: ['set'], keyPrefix: 'k', pattern: { a: [{ prefix: 'x' }] } },
  target,
  retry: { strategy: 'exponential', maxAttempts: 3, baseDelayMs: 1, maxDelayMs: 9, jitter: 0.1, overrides: {} },
  priority: 'low',
  timeoutMs: 1_000,
  concurrency: 3,
  rateLimit: 5,
}

type Verb = readonly [name: string, ...args: unknown[]]

const WITHIN_A_TRANSACTION: readonly Verb[] = [
  ['emit', 'kv', set, emitOptions],
  ['emit', 'kv', set, { runAt: '2026-11-30T00:00:00Z' }],
  ['emit', 'http', request, emitOptions],
  ['emit', 'pubsub', { op: 'published', topic: 't', message: { a: 1 } }],
  ['emitMany', 'kv', [set, set], [emitOptions]],
  ['explain', 'kv', set],
  ['kv.get', 'c', 'k'],
  ['kv.set', 'c', 'k', { a: [1] }, { ifVersion: 0, ...emitOptions }],
  ['kv.setMany', [{ collection: 'c', key: 'k', value: { a: 1 } }]],
  ['kv.delete', 'c', 'k', { ifVersion: 1 }],
  ['kv.list', 'c', { prefix: 'k', ...page }],
  ['docs.insert', 'c', { a: [1] }, { id: 'i', ...emitOptions }],
  ['docs.get', 'c', 'i'],
  ['docs.update', 'c', 'i', { a: [1] }, { ifVersion: 1, ...emitOptions }],
  ['docs.replace', 'c', 'i', { a: [1] }, { ifVersion: 1 }],
  ['docs.delete', 'c', 'i', { ifVersion: 1 }],
  ['docs.find', 'c', { where: { a: [1] }, ...page }],
  ['pubsub.publish', 't', { a: [1] }, emitOptions],
  ['pubsub.publishMany', [{ topic: 't', message: { a: 1 }, options: emitOptions }]],
  ['schedule.set', 's', { recurrence: '* * * * *', timezone: 'UTC', missed: 'skip', data: { a: [1] }, enabled: false }],
  ['schedule.get', 's'],
  ['schedule.list', page],
  ['schedule.delete', 's'],
  [
    'schedule.preview',
    '* * * * *',
    { timezone: 'UTC', from: new Date(0), count: 1, signal: new AbortController().signal },
  ],
  ['triggers.create', trigger],
  ['triggers.create', { ...trigger, source: 'http', filter: { method: ['GET'], path: '/a' } }],
  ['triggers.create', { ...trigger, source: 'docs', filter: { collection: 'c', ops: ['updated'], changed: ['a'] } }],
  ['triggers.create', { ...trigger, source: 'pubsub', filter: { topic: 'a.*' } }],
  ['triggers.create', { ...trigger, source: 'schedule', filter: { schedule: 's' } }],
  ['triggers.create', { name: 'n', source: 'dead_letter', filter: { trigger: 'a', failureKind: 'timeout' }, target }],
  ['triggers.get', ID],
  ['triggers.getByName', 'all'],
  ['triggers.list', { source: 'kv', enabled: true, ...page }],
  ['triggers.update', ID, { name: 'n', retry: { maxAttempts: 1 }, timeoutMs: 1, filter: {} }],
  ['triggers.enable', ID, { waiting: 'run' }],
  ['triggers.disable', ID, { waiting: 'park' }],
  ['triggers.delete', ID, { waiting: 'run' }],
  ['triggers.pause', ID],
  ['triggers.resume', ID],
  [
    'deadLetters.list',
    {
      source: 'kv',
      triggerId: ID,
      triggerName: 'n',
      failureKind: 'timeout',
      diedAfter: new Date(0),
      resolution: 'any',
    },
    page,
  ],
  ['deadLetters.get', '1'],
  ['deadLetters.replay', '1', { force: true }],
  ['deadLetters.replayAll', { source: 'kv', diedBefore: new Date(0) }, { dryRun: false }],
  ['deadLetters.discard', '1'],
  ['deadLetters.discardAll', { triggerName: 'n' }, { dryRun: true }],
  ['deliveries.get', '1'],
  ['triggers.release', ID],
  ['deliveries.cancel', '1', { reason: 'r' }],
  ['deliveries.cancel', ['1'], { deadLetter: false }],
  ['deliveries.cancel', { eventId: ID }],
  ['deliveries.withdraw', ['1'], { reason: 'r' }],
  ['deliveries.withdraw', { eventId: ID, deliveryIds: ['1'] }, { reason: 'r' }],
  [
    'deliveries.list',
    {
      ...page,
      triggerName: 'n',
      triggerId: ID,
      source: 'kv',
      eventId: ID,
      key: 'k',
      state: ['waiting'],
      dueBefore: new Date(0),
    },
  ],
  ['deliveries.cancelAll', { triggerName: 'n' }, { dryRun: true, reason: 'r', deadLetter: true }],
  ['deliveries.purge', { state: 'parked' }, { dryRun: true, reason: 'r', deadLetter: true }],
  ['history.list', { deliveryId: '1', eventId: ID, triggerName: 'n', outcome: 'dead' }, page],
  [
    'audit.list',
    {
      ...page,
      action: 'trigger.update',
      operation: 'triggers.disable',
      resource: ID,
      principal: 'u',
      since: new Date(0),
      until: new Date(0),
    },
  ],
  ['principals.get', 'u'],
  ['principals.list', page],
  ['principals.put', 'u', { roles: ['admin'], disabled: false }],
  ['principals.remove', 'u'],
  ['requests.get', ID],
  ['requests.abandoned', page],
]

function verbOf(of: unknown, name: string): (...args: unknown[]) => unknown {
  const path = name.split('.')
  let [at, self] = [of, of]
  for (const step of path) [at, self] = [(at as Record<string, unknown>)[step], at]
  return (at as (...args: unknown[]) => unknown).bind(self)
}

/** Each list of arguments with one thing in it that is hostile, and what that is called. */
function* hostileCalls([name, ...args]: Verb): Generator<readonly [what: string, args: unknown[]]> {
  for (const place of placesIn(args))
    for (const [what, value] of HOSTILE)
      yield [`${name} with ${what} for ${place.join('.')}`, replaced(args, place, value) as unknown[]]
}

/** Why this is no way to refuse; undefined where nothing was refused, or properly. */
async function problemOf(work: () => unknown): Promise<{ refused: boolean; problem?: string }> {
  try {
    await work()
    return { refused: false }
  } catch (error) {
    if (!isOutbusError(error)) return { refused: true, problem: String(error) }
    const { code, path } = error
    return path === undefined && !code.endsWith('not_found')
      ? { refused: true, problem: `${code} has no path: ${error.message}` }
      : { refused: true }
  }
}

/** Of this transaction. A dedupe key that was taken and given back counts for nothing. */
async function rowsWritten(tx: pg.PoolClient): Promise<string> {
  const { rows } = await tx.query<{ written: string }>(
    `select sum(n_tup_ins) - sum(n_tup_del) || ' and ' || sum(n_tup_upd) as written from pg_stat_xact_user_tables`,
  )
  return rows[0]?.written as string
}

describe('in a transaction', () => {
  test.for(WITHIN_A_TRANSACTION.map((verb) => [verb[0], verb] as const))(
    '%s',
    { timeout: 60_000 },
    async ([, verb]) => {
      const tx = await db.pool.connect()
      const problems: string[] = []
      try {
        await tx.query('begin')
        await tx.query('savepoint before')
        const call = verbOf(bus.context().with(tx), verb[0])
        let before = await rowsWritten(tx)
        for (const [what, args] of hostileCalls(verb)) {
          const { refused, problem } = await problemOf(() => call(...args))
          if (problem !== undefined) problems.push(`${what}: ${problem}`)
          const after = await rowsWritten(tx).catch((error: unknown) => `the transaction is over: ${String(error)}`)
          if (after === before) continue
          if (refused) problems.push(`${what} was refused after something was written: ${before}, then ${after}`)
          await tx.query('rollback to before')
          before = await rowsWritten(tx)
        }
      } finally {
        await tx.query('rollback')
        tx.release()
      }
      expect(problems).toEqual([])
    },
  )
})

describe('outside', () => {
  const calls: readonly Verb[] = [
    ['request', 'http', request, { timeoutMs: 1, signal: AbortSignal.abort() }],
    ['submit', 'http', request],
  ]
  test.for(calls)('%s', async (verb) => {
    const problems: string[] = []
    for (const [what, args] of hostileCalls(verb)) {
      const { problem } = await problemOf(() => verbOf(bus.context(), verb[0])(...args))
      if (problem !== undefined) problems.push(`${what}: ${problem}`)
    }
    expect(problems).toEqual([])
  })
})

describe('a function of core', () => {
  const policy = { strategy: 'linear', maxAttempts: 3, jitter: 'full', overrides: { timeout: { maxAttempts: 1 } } }
  const functions: readonly (readonly [name: string, call: (...args: never[]) => unknown, ...args: unknown[]])[] = [
    ['context', bus.context.bind(bus), { app: 'a', principal: { id: 'u', roles: ['r'] }, traceContext: '00' }],
    ['context', bus.context.bind(bus), { causality: { depth: 1, rootId: ID, chain: [ID] } }],
    ['handle', bus.handle.bind(bus), 'n', () => 1],
    ['parseRetryPolicy', parseRetryPolicy, policy],
    ['previewRetry', previewRetry, policy, { seed: 1, failure: { kind: 'timeout', retryAfterMs: 1 } }],
    ['fromPgBoss', fromPgBoss, { retryLimit: 1, retryDelay: 1, retryBackoff: true, retryDelayMax: 1 }],
    ['compilePattern', compilePattern, { a: { b: [{ prefix: 'x' }, { numeric: ['>', 1] }] }, $or: [{ c: [1] }] }],
    ['httpHandler', httpHandler.bind(undefined, bus as never), { timeoutMs: 1, maxBodyBytes: 1, headers: ['a'] }],
  ]
  test.for(functions)('%s', { timeout: 60_000 }, async ([name, call, ...args]) => {
    const problems: string[] = []
    for (const [what, given] of hostileCalls([name, ...args])) {
      const { problem } = await problemOf(() => call(...(given as never[])))
      if (problem !== undefined) problems.push(`${what}: ${problem}`)
    }
    expect(problems).toEqual([])
  })
})
