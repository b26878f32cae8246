import { expect, test } from 'vitest'
import { duplicateOf, emitted, idsByEvent, idsOfUniform } from './delivery-ids.ts'

test('ids that are neighbours are counted on from the first, also beyond what a number holds', () => {
  expect(idsOfUniform('7', 2)(1, 2, 'e')).toEqual(['9', '10'])
  expect(idsOfUniform('9007199254740993', 2)(3, 2, 'e')).toEqual(['9007199254740999', '9007199254741000'])
})

test('others are cut out of the list, event by event', () => {
  const idsOf = idsOfUniform('{1,3,4,9,12,13}', 2)
  expect([0, 1, 2].map((place) => idsOf(place, 2, 'e'))).toEqual([
    ['1', '3'],
    ['4', '9'],
    ['12', '13'],
  ])
})

test('of events that differ they are found by the id of the event', () => {
  const idsOf = idsByEvent('{"b":"5,2","a":"9007199254740993"}')
  expect([idsOf(0, 1, 'a'), idsOf(1, 2, 'b'), idsOf(2, 0, 'c')]).toEqual([['9007199254740993'], ['5', '2'], []])
})

test('where nothing was written there are none', () => {
  expect([idsOfUniform(null, 2)(0, 2, 'e'), idsByEvent(null)(0, 1, 'e'), duplicateOf('e').deliveryIds]).toEqual([
    [],
    [],
    [],
  ])
})

test('a result is plain data: it is spread, compared and written as JSON with its ids, which are read once', () => {
  let asked = 0
  const result = emitted('e', 100, 0, () => [String(++asked), 'x'])
  expect(asked).toBe(0)
  expect(JSON.parse(JSON.stringify(result))).toEqual({
    eventId: 'e',
    deliveries: 100,
    deliveryIds: ['1', 'x'],
    duplicate: false,
  })
  expect({ ...result }.deliveryIds).toEqual(['1', 'x'])
})
