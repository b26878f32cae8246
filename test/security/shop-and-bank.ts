/**
 * Two apps on one schema, for exploits and for the fuzz of columns. `shop` is an attacker's, whose login writes past the bus with the
 * rights of an emitter. `bank` is the app that must not notice. Nothing here needs vitest, since the fuzz is a program of its own.
 */
import { createBus, discard, enableRowSecurity, grantRoles, reply } from '@outbus/core'
import type { HandlerArgs } from '@outbus/core'
import type { AnyPlugin } from '@outbus/core/plugin'
import { prepareRoles, TEST_ROLES, urlAs } from '@outbus/test-kit'
import { withClient } from '@outbus/test-kit/connections'
import pino from 'pino'

export interface MigrateOptions {
  /** Whether the attacker's login is bound to its app. Default true. */
  readonly bound?: boolean
}

/** The bus of the migrator, which is the caller's to stop. `url` is a superuser's. */
export async function migrateTwoApps<const S extends readonly AnyPlugin[]>(
  url: string,
  plugins: S,
  { bound = true }: MigrateOptions = {},
) {
  await prepareRoles(url)
  const migrator = urlAs(url, 'outbus_migrator')
  const bus = await createBus({ database: migrator, plugins, migrate: true, log: pino({ level: 'silent' }) })
  await grantRoles(migrator, { roles: TEST_ROLES })
  if (bound) {
    await enableRowSecurity(migrator, { allApps: [TEST_ROLES.dispatcher, TEST_ROLES.reader] })
    await withClient({ connectionString: url }, (client) =>
      client.query(`insert into outbus.role_apps values ('outbus_emitting', 'shop')`),
    )
  }
  return bus
}

/** What ran: the app, the handler, and the key of the entry that the event is of. */
export type Ran = (what: { readonly app: string; readonly handler: 'work' | 'bury'; readonly key: unknown }) => void

/** The handlers of {@link createWorkTriggers}. */
export function handleWork(
  bus: { handle(name: string, handler: (args: HandlerArgs) => unknown): unknown },
  ran: Ran,
): void {
  bus.handle('work', ({ app, event }) => {
    ran({ app, handler: 'work', key: keyOf(event) })
  })
  bus.handle('bury', ({ app, event }) => {
    ran({ app, handler: 'bury', key: keyOf((event as { event?: unknown }).event) })
  })
  bus.handle('fail', () => Promise.reject(new Error('hopeless')))
  bus.handle('discard', ({ event }) => discard(`no: ${String((event as { value?: unknown }).value)}`))
  bus.handle('answer', () => reply('yes'))
}

function keyOf(event: unknown): unknown {
  return (event as { readonly key?: unknown } | null | undefined)?.key
}

/** Of a call context of whatever sources: what is created here suits kv and the source of dead letters. */
interface Creating {
  readonly triggers: { create(trigger: never): Promise<unknown> }
}

/** One of each kind of trigger, for a collection of kv each. Those whose names are `there` already stay as they are. */
export async function createWorkTriggers(
  { triggers }: Creating,
  there: ReadonlySet<string> = new Set(),
): Promise<void> {
  const add = async (name: string, source: string, filter: object, handler: string, settings: object = {}) => {
    if (there.has(name)) return
    await triggers.create({ name, source, filter, target: { type: 'function', name: handler }, ...settings } as never)
  }
  const create = (name: string, collection: string, handler: string, settings: object = {}) =>
    add(name, 'kv', { collection }, handler, { retry: { maxAttempts: 1 }, ...settings })
  await create('working', 'jobs', 'work')
  await create('pausing', 'pausing', 'work')
  await create('failing', 'failing', 'fail')
  await create('discarding', 'discarding', 'discard')
  await create('limited', 'limited', 'work', { concurrency: 5, rateLimit: 1_000 })
  await create('transactional', 'transactional', 'work', { transactional: true })
  await create('ordered', 'ordered', 'work', { ordered: true })
  await create('answering', 'questions', 'answer')
  await add('burying', 'dead_letter', {}, 'bury')
}
