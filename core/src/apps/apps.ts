/** `bus.apps`: lists the apps, sets their quotas, and erases an app or its data. For the service, not for an app. */
import type pg from 'pg'
import { z } from 'zod'
import { performance } from '../time/clock.ts'
import { audit } from '../audit/auditor.ts'
import type { ContextOptions } from '../context/context-options.ts'
import { scopeOf } from '../context/context-options.ts'
import type { CallScope, Principal } from '../contract/scope.ts'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import { sleep } from '../time/pause.ts'
import { isOutbusError, OutbusError } from '../errors.ts'
import type { Page, PageOptions } from '../validation/page.ts'
import { decodeCursor, encodeCursor, pageLimit, pageSchema, toPage } from '../validation/page.ts'
import type { Plugins } from '../plugins/plugins.ts'
import type { Access } from '../principals/access.ts'
import type { ErasedRows, Erasure, NotCovered } from '../privacy/erasure.ts'
import type { PayloadSearch } from '../privacy/payload-search.ts'
import { readSearch, searchSchema } from '../privacy/payload-search.ts'
import type { QuotaName, Quotas, QuotasPatch } from '../contract/quotas.ts'
import { patchText, quotasPatchSchema, statedBy } from '../contract/quotas.ts'
import { lockQuotas, putQuotas, readQuotasAndUse } from '../sql/quotas/app-quotas.ts'
import { blankAudit, countRows, eraseByBlocks, eraseByIndex } from '../sql/apps/erase-rows.ts'
import { eraseEpoch, eraseTriggers, moveEpoch } from '../sql/apps/erase-triggers.ts'
import type { AppTableRow } from '../sql/apps/list-app-tables.ts'
import { listAppTables } from '../sql/apps/list-app-tables.ts'
import { listAppNames, summarizeApps } from '../sql/apps/list-apps.ts'
import type { Sql } from '../postgres/statement.ts'
import { assertAppId, nameSchema } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'

export interface AppSummary {
  readonly app: string
  readonly triggers: number
  /** Rows in the outbox, waiting or running. */
  readonly waiting: number
  /** Unresolved dead letters. */
  readonly deadLetters: number
  /** Whether `triggers.pauseAll` has paused the app. */
  readonly paused: boolean
  /** Triggers that are paused one by one. */
  readonly pausedTriggers: number
  /** The limits that apply. */
  readonly quotas: Quotas
}

/** An app's limits, and how much of them it uses. */
export interface AppQuotas {
  readonly app: string
  /** The limits that apply. */
  readonly limits: Quotas
  /** Those that `setQuotas` has set for this app. */
  readonly overrides: Partial<Record<QuotaName, number>>
  readonly use: Readonly<Record<'triggers' | 'rowsWaiting', number>>
}

export interface EraseOptions {
  /** Only counts. Default false. */
  readonly dryRun?: boolean
  /** Who asks. Default: the service itself. The default authorizer lets no principal erase an app. */
  readonly principal?: Principal
}

export interface ErasedApp {
  readonly app: string
  readonly dryRun: boolean
  /** The sum of `tables`. */
  readonly rows: number
  /**
   * Rows that were removed, or would be, by table: every table of the schema with an `app_id`, core's and plugins', but
   * for `audit` and `role_apps`.
   */
  readonly tables: Readonly<Record<string, number>>
}

export interface EraseDataOptions {
  /** Which payloads are meant. Default: none, if `caller` is given. */
  readonly where?: PayloadSearch
  /**
   * The id of a principal who shall no longer be named as caller in the outbox, letters, replies and the history. The
   * payloads stay, unless `where` is about them. A trigger that runs as its caller refuses such a row. Default nobody.
   */
  readonly caller?: string
  /** Only counts, and names some rows. Default false. */
  readonly dryRun?: boolean
  /**
   * Who asks. Default: the service itself. The default authorizer also allows the app's administrators (`data.erase`).
   */
  readonly principal?: Principal
}

export interface ErasedData {
  readonly app: string
  readonly dryRun: boolean
  /** The hash of the search, as in the audit: of its JSON, with sorted members. */
  readonly sha256: string
  /** The sum over all tables. */
  readonly rows: number
  /** Rows that somebody held until the end: call again. */
  readonly held: number
  readonly unreadable: number
  readonly tables: Readonly<Record<string, ErasedRows>>
  readonly notCovered: NotCovered
}

