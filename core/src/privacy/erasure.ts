/**
 * `bus.apps.eraseData`: erases payloads about somebody from every table that keeps some.
 *
 *   audit row ──▶ documents of sources ──▶ outbox ──▶ dead letters ──▶ replies ──▶ history
 *                      ▲                                                              │
 *                      └───────────────── again, while rows are held ◀────────────────┘
 *
 * Each batch, by primary key, is a transaction of its own with a bounded time, and updates the audit row's counts. So
 * they are true whenever the process ends, and a repeated call goes on. Letters come after the outbox, because a
 * running delivery may leave one.
 */
import { performance } from '../time/clock.ts'
import { audit } from '../audit/auditor.ts'
import type { CallScope } from '../contract/scope.ts'
import { DEAD_LETTER_SOURCE } from '../contract/dead-letter.ts'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import { sleep } from '../time/pause.ts'
import { isOutbusError } from '../errors.ts'
import { failedReply } from '../inbox/reply.ts'
import type { Plugins } from '../plugins/plugins.ts'
import { SQL_STATE } from '../postgres/postgres-errors.ts'
import { beginOn } from '../postgres/transactions.ts'
import type { AnySource } from '../contract/source.ts'
import { auditWritten } from '../sql/audit/audit-written.ts'
import { countErased } from '../sql/privacy/count-erased.ts'
import { addDays } from '../sql/history/days.ts'
import { eraseAbandoned } from '../sql/privacy/erase-abandoned.ts'
import { eraseAttempts } from '../sql/privacy/erase-attempts.ts'
import { eraseLetters } from '../sql/privacy/erase-letters.ts'
import { eraseReplies } from '../sql/privacy/erase-replies.ts'
import { eraseWaiting } from '../sql/privacy/erase-waiting.ts'
import { CALLED_TABLES, eraseCallers, firstKeyOf } from '../sql/privacy/erase-callers.ts'
import type { ErasedBatch, PayloadPattern } from '../contract/erasure.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { ReadSearch } from './payload-search.ts'

export interface ErasedRows {
  /** Rows that were erased, or would be in a dry run. */
  readonly rows: number
  /** Rows that were still running or locked when the call ended. In a dry run 0. */
  readonly held: number
  /** The app's rows that are no readable JSON. Nobody can say whether they are meant, so they stay. */
  readonly unreadable: number
  /** In a dry run, ids of at most ten rows that are meant. Otherwise empty. */
  readonly ids: readonly string[]
}

type Batch = (args: {
  readonly on: Queryable
  readonly after: string | undefined
  readonly limit: number
  readonly dryRun: boolean
}) => Promise<ErasedBatch>

interface Table {
  readonly batch: Batch
  /** Whether a source stores it. */
  readonly isDocuments: boolean
}

export interface ErasureOptions {
  readonly sql: Sql
  readonly calls: DatabaseCalls
  readonly plugins: Plugins
  /** Whether the history keeps what was not started. */
  readonly record: boolean
  assertOpen(): void
}

/** What an erasure did not cover. */
export interface NotCovered {
  /** Sources without `erase`. */
  readonly sources: readonly string[]
  /** Tables of the schema with an `app_id` that no installed source names. */
  readonly tables: readonly string[]
}

/** Tables that an erasure covers, or that hold no payload. */
const CORE_TABLES = [
  'outbox',
  'dead_letters',
  'replies',
  'abandoned_executions',
  'attempts',
  'set_aside',
  'triggers',
  'trigger_epochs',
  'trigger_changes',
  'trigger_limits',
  'trigger_starts',
  'pauses',
  'cancellations',
  'withdrawals',
  'dedupe_keys',
  'ordering_locks',
  'principals',
  'app_quotas',
  'root_rows',
]

const BATCH_ROWS = 1_000
/** A batch mostly takes a few ms. One that times out is tried again with fewer rows. */
const BATCH_SETTINGS = [`statement_timeout = '30s'`]
const LOOK_AGAIN_MS = 200
/** How long held rows are waited for. A lease that is not extended ends sooner. */
const WAIT_FOR_HELD_MS = 40_000
const FIRST_ID = '0'
const FIRST_UUID = '00000000-0000-0000-0000-000000000000'
const REPLY = JSON.stringify(failedReply({ kind: 'cancelled', message: 'its event was erased' }))

