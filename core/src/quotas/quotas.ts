/** Quotas: what one app may have and do, so that no app takes from another one without a bound (G19). */
import { z } from 'zod'
import { OutbusError } from '../errors.ts'

/** The limits of an app. Each has a default, which `bus.apps.setQuotas` overrides for one app. */
export interface Quotas {
  /** Triggers, disabled ones included. Counted by the statement that creates one. Default 10,000. */
  readonly triggers: number
  /** Schedules of the schedule plugin. Counted by the statement that creates one. Default 1,000. */
  readonly schedules: number
  /** Rows that one call writes: the deliveries of all its events. Default 100,000. */
  readonly rowsPerEmit: number
  /** Bytes of JSON that one call writes: of each row its event. Default 268,435,456 (256 MiB). */
  readonly bytesPerEmit: number
  /**
   * Rows in the outbox, waiting, delayed, set aside or running. An estimate: see docs/quotas.md. What handlers emit is refused at
   * twice as many, so that what was accepted can be finished. Default 5,000,000.
   */
  readonly rowsWaiting: number
  /**
   * Rows that one root event may cause, its own included. What is beyond is written, then skipped and counted, as rows beyond
   * `maxTriggerDepth` are. Default 100,000.
   */
  readonly rowsPerRoot: number
  /** Events a second that one process emits, and as many at once. Null: any number. Default null. */
  readonly emitsPerSecond: number | null
}

export type QuotaName = keyof Quotas

export const DEFAULT_QUOTAS: Quotas = {
  triggers: 10_000,
  schedules: 1_000,
  rowsPerEmit: 100_000,
  bytesPerEmit: 268_435_456,
  rowsWaiting: 5_000_000,
  rowsPerRoot: 100_000,
  emitsPerSecond: null,
}

/** A change of an app's quotas: null makes one the default again, and what is not named stays as it is. */
export type QuotasPatch = { readonly [Name in QuotaName]?: number | null }

/** The columns of `app_quotas`. */
export const QUOTA_COLUMNS = {
  triggers: 'triggers',
  schedules: 'schedules',
  rowsPerEmit: 'rows_per_emit',
  bytesPerEmit: 'bytes_per_emit',
  rowsWaiting: 'rows_waiting',
  rowsPerRoot: 'rows_per_root',
  emitsPerSecond: 'emits_per_second',
} as const satisfies Record<QuotaName, string>

const NAMES = Object.keys(QUOTA_COLUMNS) as QuotaName[]
/** A count of anything in one database. */
const MOST = 1_000_000_000_000

const count = z.int().min(0).max(MOST)
const shape = {
  triggers: count,
  schedules: count,
  rowsPerEmit: count,
  bytesPerEmit: count,
  rowsWaiting: count,
  rowsPerRoot: count,
  emitsPerSecond: z.number().min(0).max(MOST).nullable(),
} satisfies Record<QuotaName, z.ZodType>

/** Of `createBus`: other defaults. */
export const quotasSchema = z.strictObject(shape).partial()

const orDefault = count.nullable().optional()
export const quotasPatchSchema = z.strictObject({
  triggers: orDefault,
  schedules: orDefault,
  rowsPerEmit: orDefault,
  bytesPerEmit: orDefault,
  rowsWaiting: orDefault,
  rowsPerRoot: orDefault,
  emitsPerSecond: shape.emitsPerSecond.optional(),
} satisfies Record<QuotaName, z.ZodType>)

/** The members that a row of `app_quotas` states. What it has beside them, such as what a newer version adds, is passed over. */
export function statedBy(
  row: Readonly<Record<string, unknown>> | null | undefined,
): Partial<Record<QuotaName, number>> {
  const stated: Partial<Record<QuotaName, number>> = {}
  if (row === null || row === undefined) return stated
  for (const name of NAMES) {
    const value = row[QUOTA_COLUMNS[name]]
    if (typeof value === 'number' && value >= 0) stated[name] = value
  }
  return stated
}

/** What a patch says, by columns, as JSON. */
export function patchText(patch: QuotasPatch): string {
  const given = NAMES.filter((name) => patch[name] !== undefined)
  return JSON.stringify(Object.fromEntries(given.map((name) => [QUOTA_COLUMNS[name], patch[name]])))
}

const OF: Readonly<Record<QuotaName, string>> = {
  triggers: 'triggers',
  schedules: 'schedules',
  rowsPerEmit: 'rows in one emit',
  bytesPerEmit: 'bytes in one emit',
  rowsWaiting: 'rows in the outbox',
  rowsPerRoot: 'rows of one root event',
  emitsPerSecond: 'events a second',
}

/** `quota.exceeded`. `use`: how much there would be, or, of what is estimated, how much there is. */
export function quotaExceeded(
  app: string,
  quota: QuotaName,
  { use, limit }: { readonly use: number; readonly limit: number },
): OutbusError {
  return new OutbusError(
    'quota.exceeded',
    `app ${JSON.stringify(app)} is over its quota ${quota}: ${use} ${OF[quota]}, and ${limit} are allowed`,
    {
      path: `quotas.${quota}`,
      received: use,
      limit,
      hint: `bus.apps.setQuotas(${JSON.stringify(app)}, { ${quota}: … }) allows more; docs/quotas.md`,
    },
  )
}
