import { createHash } from 'node:crypto'

/** The LISTEN channel of a schema's dispatchers. */
export function wakeUpChannel(schema: string): string {
  return channelName('outbus_wake_', schema)
}

/** The channel of requests, which have their own lane. */
export function requestChannel(schema: string): string {
  return channelName('outbus_request_', schema)
}

/** The channel of deliveries that are to be ended while they run. */
export function cancelChannel(schema: string): string {
  return channelName('outbus_cancel_', schema)
}

/** Lanes that rows were written for. */
export interface Wakes {
  readonly batched: boolean
  readonly ordered: boolean
  readonly single: boolean
}

/** The payload of a wake-up. */
export function wakesOf({ batched, ordered, single }: Wakes): string {
  return `${batched ? 'b' : ''}${ordered ? 'o' : ''}${single ? 's' : ''}`
}

/** An empty payload may be for any lane. */
export function readWakes(payload: string): Wakes {
  const has = (lane: string) => payload === '' || payload.includes(lane)
  return { batched: has('b'), ordered: has('o'), single: has('s') }
}

/** Hashed if it would be longer than the 63 bytes that Postgres takes. */
function channelName(prefix: string, schema: string): string {
  const channel = `${prefix}${schema}`
  return channel.length <= 63 ? channel : `${prefix}${createHash('sha256').update(schema).digest('hex').slice(0, 40)}`
}
