import { expect, test } from 'vitest'
import { isOutbusError, OutbusError } from '../errors.ts'
import { defineErrors } from './plugin-errors.ts'

const BookingsError = defineErrors('bookings', ['taken', 'closed'])

test("an error of a plugin's own is one of Outbus, with its code, path and hint", () => {
  const error: unknown = new BookingsError('bookings.taken', 'the room is taken', { path: 'room', hint: 'ask later' })
  expect([
    isOutbusError(error),
    isOutbusError(error, 'bookings.taken'),
    isOutbusError(error, 'bookings.closed'),
  ]).toEqual([true, true, false])
  expect((error as OutbusError).toJSON()).toEqual({
    code: 'bookings.taken',
    message: 'the room is taken (ask later)',
    path: 'room',
    hint: 'ask later',
  })
  expect((error as OutbusError).under('rooms[1]')).toMatchObject({ code: 'bookings.taken', path: 'rooms[1].room' })
})

test('it is told by its plugin and by its code, from whichever copy of the plugin', () => {
  const error: unknown = new (defineErrors('bookings', ['taken', 'closed']))('bookings.taken', 'no')
  expect([BookingsError.is(error), BookingsError.is(error, 'bookings.taken')]).toEqual([true, true])
  expect([BookingsError.is(error, 'bookings.closed'), BookingsError.is(new OutbusError('page.limit', 'no'))]).toEqual([
    false,
    false,
  ])
  expect(BookingsError.codes).toEqual(['bookings.taken', 'bookings.closed'])
})

test('a code that is not declared is refused, by the compiler and at run time', () => {
  // @ts-expect-error -- the plugin does not declare it
  expect(() => new BookingsError('bookings.tkaen', 'no')).toThrow(expect.objectContaining({ code: 'plugin.invalid' }))
  // @ts-expect-error -- core does not know it
  expect(new OutbusError('page.lmit', 'no').code).toBe('page.lmit')
})

test.each([
  ['trigger', ['taken']],
  ['version', ['taken']],
  ['Bookings', ['taken']],
  ['', ['taken']],
  ['bookings', ['Taken']],
  ['bookings', ['room.taken']],
  ['bookings', ['']],
])('names that are none, or are those of core, are refused: %s %j', (plugin, names) => {
  expect(() => defineErrors(plugin, names)).toThrow(expect.objectContaining({ code: 'plugin.invalid' }))
})
