import { describe, expect, it } from 'vitest'
import { useTestDatabase } from './vitest.ts'

const db = await useTestDatabase()

describe('useTestDatabase', () => {
  it('gives a file a database of its own', async () => {
    const { rows } = await db.pool.query<{ name: string }>('select current_database() as name')
    expect(rows).toEqual([{ name: db.name }])
  })

  it('gives a test a database of its own', async () => {
    const own = await useTestDatabase()
    const { rows } = await own.pool.query<{ name: string }>('select current_database() as name')
    expect(rows).toEqual([{ name: own.name }])
    expect(own.name).not.toBe(db.name)
  })
})
