import type pg from 'pg'

/** A `pg` pool, client or pool client: whatever runs a query. */
export type Queryable = Pick<pg.ClientBase, 'query'> | Pick<pg.Pool, 'query'>
