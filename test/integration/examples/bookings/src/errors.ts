import { defineErrors } from '@outbus/core'

/** What core has no word for. */
export const BookingsError = defineErrors('bookings', ['taken'])
