/**
 * One SQL statement: the name to prepare it by, its text with `{schema}` for the schema, and the types of its
 * parameters and rows. A file holds one statement, or variants of one.
 */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import { OutbusError } from '../errors.ts'
import { OWN_TYPES, parameterOf, TEXTS } from './types.ts'
import { SQL_STATE, sqlStateOf } from './postgres-errors.ts'
import { rawQuery } from './raw-query.ts'
import { inCatalog } from './in-catalog.ts'
import type { Statement } from '../contract/statement.ts'
import type { Queryable } from './queryable.ts'

export function statement<Parameters extends readonly unknown[], Row = never>(
  name: string,
  text: string,
  options: { raw?: boolean } = {},
): Statement<Parameters, Row> {
  return { name, text, raw: options.raw ?? false }
}

/** Statements bound to one schema, whose name has been checked. */
export class Sql {
  readonly schema: string
  /** False behind a transaction-mode pooler, where a prepared statement may be on another server connection. */
  readonly prepare: boolean
  readonly #bound = new Map<string, ReturnType<typeof boundTo>>()
  #check: ((on: Queryable) => Promise<void>) | undefined
  #checking: { readonly on: Queryable; readonly done: Promise<void> } | undefined

  constructor(schema: string, prepare: boolean) {
    this.schema = schema
    this.prepare = prepare
  }

  /**
   * Every statement waits for `check`, and fails with it, until `check` has resolved once. The check uses the
   * statement's connection, which may be the only one in a caller's transaction.
   */
  checkFirst(check: (on: Queryable) => Promise<void>): void {
    this.#check = check
  }

  /** The check has been done elsewhere. */
  checked(): void {
    this.#check = undefined
  }

  async run<Parameters extends readonly unknown[], Row>(
    on: Queryable,
    stated: Statement<Parameters, Row>,
    parameters: Parameters,
  ): Promise<Row[]> {
    try {
      if (this.#check !== undefined) await this.#runCheck(on, this.#check)
      const result = await this.send(on, stated, parameters)
      return result.rows as Row[]
    } catch (error) {
      // Only the caller's own transaction can have failed before; `pg` learns of that a moment later.
      if (sqlStateOf(error) !== SQL_STATE.failedTransaction) throw error
      throw new OutbusError(
        'emit.tx_closed',
        'a statement of the transaction has failed: it takes nothing more until it is rolled back',
        { path: 'tx', cause: error },
      )
    }
  }

  /** Concurrent callers on one pool share one check. */
  async #runCheck(on: Queryable, check: (on: Queryable) => Promise<void>): Promise<void> {
    if (this.#checking?.on === on) return this.#checking.done
    const checking = { on, done: check(on) }
    this.#checking = checking
    try {
      await checking.done
      this.checked()
    } finally {
      if (this.#checking === checking) this.#checking = undefined
    }
  }

  /** As {@link run}, with the command tag. */
  send<Parameters extends readonly unknown[], Row>(
    on: Queryable,
    stated: Statement<Parameters, Row>,
    parameters: Parameters,
  ): Promise<pg.QueryResult> {
    const { name, text } = this.#bind(stated)
    const config = {
      text,
      values: parameters.map(parameterOf),
      ...(this.prepare ? { name } : {}),
      ...(stated.raw ? { rowMode: 'array' as const, types: TEXTS } : { types: OWN_TYPES }),
    }
    return rawQuery(on, config)
  }

  #bind(stated: Statement<readonly unknown[], unknown>): ReturnType<typeof boundTo> {
    let bound = this.#bound.get(stated.name)
    if (bound === undefined) {
      bound = boundTo(this.schema, stated)
      this.#bound.set(stated.name, bound)
    }
    return bound
  }
}

/** A statement as Postgres gets it: the name that it is prepared by, and its text. Pure. */
export function boundTo(
  schema: string,
  stated: Pick<Statement<readonly unknown[], unknown>, 'name' | 'text'>,
): { readonly name: string; readonly text: string } {
  return {
    // The name contains the schema: two buses with different schemas may share a connection.
    name: preparedName(`${schema}.${stated.name}`),
    text: inCatalog(stated.text).replaceAll('{schema}', `"${schema}"`),
  }
}

/** Postgres cuts names at 63 bytes, so that two long ones could become one. */
function preparedName(name: string): string {
  return name.length <= 63 ? name : createHash('sha256').update(name).digest('hex').slice(0, 40)
}
