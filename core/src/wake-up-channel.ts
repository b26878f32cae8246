import { createHash } from 'node:crypto'

/** The LISTEN channel of a schema's dispatchers. */
export function wakeUpChannel(schema: string): string {
  return channelName('outbus_wake_', schema)
}

/** The same for requests, which have lanes of their own. */
export function requestChannel(schema: string): string {
  return channelName('outbus_request_', schema)
}

/** The same for deliveries that are to be ended while they run. */
export function cancelChannel(schema: string): string {
  return channelName('outbus_cancel_', schema)
}

/** Hashed where it would be longer than Postgres takes (63 bytes). */
function channelName(prefix: string, schema: string): string {
  const channel = `${prefix}${schema}`
  return channel.length <= 63 ? channel : `${prefix}${createHash('sha256').update(schema).digest('hex').slice(0, 40)}`
}
