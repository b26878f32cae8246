import { expect, test } from 'vitest'
import { writeStatement, writtenWithin } from './write-statement.ts'

const parts = {
  ctes: 'put as (insert into t select $1, $12 where {current} returning n)',
  rows: `select n, '{}'::json as generated from put where $1 > 0`,
}

test('by itself it writes whatever the index is', () => {
  expect(writeStatement('w', parts).plain.text).toBe(
    `with put as (insert into t select $1, $12 where true returning n)\nselect n, '{}'::json as generated from put where $1 > 0`,
  )
})

test('in another statement its parameters come after those of that one, and its write is on the condition', () => {
  const sql = writtenWithin(writeStatement('w', parts), { after: 15, ids: '$3', current: '$2 = 1' })
  expect(sql).toContain('put as (insert into t select $16, $27 where $2 = 1 returning n)')
  expect(sql).toContain(`from put where $16 > 0`)
})

test('one that would write without the condition is refused', () => {
  expect(() => writeStatement('w', { ...parts, ctes: 'put as (insert into t select $1 returning n)' })).toThrow(
    '{current}',
  )
})
