import { OutbusError } from '../errors.ts'

/** Postgres silently cuts identifiers at this many bytes. */
const MAX_BYTES = 63

/**
 * Returns the name if it may be a bus's schema. It has lower-case letters, digits and underscores, does not start with
 * a digit, has at most 63 bytes, and is none of Postgres's own. `public` is fine. Such a name needs no escaping in
 * quotes.
 */
export function assertSchemaName(name: string): string {
  const problem = problemOf(name)
  if (problem === undefined) return name
  throw new OutbusError('schema.name', `a schema name ${problem}`, {
    path: 'schema',
    received: name,
    limit: MAX_BYTES,
    hint: 'for example outbus',
  })
}

function problemOf(name: unknown): string | undefined {
  if (typeof name !== 'string') return 'is a string'
  if (name === '') return 'is not empty'
  if (Buffer.byteLength(name) > MAX_BYTES) return `is at most ${MAX_BYTES} bytes`
  if (!/^[a-z_][a-z0-9_]*$/.test(name)) {
    return 'has lower-case letters a-z, digits and underscores only, and does not start with a digit'
  }
  if (name.startsWith('pg_') || name === 'information_schema') return 'is not one of Postgres itself'
  return undefined
}
