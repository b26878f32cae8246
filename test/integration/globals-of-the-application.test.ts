/** What an application, or a library of its own, has done to the globals of its process: the bus does the same (G21). */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { openPool } from '@outbus/test-kit/connections'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import type pg from 'pg'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { aDay } from './a-day.ts'

const restore: (() => void)[] = []
afterEach(() => {
  for (const each of restore.splice(0).toReversed()) each()
})

/** Until the end of the test. Undefined: it is gone. */
function put(on: object, name: string, value: unknown): void {
  const before = Object.getOwnPropertyDescriptor(on, name)
  restore.push(() => {
    Reflect.deleteProperty(on, name)
    if (before !== undefined) Object.defineProperty(on, name, before)
  })
  if (value === undefined) Reflect.deleteProperty(on, name)
  else Object.defineProperty(on, name, { value, configurable: true, writable: true })
}

test('a day of the bus is the same without what some applications take away, and with dates that show something else', async () => {
  const db = await useTestDatabase()
  // As in other engines.
  put(Error, 'captureStackTrace', undefined)
  // As with zone.js.
  put(Promise, 'withResolvers', undefined)
  put(Date.prototype, 'toISOString', () => 'no')
  await expect(aDay(db)).resolves.toBeUndefined()
})

/** As a library hands out an object whose functions it has bound. */
function bindingAll<T extends object>(object: T): T {
  return new Proxy(object, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

test('a pool behind a proxy that binds its functions will do', async () => {
  const db = await useTestDatabase()
  const pool = openPool({ connectionString: db.url })
  onTestFinished(() => pool.end())
  await expect(aDay(db, bindingAll(pool))).resolves.toBeUndefined()
})

test('what has some members of a pool and not the others is refused by name', async () => {
  const database = { totalCount: 0, connect: () => Promise.resolve({}) } as unknown as pg.Pool
  await expect(createBus({ database, plugins: [kv()], app: 'shop' })).rejects.toMatchObject({
    code: 'options.invalid',
    path: 'database',
  })
})
