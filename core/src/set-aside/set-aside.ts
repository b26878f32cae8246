/**
 * Rows that cannot be read are set aside alone, counted, listed, and logged once (G19), so that they block no others. A
 * login of the app may have written them past the bus, or another version of the program.
 */
import type { Logger } from 'pino'
import { z } from 'zod'
import type { CallScope } from '../contract/scope.ts'
import { boundedText } from '../secrets/bounded-text.ts'
import { reasonOf } from '../contract/thrown.ts'
import type { HideSecrets } from '../secrets/hide-secrets.ts'
import type { Page, PageOptions } from '../validation/page.ts'
import { decodeCursor, encodeCursor, pageLimit, pageSchema, toPage } from '../validation/page.ts'
import { listSetAside } from '../sql/set-aside/list-set-aside.ts'
import { putAside } from '../sql/set-aside/put-aside.ts'
import { takeBack } from '../sql/set-aside/take-back.ts'
import type { Access } from '../principals/access.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { assertName, nameSchema } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'

export interface RowAddress {
  readonly app: string
  /** What the row is, such as `dead_letter` or `schedule`. */
  readonly kind: string
  /** Its key in its table. */
  readonly id: string
}

export interface SetAsideRow extends RowAddress {
  /** Why the row could not be read. At most 500 characters. */
  readonly reason: string
  readonly setAsideAt: Date
}

export interface SetAsideFilter {
  /** Default: every kind. */
  readonly kind?: string
}

export interface SetAside {
  /** The app's rows that could not be read, by kind and id, ascending. An entry goes once its row is mended. */
  list(filter?: SetAsideFilter, page?: PageOptions): Promise<Page<SetAsideRow>>
}

const MAX_REASON_CHARACTERS = 500

/** Writes and counts the entries of one process. */
export class SetAsideRows {
  readonly #sql: Sql
  readonly #log: Logger
  readonly #hideSecrets: HideSecrets
  #count = 0

  constructor(sql: Sql, log: Logger, hideSecrets: HideSecrets) {
    this.#hideSecrets = hideSecrets
    this.#sql = sql
    this.#log = log
  }

  /** Rows that this process was the first to set aside. */
  get count(): number {
    return this.#count
  }

  /** Writes, counts and logs a row once. `on`: the transaction that takes the row out of the way. */
  async put(on: Queryable, { app, kind, id }: RowAddress, because: unknown): Promise<void> {
    const written = await this.#sql.run(on, putAside, [app, kind, id, this.#reasonOf(because)])
    if (written.length > 0) this.tell({ app, kind, id }, because)
  }

  /** Only counts and logs, for a login that may not write. */
  tell({ app, kind, id }: RowAddress, because: unknown): void {
    this.#count++
    this.#log.error({ app, kind, id, reason: this.#reasonOf(because) }, 'a row cannot be understood, and was set aside')
  }

  #reasonOf(because: unknown): string {
    return boundedText(reasonOf(because), MAX_REASON_CHARACTERS, this.#hideSecrets)
  }

  /** The row can be read again, or is gone. */
  async takeBack(on: Queryable, { app, kind, id }: RowAddress): Promise<void> {
    await this.#sql.run(on, takeBack, [app, kind, id])
  }
}

const filterSchema = z.strictObject({ kind: nameSchema('options.invalid').optional() })
const pageOptions = z.strictObject(pageSchema)

export class SetAsideStore implements SetAside {
  readonly #sql: Sql
  readonly #on: Queryable
  readonly #scope: CallScope
  readonly #access: Access

  constructor(sql: Sql, on: Queryable, scope: CallScope, access: Access) {
    this.#sql = sql
    this.#on = on
    this.#scope = scope
    this.#access = access
  }

  async list(filter: SetAsideFilter = {}, page: PageOptions = {}): Promise<Page<SetAsideRow>> {
    const { kind: wanted = null } = parseWith(filterSchema, filter, { code: 'options.invalid', what: 'setAside.list' })
    const given = parseWith(pageOptions, page, { code: 'options.invalid', what: 'setAside.list' })
    const { app } = this.#scope
    const listing = ['set aside', app, wanted ?? '']
    const limit = pageLimit(given.limit)
    const position = decodeCursor(listing, given.cursor, readPosition)
    const [kind, id] = position === undefined ? [null, null] : readPosition(position)
    await this.#access.assert(this.#scope, this.#on, { action: 'set_aside.read', resource: { filter } })
    const rows = await this.#sql.run(this.#on, listSetAside, [app, wanted, kind, id, limit + 1])
    const items = rows.map((row) => ({
      app,
      kind: row.kind,
      id: row.row_id,
      reason: row.reason,
      setAsideAt: row.set_aside_at,
    }))
    return toPage(items, limit, (last) => encodeCursor(listing, `${last.kind}\n${last.id}`))
  }
}

/** Kinds are names, without line breaks. */
function readPosition(position: string): readonly [kind: string, id: string] {
  const end = position.indexOf('\n')
  const kind = position.slice(0, Math.max(0, end))
  assertName(kind, { what: 'a kind of row' })
  return [kind, position.slice(end + 1)]
}
