import type pg from 'pg'
import type { Queryable } from './statement.ts'

/**
 * What Postgres answers. By callback: of the promises that `pg` makes itself, and of its timeout for each statement, V8's young
 * generation keeps the result of one query alive until long after the next ones, and moves it to the old one, rows and all.
 */
export async function answer(on: Queryable, query: pg.QueryConfig): Promise<pg.QueryResult> {
  try {
    return await new Promise((resolve, reject) => {
      const returned: unknown = (on as pg.ClientBase).query(query, (error: Error | null, result) =>
        error ? reject(error) : resolve(result),
      )
      // Of somebody's own client around `pg`'s, which knows promises only; or hands the callback on, and promises nothing.
      if (returned instanceof Object && 'then' in returned)
        (returned as Promise<pg.QueryResult | undefined>).then((result) => result && resolve(result), reject)
    })
  } catch (error) {
    // It was made where the socket is read. What a reader looks for is who asked.
    if (typeof error === 'object' && error !== null) Error.captureStackTrace(error)
    throw error
  }
}