export interface Apps {
  /** Apps that have anything in the database, by name. Counts the outbox once a page. */
  list(options?: PageOptions): Promise<Page<AppSummary>>
  /**
   * Removes an app from every table of the schema that has an `app_id`, even tables of plugins that this process lacks.
   * Its audit stays, without the states before and after, and so do bindings in `role_apps`. Needs the rights of the
   * tables' owner, the migrator; a dry run needs a reader's. Batches of some 1,000 rows are transactions of their own:
   * an interrupted call has removed what it removed, and a repeated one goes on.
   *
   * Triggers go first, then waiting deliveries. From then on nothing of the app starts, and the outcome of a running
   * handler changes nothing. Stop whoever writes for the app before: what is written after the call stays.
   *
   * Errors:
   *
   * - `access.forbidden`; `database.forbidden` for a login that may not.
   * - `app.in_use` if transactions lock rows for more than 30 s, or somebody goes on writing.
   */
  erase(app: string, options?: EraseOptions): Promise<ErasedApp>
  /**
   * Erases one app's payloads about somebody: `{ where: { contains: { customer: 'c_42' } } }`. They leave the outbox,
   * dead letters, kept replies, abandoned executions, and what sources store, such as kv entries, documents and
   * schedules. Texts of their errors leave the history. A waiting delivery is discarded, as the history says; whoever
   * waits for a request's reply hears that it was cancelled. Nothing is emitted.
   *
   * Safe beside dispatchers: running rows are waited for, at most 40 s, then counted as `held`. Batches of 1,000 rows
   * are transactions of their own, of at most 30 s; tables without a suitable index are read whole. An interrupted call
   * has erased what the audit row counts, and a repeated one goes on. What is written after the call began may stay.
   *
   * Needs the rights of the tables' owner, the migrator, for a dry run as well. What is not covered, and what stays:
   * docs/privacy.md.
   *
   * Errors: `options.invalid`, also for a `where` that says nothing of the payload; `source.unknown`;
   * `access.forbidden`; `database.forbidden` for a login that may not.
   */
  eraseData(app: string, options: EraseDataOptions): Promise<ErasedData>
  /** The app's quotas, and how much of them it uses. Counts the outbox once. */
  quotas(app: string): Promise<AppQuotas>
  /**
   * Overrides an app's quotas: `{ triggers: 500, rowsWaiting: null }` sets one, and makes the other the default again.
   * Each process applies it from its next emit for the app. Needs the rights of the tables' owner, the migrator,
   * because emitters must not decide what their app may do. What the app already has stays, even beyond a limit.
   *
   * Errors: `options.invalid`; `app.invalid`; `database.forbidden` for a login that may not.
   */
  setQuotas(app: string, quotas: QuotasPatch): Promise<AppQuotas>
}

const BATCH = 1_000
/** A megabyte. */
const BATCH_BLOCKS = 128
const LOOK_AGAIN_MS = 100
const WITHOUT_PROGRESS_MS = 30_000
const MOST_PASSES = 1_000

const eraseSchema = z.strictObject({ dryRun: z.boolean().exactOptional(), principal: z.unknown().optional() })
const eraseDataSchema = z.strictObject({
  ...eraseSchema.shape,
  where: searchSchema.exactOptional(),
  caller: nameSchema('options.invalid').exactOptional(),
})
const listSchema = z.strictObject(pageSchema)
const LISTING = ['apps']
/** Another table's rows refer to these without a cascade. Those rows go first, in the next pass. */
const FOREIGN_KEY_VIOLATION = '23503'
/** Both go together, under the lock of those who change triggers. */
const TRIGGERS = 'triggers'
const EPOCHS = 'trigger_epochs'
/** A pause stays as long as there are rows to run. */
const FIRST = ['outbox']

export interface AppStoreOptions {
  /** Runs each call of `bus.apps` by itself. */
  readonly callSql: Sql
  readonly sql: Sql
  readonly calls: DatabaseCalls
  readonly pool: pg.Pool
  readonly access: Access
  readonly plugins: Plugins
  readonly erasure: Erasure
  /** The defaults for an app without its own. */
  readonly quotas: Quotas
  onQuotasChanged(app: string): void
  assertOpen(): void
}

export class AppStore implements Apps {
  readonly #options: AppStoreOptions

  constructor(options: AppStoreOptions) {
    this.#options = options
  }

