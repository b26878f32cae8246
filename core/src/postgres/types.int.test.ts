/** The bus's own types are those that `pg` has where nobody changed them, bar the few that it reads as text (G21). */
import { useTestDatabase } from '@outbus/test-kit/vitest'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rawQuery, rowsOf } from './raw-query.ts'
import { parameterOf } from './types.ts'

const { pool } = await useTestDatabase()

test.for<[type: string, text: string]>([
  ['boolean', 'true'],
  ['boolean[]', '{t,NULL,f}'],
  ['bytea', '\\x00ff41'],
  ['bytea[]', '{"\\\\x00ff","\\\\x"}'],
  ['bigint', '9223372036854775807'],
  ['bigint[]', '{1,-2,NULL}'],
  ['smallint', '-3'],
  ['integer', '2147483647'],
  ['integer[]', '{{1,2},{3,NULL}}'],
  ['oid', '4294967295'],
  ['real', '1.5'],
  ['double precision', '-Infinity'],
  ['double precision[]', '{1.25,NaN}'],
  ['numeric', '12345678901234567890.5'],
  ['name', 'outbus'],
  ['text', 'ä "\\'],
  ['text[]', '{"a,b",NULL,"NULL","{\\"}"}'],
  ['varchar(3)[]', '{abc}'],
  ['uuid', '00000000-0000-4000-8000-000000000001'],
  ['uuid[]', '{00000000-0000-4000-8000-000000000001}'],
  ['json', '{"a": [1, null]}'],
  ['jsonb', 'null'],
  ['jsonb[]', '{"{\\"a\\": 1}",NULL}'],
  ['date', '2026-02-28'],
  ['timestamp', '2026-02-28 23:59:59.001'],
  ['timestamptz', '2026-02-28 23:59:59.999999+00'],
  ['timestamptz', '0044-03-15 12:00:00+00 BC'],
  ['timestamptz', '12026-03-15 12:00:00+05:30'],
  ['timestamptz[]', '{"2026-02-28 00:00:00+00",NULL}'],
])('a %s is read as pg reads it: %s', async ([type, text]) => {
  const query = { text: `select $1::${type} as value`, values: [text] }
  const [asPgDoes, own] = [await pool.query(query), await rawQuery(pool, query)]
  expect(own.rows).toEqual(asPgDoes.rows)
})

test.for<[type: string, text: string, ms: number]>([
  ['date', 'infinity', 8.64e15],
  ['timestamptz', '-infinity', -8.64e15],
  ['timestamptz', '294276-12-31 23:59:59+00', 8.64e15],
  ['timestamptz', '4713-01-01 00:00:00+00 BC', Date.UTC(-4712, 0, 1)],
  ['timestamp[]', '{infinity}', 8.64e15],
])('a time that no Date can say is the farthest one: %s %s', async ([type, text, ms]) => {
  const [row] = await rowsOf<{ value: Date | Date[] }>(pool, `select $1::${type} as value`, [text])
  expect([row?.value].flat()).toEqual([new Date(ms)])
})

test.for(['UTC', 'America/St_Johns', 'Asia/Kathmandu', 'Europe/Amsterdam'])(
  'a time is the same instant in the time zone %s',
  async (zone) => {
    const client = await pool.connect()
    try {
      await client.query(`set timezone = '${zone}'`)
      for (const at of ['1890-06-01T00:00:00.500Z', '2026-07-01T12:34:56.789Z', '2400-01-01T00:00:00.001Z'])
        expect(await rowsOf(client, `select $1::timestamptz as at`, [at])).toEqual([{ at: new Date(at) }])
    } finally {
      client.release(true)
    }
  },
)

test('what is sent comes back as it was', async () => {
  const sent = async (value: unknown, type: string) => {
    const [row] = await rowsOf<{ back: unknown }>(pool, `select $1::${type} as back`, [parameterOf(value)])
    return row?.back
  }
  const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0') && value.isWellFormed())
  const date = fc.date({
    min: new Date('0001-01-02T00:00:00Z'),
    max: new Date('9999-12-30T00:00:00Z'),
    noInvalidDate: true,
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.option(text)),
      date,
      fc.array(date),
      fc.uint8Array(),
      async (texts, at, times, bytes) => {
        expect(await sent(texts, 'text[]')).toEqual(texts)
        expect(await sent(at, 'timestamptz')).toEqual(at)
        expect(await sent(at, 'timestamp')).toEqual(at)
        expect(await sent(times, 'timestamptz[]')).toEqual(times)
        expect(await sent(Buffer.from(bytes), 'bytea')).toEqual(Buffer.from(bytes))
        expect(await sent([Buffer.from(bytes)], 'bytea[]')).toEqual([Buffer.from(bytes)])
      },
    ),
    { numRuns: 50 },
  )
  expect(
    await sent(
      [
        [1n, 2],
        [null, 3],
      ],
      'bigint[]',
    ),
  ).toEqual([
    ['1', '2'],
    [null, '3'],
  ])
  expect(await sent({ a: [1] }, 'jsonb')).toEqual({ a: [1] })
  expect(await sent(undefined, 'integer')).toBe(null)
  expect(await sent(false, 'boolean')).toBe(false)
})

test('bytes are read in the old format too', async () => {
  const client = await pool.connect()
  try {
    await client.query(`set bytea_output = 'escape'`)
    const bytes = Buffer.from([0, 65, 92, 255])
    expect(await rowsOf(client, 'select $1::bytea as bytes', [bytes])).toEqual([{ bytes }])
  } finally {
    client.release(true)
  }
})
