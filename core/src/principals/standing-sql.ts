/** Statements of a context that acts for somebody: each runs only while all concerned are known and not disabled. */
import type { CallScope } from '../contract/scope.ts'
import { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { Statement } from '../contract/statement.ts'
import type { Access } from './access.ts'

export class StandingSql extends Sql {
  readonly #sql: Sql
  readonly #access: Access
  readonly #scope: CallScope

  constructor(sql: Sql, access: Access, scope: CallScope) {
    super(sql.schema, sql.prepare)
    this.#sql = sql
    this.#access = access
    this.#scope = scope
  }

  override async run<Parameters extends readonly unknown[], Row>(
    on: Queryable,
    stated: Statement<Parameters, Row>,
    parameters: Parameters,
  ): Promise<Row[]> {
    await this.#access.assertStanding(this.#scope, on)
    return this.#sql.run(on, stated, parameters)
  }
}
