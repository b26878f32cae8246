export { bookings } from './bookings.ts'
export type { BookingsApi } from './bookings.ts'
