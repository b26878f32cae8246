import type pg from 'pg'

/** A `pg` pool, client or pool client. */
export type Queryable = Pick<pg.ClientBase, 'query'> | Pick<pg.Pool, 'query'>
