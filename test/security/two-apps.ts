/** The two apps of shop-and-bank.ts in a database of one test, beside a service that dispatches for both. */
import { createBus } from '@outbus/core'
import type { AnyPlugin } from '@outbus/core/plugin'
import { kv } from '@outbus/kv'
import { urlAs } from '@outbus/test-kit'
import { useTestClient, useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { onTestFinished } from 'vitest'
import { watchOutcomes } from '../integration/workers/outcomes.ts'
import { createWorkTriggers, handleWork, migrateTwoApps } from './shop-and-bank.ts'
import type { MigrateOptions } from './shop-and-bank.ts'

export interface TwoAppsOptions extends MigrateOptions {
  readonly dispatch?: Record<string, number>
  readonly history?: 'off' | 'failures' | 'all'
  /** The bus has these beside kv. */
  readonly plugins?: readonly AnyPlugin[]
}

export async function setUpTwoApps({
  bound = true,
  dispatch = {},
  history = 'off',
  plugins: more = [],
}: TwoAppsOptions = {}) {
  const plugins = [kv(), ...more]
  const db = await useTestDatabase({ plugins })
  const migrating = await migrateTwoApps(db.adminUrl, [kv(), ...more], { bound })
  onTestFinished(() => migrating.stop({ graceMs: 0 }))
  const dispatching = await createBus({
    // A service: its plugins emit by themselves.
    database: urlAs(db.adminUrl, 'outbus_service'),
    plugins,
    history,
    dispatch,
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => dispatching.stop({ graceMs: 0 }))
  /** `app handler key`, as they ran. */
  const ran: string[] = []
  handleWork(dispatching, ({ app, handler, key }) => ran.push(`${app} ${handler} ${String(key)}`))
  const emitting = await useTestClient(urlAs(db.adminUrl, 'outbus_emitting'))
  const [shop, bank] = [migrating.context({ app: 'shop' }), migrating.context({ app: 'bank' })]
  for (const cx of [shop, bank]) await createWorkTriggers(cx)
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
