import type pg from 'pg'
import { expect, test } from 'vitest'
import { rawQuery } from './raw-query.ts'
import type { Queryable } from './queryable.ts'

const RESULT = { rows: [{ one: 1 }] } as unknown as pg.QueryResult
const QUERY = { text: 'select 1 as one' }

test('a client that calls back and one that only knows promises are both heard', async () => {
  const callsBack = { query: (_: unknown, done: (error: null, result: unknown) => void) => done(null, RESULT) }
  const promises = { query: async () => RESULT }
  const handsOn = { query: async (...args: Parameters<typeof callsBack.query>) => callsBack.query(...args) }
  for (const on of [callsBack, promises, handsOn])
    expect(await rawQuery(on as unknown as Queryable, QUERY)).toBe(RESULT)
})

test('an error of either says who asked', async () => {
  const wrong = new Error('wrong')
  const callsBack = { query: (_: unknown, done: (error: Error) => void) => done(wrong) }
  const promises = {
    query: async () => {
      throw wrong
    },
  }
  for (const on of [callsBack, promises]) {
    async function whoAsked(): Promise<void> {
      await rawQuery(on as unknown as Queryable, QUERY)
    }
    await expect(whoAsked()).rejects.toBe(wrong)
    expect(wrong.stack).toContain('whoAsked')
  }
})
