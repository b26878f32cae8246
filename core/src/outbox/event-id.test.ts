import { expect, test } from 'vitest'
import { validate, version } from 'uuid'
import { newEventId } from './event-id.ts'

test('ids are uuids of version 7, ascending and never the same', () => {
  const ids = Array.from({ length: 2_000 }, newEventId)
  expect(ids.every((id) => validate(id) && version(id) === 7)).toBe(true)
  expect(ids.toSorted()).toEqual(ids)
  expect(new Set(ids.map((id) => id.slice(-12))).size).toBe(ids.length)
})
