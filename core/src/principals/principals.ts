/** The principals of one app, as `AdminPrincipalResolver` reads them. */
import { z } from 'zod'
import type { MakeChange } from '../audit/auditor.ts'
import type { CallScope } from '../contract/scope.ts'
import { OutbusError } from '../errors.ts'
import type { Page, PageOptions } from '../validation/page.ts'
import { decodeCursor, encodeCursor, pageLimit, pageSchema, toPage } from '../validation/page.ts'
import { listPrincipals } from '../sql/principals/list-principals.ts'
import { putPrincipal } from '../sql/principals/put-principal.ts'
import { removePrincipal } from '../sql/principals/remove-principal.ts'
import type { PrincipalRow } from '../sql/principals/resolve-principals.ts'
import { lockPrincipal, resolvePrincipals } from '../sql/principals/resolve-principals.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { assertName, nameSchema, readPrincipalId } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'
import type { Access } from './access.ts'
import type { ResolvedPrincipal } from '../contract/principal.ts'
import { toPrincipal } from './resolver.ts'

export interface PrincipalPatch {
  /** Default: unchanged; none for a new one. `admin` may change what others registered. */
  readonly roles?: readonly string[]
  /** Default: unchanged; false for a new one. */
  readonly disabled?: boolean
}

/** Changes take the right `principal.change`: by default of the service, and of the role `admin`. */
export interface Principals {
  get(id: string): Promise<ResolvedPrincipal | undefined>
  list(page?: PageOptions): Promise<Page<ResolvedPrincipal>>
  /**
   * Creates the principal, or changes what is named, from the next delivery on. Only the service creates a removed one
   * again, without its former roles. `options.invalid` for ids with look-alikes: blanks, invisible characters, letters
   * of several scripts.
   */
  put(id: string, patch?: PrincipalPatch): Promise<ResolvedPrincipal>
  /**
   * What the principal registered stays and fails closed. The principal stays known as removed, so that no trigger
   * brings the id back. True if the principal was there.
   */
  remove(id: string): Promise<boolean>
}

const patchSchema = z.strictObject({
  roles: z.array(nameSchema('options.invalid')).max(100).exactOptional(),
  disabled: z.boolean().exactOptional(),
})
const listSchema = z.strictObject(pageSchema)

export interface PrincipalStoreOptions {
  readonly sql: Sql
  readonly on: Queryable
  readonly change: MakeChange
  readonly scope: CallScope
  readonly access: Access
}

export class PrincipalStore implements Principals {
  readonly #sql: Sql
  readonly #on: Queryable
  readonly #change: MakeChange
  readonly #scope: CallScope
  readonly #access: Access

  constructor({ sql, on, change, scope, access }: PrincipalStoreOptions) {
    this.#sql = sql
    this.#on = on
    this.#change = change
    this.#scope = scope
    this.#access = access
  }

  async get(id: string): Promise<ResolvedPrincipal | undefined> {
    const found = await this.#find(id)
    await this.#access.assert(this.#scope, this.#on, {
      action: 'principal.read',
      resource: { id },
      owner: found?.id ?? id,
    })
    return found === undefined || found.removed ? undefined : toPrincipal(found)
  }

  async list(page: PageOptions = {}): Promise<Page<ResolvedPrincipal>> {
    const given = parseWith(listSchema, page, { code: 'options.invalid', what: 'principals.list' })
    const listing = ['principals', this.#scope.app]
    const limit = pageLimit(given.limit)
    const after = decodeCursor(listing, given.cursor, assertSomeId)
    const question = { action: 'principal.read', resource: { id: undefined } } as const
    const alone = (await this.#access.reach(this.#scope, this.#on, question)) ?? null
    const rows = await this.#sql.run(this.#on, listPrincipals, [this.#scope.app, after ?? null, limit + 1, alone])
    return toPage(rows.map(known), limit, ({ id }) => encodeCursor(listing, id))
  }

  async put(id: string, patch: PrincipalPatch = {}): Promise<ResolvedPrincipal> {
    const { roles, disabled } = parseWith(patchSchema, patch, { code: 'options.invalid', what: 'principal' })
    const resource = { id, change: 'put', roles, disabled } as const
    await this.#access.assert(this.#scope, this.#on, { action: 'principal.change', resource })
    // An id that is no longer permitted can still be changed, such as disabled.
    const putId = (await this.#find(id))?.id ?? readPrincipalId(id, { path: 'id' })
    const revives = this.#scope.principal === undefined
    const parameters = [this.#scope.app, putId, roles ?? null, disabled ?? null, revives] as const
    const row = await this.#change(async (sql, on) => {
      const [was] = await sql.run(on, lockPrincipal, [this.#scope.app, putId])
      const [is] = await sql.run(on, putPrincipal, [...parameters])
      const change = { action: 'principal.change', operation: 'principals.put', resource: putId } as const
      return {
        result: is,
        changes: is === undefined ? [] : [{ ...change, before: rightsOf(was), after: rightsOf(is) }],
      }
    })
    if (row !== undefined) {
      this.#access.forget(this.#scope.app, putId)
      return known(row)
    }
    throw new OutbusError('access.forbidden', `principal ${JSON.stringify(putId)} was removed`, {
      path: 'id',
      received: putId,
      hint: 'only the service makes it again: call put from a context that names no principal',
    })
  }

  async remove(id: string): Promise<boolean> {
    assertSomeId(id)
    const resource = { id, change: 'remove', roles: undefined, disabled: undefined } as const
    await this.#access.assert(this.#scope, this.#on, { action: 'principal.change', resource })
    const found = await this.#find(id)
    if (found === undefined) return false
    const removed = await this.#change(async (sql, on) => {
      const [was] = await sql.run(on, lockPrincipal, [this.#scope.app, found.id])
      const rows = await sql.run(on, removePrincipal, [this.#scope.app, found.id])
      const change = { action: 'principal.change', operation: 'principals.remove', resource: found.id } as const
      return { result: rows, changes: rows.length === 0 ? [] : [{ ...change, before: rightsOf(was) }] }
    })
    this.#access.forget(this.#scope.app, found.id)
    return removed.length > 0
  }

  /** Finds a principal by its id as given or in normal form, even an id from before the rule. */
  async #find(id: string): Promise<PrincipalRow | undefined> {
    assertSomeId(id)
    const ids = [...new Set([id, id.normalize('NFC')])]
    const rows = await this.#sql.run(this.#on, resolvePrincipals, [ids.map(() => this.#scope.app), ids])
    return rows.find((row) => row.id === id) ?? rows[0]
  }
}

function assertSomeId(id: unknown): asserts id is string {
  assertName(id, { what: 'a principal id', path: 'id', code: 'options.invalid' })
}

/** What the audit keeps of a principal. Undefined if the principal was not there, or was removed. */
function rightsOf(row: PrincipalRow | undefined): object | undefined {
  return row === undefined || row.removed ? undefined : { roles: row.roles, disabled: row.disabled }
}

function known(row: PrincipalRow): ResolvedPrincipal {
  return toPrincipal(row) as ResolvedPrincipal
}
