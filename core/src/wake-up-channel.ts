import { createHash } from 'node:crypto'

/** The LISTEN channel of a schema's dispatchers; hashed where it would be longer than Postgres takes (63 bytes). */
export function wakeUpChannel(schema: string): string {
  const channel = `outbus_wake_${schema}`
  return channel.length <= 63
    ? channel
    : `outbus_wake_${createHash('sha256').update(schema).digest('hex').slice(0, 40)}`
}
