/** Whatever the application has told `pg` about types, for all its connections: the bus has types of its own on each statement (G21). */
import { useTestDatabase, useTestPool } from '@outbus/test-kit/vitest'
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { aDay } from './a-day.ts'

const { types, defaults } = pg
type Parse = (text: string) => unknown
const restore: (() => void)[] = []
afterEach(() => {
  for (const each of restore.splice(0).toReversed()) each()
})

function parse(oid: number, parser: Parse): void {
  const before = types.getTypeParser(oid) as Parse
  restore.push(() => types.setTypeParser(oid, before))
  types.setTypeParser(oid, parser)
}

function set(name: string, value: unknown): void {
  const settings = defaults as unknown as Record<string, unknown>
  const before = settings[name]
  restore.push(() => (settings[name] = before ?? false))
  settings[name] = value
}

const asText: Parse = (text) => text
const BOOL = 16
const INT8 = 20
const INTEGERS = [21, 23, 26]
const FLOATS = [700, 701, 1700]
const JSONS = [114, 3802]
const TIMES = [1082, 1114, 1184]
const ARRAYS = [199, 1000, 1005, 1007, 1009, 1015, 1016, 1021, 1022, 1115, 1182, 1185, 1231, 2951, 3807]
const OTHERS = [17, 25, 1043, 2950, 1186]

test.for<[string, () => void]>([
  ['nothing', () => undefined],
  ['defaults.parseInt8', () => set('parseInt8', true)],
  ['int8 as BigInt', () => parse(INT8, BigInt)],
  ['times as texts', () => TIMES.forEach((oid) => parse(oid, asText))],
  ['times as objects of a library', () => TIMES.forEach((oid) => parse(oid, (text) => ({ text, isValid: true })))],
  ['JSON as texts', () => JSONS.forEach((oid) => parse(oid, asText))],
  ['numbers as texts, booleans too', () => [BOOL, ...INTEGERS, ...FLOATS].forEach((oid) => parse(oid, asText))],
  ['arrays as texts', () => ARRAYS.forEach((oid) => parse(oid, asText))],
  [
    'everything as something else',
    () =>
      [BOOL, INT8, ...INTEGERS, ...FLOATS, ...JSONS, ...TIMES, ...ARRAYS, ...OTHERS].forEach((oid) =>
        parse(oid, (text) => new Map([['text', text]])),
      ),
  ],
  ['results in binary', () => set('binary', true)],
  ['dates sent as UTC', () => set('parseInputDatesAsUTC', true)],
])('a day of the bus is the same with %s', async ([, change]) => {
  const db = await useTestDatabase()
  change()
  await expect(aDay(db)).resolves.toBeUndefined()
})

test("with parsers and formats of the application's own pool, the bus goes by none of them", async () => {
  const db = await useTestDatabase()
  const types = { getTypeParser: () => () => 'what the application wants' }
  // Not in the types of `pg`, which has it.
  const config: pg.PoolConfig & { binary: boolean } = { max: 4, binary: true, types }
  const pool = useTestPool(db.url, config)
  await aDay(db, pool)
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 'what the application wants' }])
})
