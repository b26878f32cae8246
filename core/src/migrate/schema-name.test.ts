import { describe, expect, it } from 'vitest'
import { assertSchemaName } from './schema-name.ts'

describe('assertSchemaName', () => {
  it.each(['outbus', 'public', '_private', 'shop_2', 'user', 'a'.repeat(63), 'pgboss'])('takes %j', (name) => {
    expect(assertSchemaName(name)).toBe(name)
  })

  it.each([
    ['', 'not empty'],
    ['a'.repeat(64), '63 bytes'],
    ['ü'.repeat(32), '63 bytes'],
    ['Outbus', 'lower-case'],
    ['out"bus', 'lower-case'],
    ['out bus', 'lower-case'],
    ['outbus\n', 'lower-case'],
    ['1outbus', 'start with a digit'],
    ['überbus', 'a-z'],
    ['pg_outbus', 'Postgres itself'],
    ['information_schema', 'Postgres itself'],
    [undefined, 'is a string'],
  ])('refuses %j', (name, message) => {
    expect(() => assertSchemaName(name as string)).toThrowError(
      expect.objectContaining({ code: 'schema.name', message: expect.stringContaining(message) }),
    )
  })
})