type Mutable<T> = { -readonly [Member in keyof T]: T[Member] }

export class Erasure {
  readonly #options: ErasureOptions

  constructor(options: ErasureOptions) {
    this.#options = options
  }

  /** Answers by table, and `<table>.caller`, in the order of the work. */
  async run(scope: CallScope, search: ReadSearch, dryRun: boolean): Promise<ReadonlyMap<string, ErasedRows>> {
    const tables = this.#tables(scope.app, search)
    const erased = new Map([...tables.keys()].map((table) => [table, nothing()]))
    const auditId = dryRun ? undefined : await this.#begin(scope, search)
    const until = performance.now() + WAIT_FOR_HELD_MS
    // The history learns of what ran a moment later. So once nothing is held, everything is looked at once more.
    let wasHeld = false
    for (let pass = 1; ; pass++) {
      for (const [table, { batch, isDocuments }] of tables) {
        // A source's rows are not held for long, and become no deliveries.
        if (pass > 1 && isDocuments && erased.get(table)?.held === 0) continue
        const count = { erased, table, app: scope.app, auditId, hash: search.hash }
        await this.#eraseTable(batch, count, dryRun)
      }
      const isHeld = [...erased.values()].some(({ held }) => held > 0)
      if ((!isHeld && !wasHeld) || performance.now() > until) return erased
      wasHeld = isHeld
      await sleep(LOOK_AGAIN_MS)
    }
  }

  notCovered(tables: Iterable<string>): NotCovered {
    const sources = [...this.#options.plugins.sources.values()].filter(({ name }) => name !== DEAD_LETTER_SOURCE)
    const covered = new Set([...CORE_TABLES, ...sources.flatMap(({ erase }) => Object.keys(erase ?? {}))])
    return {
      sources: sources.filter(({ erase }) => erase === undefined).map(({ name }) => name),
      tables: [...new Set(tables)].filter((table) => !covered.has(table)).toSorted(),
    }
  }

  #tables(app: string, search: ReadSearch): ReadonlyMap<string, Table> {
    const { sql } = this.#options
    const { pattern, caller } = search
    const tables = new Map<string, Table>()
    if (pattern !== undefined) this.#addPayloads(app, search, pattern, tables)
    if (caller === undefined) return tables
    for (const table of CALLED_TABLES) {
      const batch: Batch = ({ on, after = firstKeyOf(table), limit, dryRun }) =>
        only(sql.run(on, eraseCallers(table), [app, after, limit, caller, dryRun]))
      tables.set(`${table}.caller`, { batch, isDocuments: false })
    }
    return tables
  }

