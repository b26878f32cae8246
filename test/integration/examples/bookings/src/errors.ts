import { defineErrors } from '@outbus/core/plugin'

/** What core has no word for. */
export const BookingsError = defineErrors('bookings', ['taken'])
