/**
 * Two apps on one schema. `shop` is an attacker's: `emitting` is a login with the rights of an emitter, which writes past the bus. `bank`
 * is the app that must not notice.
 */
import { createBus, discard, enableRowSecurity, grantRoles, reply } from '@outbus/core'
import type { AnySource } from '@outbus/core'
import { kv } from '@outbus/kv'
import { prepareRoles, TEST_ROLES, urlAs } from '@outbus/test-kit'
import { useTestClient, useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { onTestFinished } from 'vitest'
import { watchOutcomes } from '../integration/workers/outcomes.ts'

export interface TwoAppsOptions {
  /** Whether the attacker's login is bound to its app. Default true. */
  readonly bound?: boolean
  readonly dispatch?: Record<string, number>
  readonly history?: 'off' | 'failures' | 'all'
  /** Beside kv. */
  readonly sources?: readonly AnySource[]
}

export async function setUpTwoApps({
  bound = true,
  dispatch = {},
  history = 'off',
  sources: more = [],
}: TwoAppsOptions = {}) {
  const db = await useTestDatabase({ sources: [kv(), ...more] })
  const log = pino({ level: 'silent' })
  const sources = [kv(), ...more]
  await prepareRoles(db.adminUrl)
  const migrator = urlAs(db.adminUrl, 'outbus_migrator')
  const migrating = await createBus({ database: migrator, sources: [kv(), ...more], migrate: true, log })
  onTestFinished(() => migrating.stop({ graceMs: 0 }))
  await grantRoles(migrator, { roles: TEST_ROLES })
  if (bound) {
    await enableRowSecurity(migrator, { allApps: [TEST_ROLES.dispatcher, TEST_ROLES.reader] })
    await db.pool.query(`insert into outbus.role_apps values ('outbus_emitting', 'shop')`)
  }
  const dispatching = await createBus({
    // A service: its plugins emit by themselves.
    database: urlAs(db.adminUrl, 'outbus_service'),
    sources,
    history,
    dispatch,
    log,
  })
  onTestFinished(() => dispatching.stop({ graceMs: 0 }))
  /** `app handler key`, as they ran. */
  const ran: string[] = []
  const note = (what: string) => (args: { app: string; event: unknown }) => {
    ran.push(`${args.app} ${what} ${String((args.event as { key?: unknown } | null)?.key)}`)
  }
  dispatching.handle('work', note('work'))
  dispatching.handle('bury', note('bury'))
  dispatching.handle('fail', () => Promise.reject(new Error('hopeless')))
  dispatching.handle<{ value: string }>('discard', ({ event }) => discard(`no: ${event.value}`))
  dispatching.handle('answer', () => reply('yes'))
  const emitting = await useTestClient(urlAs(db.adminUrl, 'outbus_emitting'))
  const [shop, bank] = [migrating.context({ app: 'shop' }), migrating.context({ app: 'bank' })]
  for (const cx of [shop, bank]) {
    const on = (name: string, collection: string, handler: string, settings: object = {}) =>
      cx.triggers.create({
        name,
        source: 'kv',
        filter: { collection },
        target: { type: 'function', name: handler },
        retry: { maxAttempts: 1 },
        ...settings,
      })
    await on('working', 'jobs', 'work')
    await on('failing', 'failing', 'fail')
    await on('discarding', 'discarding', 'discard')
    await on('limited', 'limited', 'work', { concurrency: 5, rateLimit: 1_000 })
    await on('transactional', 'transactional', 'work', { transactional: true })
    await on('ordered', 'ordered', 'work', { ordered: true })
    await on('answering', 'questions', 'answer')
    await cx.triggers.create({
      name: 'burying',
      source: 'dead_letter',
      filter: {},
      target: { type: 'function', name: 'bury' },
    })
  }
  return { db, migrating, dispatching, emitting, shop, bank, ran, outcomes: watchOutcomes('bank') }
}

/** Of the outbox, those that an emit of the bus fills in: what else there is has its default. */
const FILLED =
  'priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, chain, single'.split(', ')

/** Inserts the attacker's rows that are there once more, with other columns, given as SQL. */
export function insertAgain(columns: Readonly<Record<string, string>>, condition = `app_id = 'shop'`): string {
  const written = [...new Set([...FILLED, ...Object.keys(columns)])]
  const values = written.map((column) => columns[column] ?? column)
  return `insert into outbus.outbox (${written.join(', ')}) select ${values.join(', ')} from outbus.outbox where ${condition}`
}