  #addPayloads(app: string, { sources, texts }: ReadSearch, pattern: PayloadPattern, tables: Map<string, Table>): void {
    const { sql, plugins, record } = this.#options
    const asJson = texts.map((text) => JSON.stringify(text).slice(1, -1))
    for (const source of plugins.sources.values())
      if (sources === null || sources.includes(source.name))
        for (const [table, batch] of documentsOf(source, app, pattern, sql))
          tables.set(table, { batch, isDocuments: true })
    const add = (table: string, batch: Batch) => tables.set(table, { batch, isDocuments: false })
    add('outbox', async ({ on, after = FIRST_ID, limit, dryRun }) => {
      const parameters = [app, after, limit, sources, ...pattern, dryRun, record, REPLY] as const
      return only(sql.run(on, eraseWaiting, [...parameters]))
    })
    add('dead_letters', ({ on, after = FIRST_ID, limit, dryRun }) =>
      only(sql.run(on, eraseLetters, [app, after, limit, sources, ...pattern, dryRun])),
    )
    add('replies', ({ on, after = FIRST_UUID, limit, dryRun }) =>
      only(sql.run(on, eraseReplies, [app, after, limit, sources, ...pattern, dryRun])),
    )
    add('abandoned_executions', ({ on, after = FIRST_UUID, limit, dryRun }) =>
      only(sql.run(on, eraseAbandoned, [app, after, limit, sources, ...pattern, dryRun])),
    )
    if (texts.length > 0)
      add('attempts', ({ on, after = FIRST_ID, limit, dryRun }) =>
        only(sql.run(on, eraseAttempts, [app, after, limit, sources, texts, asJson, dryRun])),
      )
  }

  async #eraseTable(batch: Batch, count: Counting, dryRun: boolean): Promise<void> {
    const counts = count.erased.get(count.table) as Mutable<ErasedRows>
    counts.held = counts.unreadable = 0
    let limit = BATCH_ROWS
    for (let after: string | undefined; ;) {
      this.#options.assertOpen()
      const done = await this.#eraseBatch(batch, { after, limit, dryRun }, count)
      if (done === 'too long') {
        limit = Math.ceil(limit / 4)
        continue
      }
      if (dryRun) counts.ids = [...counts.ids, ...done.ids].slice(0, 10)
      else counts.held += done.found - done.erased
      counts.unreadable += done.unreadable
      if (done.upTo === null) return
      after = done.upTo
    }
  }

  async #eraseBatch(
    batch: Batch,
    asked: { readonly after: string | undefined; readonly limit: number; readonly dryRun: boolean },
    counting: Counting,
    isSecondTry = false,
  ): Promise<ErasedBatch | 'too long'> {
    const { erased, table, app, auditId, hash } = counting
    const { calls, sql } = this.#options
    const counts = erased.get(table) as Mutable<ErasedRows>
    const before = counts.rows
    const work = (tx: Queryable) =>
      calls.during('writing', tx, async () => {
        const done = await batch({ on: tx, ...asked })
        counts.rows = before + (asked.dryRun ? done.found : done.erased)
        if (auditId !== undefined && done.erased > 0)
          await sql.run(tx, countErased, [app, auditId, JSON.stringify(auditOf(hash, erased))])
        return done
      })
    try {
      return await calls.transaction(work, (tx) => beginOn(tx, BATCH_SETTINGS))
    } catch (error) {
      counts.rows = before
      if (!isOutbusError(error)) throw error
      if (error.sqlState === SQL_STATE.queryCanceled && asked.limit > 1) return 'too long'
      if (error.sqlState !== SQL_STATE.checkViolation || isSecondTry) throw error
      // The history has no table for the day yet.
      await calls.transaction((tx) => calls.during('writing', tx, () => sql.run(tx, addDays, ['attempts'])))
      return this.#eraseBatch(batch, asked, counting, true)
    }
  }

  /** Writes the audit row before the first row goes, so that an interrupted erasure is known. */
  async #begin(scope: CallScope, { hash }: ReadSearch): Promise<string> {
    const { calls, sql } = this.#options
    const after = auditOf(hash, new Map())
    return calls.transaction((tx) =>
      calls.during('writing', tx, async () => {
        await audit(sql, tx, scope, [{ action: 'data.erase', operation: 'apps.eraseData', resource: hash, after }])
        const [row] = await sql.run(tx, auditWritten, [])
        return (row as { id: string }).id
      }),
    )
  }
}

interface Counting {
  readonly erased: ReadonlyMap<string, ErasedRows>
  readonly table: string
  readonly app: string
  readonly auditId: string | undefined
  readonly hash: string
}

/** Counts, and a hash of the search, without a word about whom it concerns. */
function auditOf(hash: string, erased: ReadonlyMap<string, ErasedRows>) {
  const counts = [...erased].filter(([, { rows }]) => rows > 0).map(([table, { rows }]) => [table, rows])
  return { sha256: hash, erased: Object.fromEntries(counts) as Record<string, number> }
}

function documentsOf(source: AnySource, app: string, pattern: PayloadPattern, sql: Sql): [string, Batch][] {
  return Object.entries(source.erase ?? {}).flatMap(([table, erase]): [string, Batch][] => {
    if (typeof erase !== 'function') return []
    return [
      [
        table,
        ({ on, ...asked }) => erase({ app, pattern, ...asked, run: (stated, values) => sql.run(on, stated, values) }),
      ],
    ]
  })
}

async function only(answer: Promise<ErasedBatch[]>): Promise<ErasedBatch> {
  return (await answer)[0] as ErasedBatch
}

function nothing(): ErasedRows {
  return { rows: 0, held: 0, unreadable: 0, ids: [] }
}
