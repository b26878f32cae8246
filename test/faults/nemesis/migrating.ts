/** What migrates in these faults, and what its processes are told. */
import type { BusOptions } from '@outbus/core'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import pino from 'pino'

export interface MigratingSettings {
  readonly url: string
  readonly schema: string
  /** Which statement, from 1; none: it lives. */
  readonly killedAt?: number
  /** Whether that statement has been sent. */
  readonly sent?: boolean
}

/** Core's line and those of two plugins. */
export function migratingOptions(url: string, schema: string) {
  return {
    database: url,
    schema,
    plugins: [kv(), docs()],
    migrate: true,
    retention: false,
    log: pino({ level: 'silent' }),
  } as const satisfies BusOptions<readonly [ReturnType<typeof kv>, ReturnType<typeof docs>]>
}
