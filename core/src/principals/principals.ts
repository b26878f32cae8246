/** The principals of one app, as `AdminPrincipalResolver` reads them. */
import { z } from 'zod'
import type { CallScope } from '../context.ts'
import type { Page, PageOptions } from '../page.ts'
import { decodeCursor, encodeCursor, pageLimit, pageSchema, toPage } from '../page.ts'
import { listPrincipals } from '../sql/list-principals.ts'
import { putPrincipal } from '../sql/put-principal.ts'
import { removePrincipal } from '../sql/remove-principal.ts'
import type { PrincipalRow } from '../sql/resolve-principals.ts'
import { resolvePrincipals } from '../sql/resolve-principals.ts'
import type { Queryable, Sql } from '../sql/statement.ts'
import { assertName, nameSchema } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'
import type { Access } from './access.ts'
import type { ResolvedPrincipal } from './resolver.ts'

export interface PrincipalPatch {
  /** Default: those that it has; none for a new one. `admin` may change what others registered. */
  readonly roles?: readonly string[]
  /** Default: as it is; false for a new one. */
  readonly disabled?: boolean
}

/** Changing them takes the right `principal.change`: by default the service itself, and whoever has the role `admin`. */
export interface Principals {
  get(id: string): Promise<ResolvedPrincipal | undefined>
  list(page?: PageOptions): Promise<Page<ResolvedPrincipal>>
  /** Makes it known, or changes what is named. Honoured by the next delivery that is run. */
  put(id: string, patch?: PrincipalPatch): Promise<ResolvedPrincipal>
  /** What it registered stays, and fails closed. True: it was there. */
  remove(id: string): Promise<boolean>
}

const patchSchema = z.strictObject({
  roles: z.array(nameSchema('options.invalid')).max(100).optional(),
  disabled: z.boolean().optional(),
})
const listSchema = z.strictObject(pageSchema)

export class PrincipalStore implements Principals {
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

  async get(id: string): Promise<ResolvedPrincipal | undefined> {
    assertPrincipalId(id)
    const [row] = await this.#sql.run(this.#on, resolvePrincipals, [[this.#scope.app], [id]])
    return row === undefined ? undefined : toPrincipal(row)
  }

  async list(page: PageOptions = {}): Promise<Page<ResolvedPrincipal>> {
    const given = parseWith(listSchema, page, { code: 'options.invalid', what: 'principals.list' })
    const listing = ['principals', this.#scope.app]
    const limit = pageLimit(given.limit)
    const after = decodeCursor(listing, given.cursor, assertPrincipalId)
    const rows = await this.#sql.run(this.#on, listPrincipals, [this.#scope.app, after ?? null, limit + 1])
    return toPage(rows.map(toPrincipal), limit, ({ id }) => encodeCursor(listing, id))
  }

  async put(id: string, patch: PrincipalPatch = {}): Promise<ResolvedPrincipal> {
    assertPrincipalId(id)
    const { roles, disabled } = parseWith(patchSchema, patch, { code: 'options.invalid', what: 'principal' })
    await this.#access.assert(this.#scope, this.#on, 'principal.change', undefined)
    const [row] = await this.#sql.run(this.#on, putPrincipal, [this.#scope.app, id, roles ?? null, disabled ?? null])
    return toPrincipal(row as PrincipalRow)
  }

  async remove(id: string): Promise<boolean> {
    assertPrincipalId(id)
    await this.#access.assert(this.#scope, this.#on, 'principal.change', undefined)
    return (await this.#sql.run(this.#on, removePrincipal, [this.#scope.app, id])).length > 0
  }
}

function assertPrincipalId(id: unknown): asserts id is string {
  assertName(id, { what: 'a principal id', path: 'id', code: 'options.invalid' })
}

function toPrincipal({ id, roles, disabled }: PrincipalRow): ResolvedPrincipal {
  return { id, roles, disabled }
}
