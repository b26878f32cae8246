import { useTestDatabase } from '@outbus/test-kit/vitest'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ArrayText } from './arrays.ts'
import { jsonArray, plainArray, textArray } from './arrays.ts'

test('what is sent as an array comes back as it was', async () => {
  const { pool } = await useTestDatabase()
  const roundTrip = async (array: ArrayText | readonly unknown[], type: string) =>
    (await pool.query<{ back: unknown }>(`select $1::${type}[] as back`, [array])).rows[0]?.back
  const orNull = <T>(value: fc.Arbitrary<T>) => fc.array(fc.option(value))
  const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0') && value.isWellFormed())
  await fc.assert(
    fc.asyncProperty(
      orNull(fc.integer()),
      orNull(fc.uuid()),
      orNull(fc.jsonValue()),
      orNull(text),
      async (...given) => {
        const [numbers, uuids, values, texts] = given
        const json = values.map((value) => (value === null ? null : JSON.stringify(value)))
        expect(await roundTrip(plainArray(numbers), 'double precision')).toEqual(numbers)
        expect(await roundTrip(plainArray(uuids), 'uuid')).toEqual(uuids)
        expect(await roundTrip(jsonArray(json), 'text')).toEqual(json)
        expect(await roundTrip(textArray(texts), 'text')).toEqual(texts)
      },
    ),
  )
})