  async list(options: PageOptions = {}): Promise<Page<AppSummary>> {
    const { callSql, pool, assertOpen } = this.#options
    const given = parseWith(listSchema, options, { code: 'options.invalid', what: 'apps.list' })
    const limit = pageLimit(given.limit)
    const after = decodeCursor(LISTING, given.cursor, assertAppId)
    assertOpen()
    const tables = (await this.#tables()).filter(({ indexed, readable }) => indexed && readable)
    const relations = [...new Set(tables.map(({ quoted }) => quoted))]
    const names = await callSql.run(pool, listAppNames(relations), [after ?? '', limit + 1])
    const rows = await callSql.run(pool, summarizeApps, [names.map(({ app_id }) => app_id)])
    const items = rows.map((row) => ({
      app: row.app_id,
      triggers: row.triggers,
      waiting: row.waiting,
      deadLetters: row.dead_letters,
      paused: row.paused,
      pausedTriggers: row.paused_triggers,
      quotas: { ...this.#options.quotas, ...statedBy(row.quotas) },
    }))
    return toPage(items, limit, (last) => encodeCursor(LISTING, last.app))
  }

  async erase(app: string, options: EraseOptions = {}): Promise<ErasedApp> {
    const { access, pool, assertOpen } = this.#options
    const { dryRun = false, ...who } = parseWith(eraseSchema, options, { code: 'options.invalid', what: 'apps.erase' })
    assertAppId(app)
    const scope = scopeOf({ app, ...who } as ContextOptions, undefined)
    assertOpen()
    await access.assert(scope, pool, { action: 'app.erase', resource: { dryRun } })
    if (!dryRun) await this.#assertErasable()
    const tables = dryRun ? await this.#count(app) : await this.#eraseAll(scope)
    return { app, dryRun, rows: total(tables), tables: Object.fromEntries(tables) }
  }

  async eraseData(app: string, options: EraseDataOptions): Promise<ErasedData> {
    const { access, pool, erasure, plugins, assertOpen } = this.#options
    const what = { code: 'options.invalid', what: 'apps.eraseData' } as const
    const { where, caller, dryRun = false, ...who } = parseWith(eraseDataSchema, options, what)
    assertAppId(app)
    const search = readSearch(where, caller, (name, at) => plugins.source(name, at))
    const scope = scopeOf({ app, ...who } as ContextOptions, undefined)
    assertOpen()
    await access.assert(scope, pool, { action: 'data.erase', resource: { where, caller, dryRun } })
    await this.#assertErasable()
    const tables = await erasure.run(scope, search, dryRun)
    const sum = (count: 'rows' | 'held' | 'unreadable') =>
      [...tables.values()].reduce((all, table) => all + table[count], 0)
    return {
      app,
      dryRun,
      sha256: search.hash,
      rows: sum('rows'),
      held: sum('held'),
      unreadable: sum('unreadable'),
      tables: Object.fromEntries(tables),
      notCovered: erasure.notCovered((await this.#tables()).map(({ name }) => name)),
    }
  }

  async quotas(app: string): Promise<AppQuotas> {
    const { callSql, pool, quotas: defaults, assertOpen } = this.#options
    assertAppId(app)
    assertOpen()
    const [row] = await callSql.run(pool, readQuotasAndUse, [app])
    const overrides = statedBy(row?.quotas)
    const use = { triggers: row?.triggers ?? 0, rowsWaiting: row?.waiting ?? 0 }
    return { app, limits: { ...defaults, ...overrides }, overrides, use }
  }

  async setQuotas(app: string, quotas: QuotasPatch): Promise<AppQuotas> {
    const { sql, calls, onQuotasChanged, assertOpen } = this.#options
    const patch = parseWith(quotasPatchSchema, quotas, { code: 'options.invalid', what: 'apps.setQuotas' })
    assertAppId(app)
    assertOpen()
    const changer = { app, principal: undefined, caller: undefined }
    const change = { action: 'quota.change', operation: 'apps.setQuotas' } as const
    await calls.transaction((tx) =>
      calls.during('writing', tx, async () => {
        const [was] = await sql.run(tx, lockQuotas, [app])
        const [is] = await sql.run(tx, putQuotas, [app, patchText(patch as QuotasPatch)])
        await audit(sql, tx, changer, [{ ...change, before: statedBy(was?.quotas), after: statedBy(is?.quotas) }])
      }),
    )
    onQuotasChanged(app)
    return this.quotas(app)
  }

  /** Checked before anything is removed, because half of an app would be worse than all of it. */
  async #assertErasable(): Promise<void> {
    const not = (await this.#tables()).find(({ erasable }) => !erasable)
    if (not === undefined) return
    throw new OutbusError(
      'database.forbidden',
      `this login may not remove every app's rows from the table ${not.name}`,
      {
        path: 'database',
        hint: 'erase as the owner of the tables, the migrator of docs/operations.md',
      },
    )
  }

  /** Repeats until nothing is left: rows that were locked, or written meanwhile, go in a later pass. */
  async #eraseAll(scope: CallScope): Promise<Map<string, number>> {
    const { app } = scope
    await this.#auditErasure(scope)
    const erased = new Map<string, number>()
    let progressAt = performance.now()
    for (let pass = 1; ; pass++) {
      const before = total(erased)
      const hindered = await this.#erasePass(app, erased)
      if (total(erased) > before) progressAt = performance.now()
      else if (total(await this.#count(app)) === 0) return erased
      else if (performance.now() - progressAt > WITHOUT_PROGRESS_MS) throw hindered ?? inUse(app)
      else await sleep(LOOK_AGAIN_MS)
      if (pass === MOST_PASSES) throw inUse(app)
      this.#options.assertOpen()
    }
  }

  async #erasePass(app: string, erased: Map<string, number>): Promise<Error | undefined> {
    let hindered: Error | undefined
    const add = (table: string, rows: number) => erased.set(table, (erased.get(table) ?? 0) + rows)
    const tables = await this.#tables()
    await this.#eraseTriggers(app, add)
    for (const table of tables.toSorted((a, b) => turnOf(a) - turnOf(b))) {
      if (table.name === TRIGGERS || table.name === EPOCHS) continue
      try {
        add(table.name, 0)
        await this.#eraseFrom(table, app, add)
      } catch (error) {
        if (!isOutbusError(error) || error.sqlState !== FOREIGN_KEY_VIOLATION) throw error
        hindered = error
      }
    }
    return hindered
  }

  /**
   * Runs in its own transaction before the first row goes, so that an interrupted erasure is known. The audit of the
   * app's changes stays, without states before and after, since filters and targets may name people.
   */
  async #auditErasure(scope: CallScope): Promise<void> {
    const { calls, callSql, sql, pool } = this.#options
    await calls.transaction((tx) =>
      calls.during('writing', tx, () =>
        audit(sql, tx, scope, [{ action: 'app.erase', operation: 'apps.erase', after: { erased: true } }]),
      ),
    )
    for (let upTo: string | null | undefined = '0'; typeof upTo === 'string';)
      upTo = (await callSql.run(pool, blankAudit, [scope.app, upTo, BATCH]))[0]?.up_to
  }

  async #eraseTriggers(app: string, add: (table: string, rows: number) => void): Promise<void> {
    const { calls, sql } = this.#options
    for (let erased = BATCH; erased === BATCH;) {
      const [triggers, epochs] = await calls.transaction((tx) =>
        calls.during('writing', tx, async () => {
          await sql.run(tx, moveEpoch, [app])
          const [some] = await sql.run(tx, eraseTriggers, [app, BATCH])
          const [epoch] = await sql.run(tx, eraseEpoch, [app])
          return [some?.erased ?? 0, epoch?.erased ?? 0] as const
        }),
      )
      add(TRIGGERS, triggers)
      add(EPOCHS, epochs)
      erased = triggers
    }
  }

  async #eraseFrom(
    { name, relation, indexed, blocks }: AppTableRow,
    app: string,
    add: (table: string, rows: number) => void,
  ): Promise<void> {
    const { callSql, pool } = this.#options
    if (indexed) {
      for (let erased = BATCH; erased === BATCH;) {
        erased = (await callSql.run(pool, eraseByIndex(relation), [app, BATCH]))[0]?.erased ?? 0
        add(name, erased)
      }
      return
    }
    for (let from = 0; from < blocks; from += BATCH_BLOCKS) {
      const range = [`(${from},0)`, `(${from + BATCH_BLOCKS},0)`] as const
      add(name, (await callSql.run(pool, eraseByBlocks(relation), [app, ...range]))[0]?.erased ?? 0)
    }
  }

  async #count(app: string): Promise<Map<string, number>> {
    const { callSql, pool } = this.#options
    const counts = new Map<string, number>()
    const quoted = new Map((await this.#tables()).map((table) => [table.name, table.quoted]))
    for (const [name, relation] of quoted) {
      const [row] = await callSql.run(pool, countRows(relation), [app])
      counts.set(name, row?.rows ?? 0)
    }
    return counts
  }

  #tables(): Promise<AppTableRow[]> {
    const { callSql, pool } = this.#options
    return callSql.run(pool, listAppTables, [])
  }
}

function turnOf({ name }: AppTableRow): number {
  const turn = FIRST.indexOf(name)
  return turn < 0 ? FIRST.length : turn
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, rows) => sum + rows, 0)
}

function inUse(app: string): OutbusError {
  return new OutbusError('app.in_use', `rows of app ${JSON.stringify(app)} are held by transactions that do not end`, {
    path: 'app',
    received: app,
    hint: 'stop whoever writes for it, and call erase again: it goes on where it ended',
  })
}
