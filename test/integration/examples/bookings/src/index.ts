export { bookings } from './bookings.ts'
export { BookingsError } from './errors.ts'
export type { BookingsApi } from './bookings.ts'
