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

/** A change of an app's quotas: null makes one the default again, and what is not named stays as it is. */
export type QuotasPatch = { readonly [Name in QuotaName]?: number | null }

/** A count of anything in one database. */
const MOST = 1_000_000_000_000
const count = z.int().min(0).max(MOST)

interface QuotaFacts<Limit> {
  readonly byDefault: Limit
  /** Of `app_quotas`, with its type. */
  readonly column: string
  readonly type: 'bigint' | 'float8'
  readonly schema: z.ZodType<Limit>
  /** What it counts, in a message. */
  readonly of: string
}

const counted = (byDefault: number, column: string, of: string): QuotaFacts<number> => ({
  byDefault,
  column,
  type: 'bigint',
  schema: count,
  of,
})

/** The one list of them. What else is kept by quota is made of it. */
const QUOTAS: { readonly [Name in QuotaName]: QuotaFacts<Quotas[Name]> } = {
  triggers: counted(10_000, 'triggers', 'triggers'),
  schedules: counted(1_000, 'schedules', 'schedules'),
  rowsPerEmit: counted(100_000, 'rows_per_emit', 'rows in one emit'),
  bytesPerEmit: counted(268_435_456, 'bytes_per_emit', 'bytes in one emit'),
  rowsWaiting: counted(5_000_000, 'rows_waiting', 'rows in the outbox'),
  rowsPerRoot: counted(100_000, 'rows_per_root', 'rows of one root event'),
  emitsPerSecond: {
    byDefault: null,
    column: 'emits_per_second',
    type: 'float8',
    schema: z.number().min(0).max(MOST).nullable(),
    of: 'events a second',
  },
}

const NAMES = Object.keys(QUOTAS) as QuotaName[]

/** An object with a member for each quota, whose type the caller says. */
function ofEach<Members extends Record<QuotaName, unknown>>(
  member: (facts: QuotaFacts<number> | QuotaFacts<number | null>) => Members[QuotaName],
): Members {
  return Object.fromEntries(NAMES.map((name) => [name, member(QUOTAS[name])])) as Members
}

export const DEFAULT_QUOTAS = ofEach<{ [Name in QuotaName]: Quotas[Name] }>(({ byDefault }) => byDefault)

/** The columns of `app_quotas`, with their types. */
export const QUOTA_COLUMNS: readonly Pick<QuotaFacts<unknown>, 'column' | 'type'>[] = Object.values(QUOTAS)

/** Of `createBus`: other defaults. */
export const quotasSchema = z
  .strictObject(ofEach<{ [Name in QuotaName]: z.ZodType<Quotas[Name]> }>(({ schema }) => schema as z.ZodType<number>))
  .partial()

export const quotasPatchSchema = z
  .strictObject(ofEach<Record<QuotaName, z.ZodType<number | null>>>(({ schema }) => schema.nullable()))
  .partial()

/** The members that a row of `app_quotas` states. What it has beside them, such as what a newer version adds, is passed over. */
export function statedBy(
  row: Readonly<Record<string, unknown>> | null | undefined,
): Partial<Record<QuotaName, number>> {
  const stated: Partial<Record<QuotaName, number>> = {}
  if (row === null || row === undefined) return stated
  for (const name of NAMES) {
    const value = row[QUOTAS[name].column]
    if (typeof value === 'number' && value >= 0) stated[name] = value
  }
  return stated
}

/** What a patch says, by columns, as JSON. */
export function patchText(patch: QuotasPatch): string {
  const given = NAMES.filter((name) => patch[name] !== undefined)
  return JSON.stringify(Object.fromEntries(given.map((name) => [QUOTAS[name].column, patch[name]])))
}

/** `quota.exceeded`. `use`: how much there would be, or, of what is estimated, how much there is. */
export function quotaExceeded(
  app: string,
  quota: QuotaName,
  { use, limit }: { readonly use: number; readonly limit: number },
): OutbusError {
  return new OutbusError(
    'quota.exceeded',
    `app ${JSON.stringify(app)} is over its quota ${quota}: ${use} ${QUOTAS[quota].of}, and ${limit} are allowed`,
    {
      path: `quotas.${quota}`,
      received: use,
      limit,
      hint: `bus.apps.setQuotas(${JSON.stringify(app)}, { ${quota}: … }) allows more; docs/quotas.md`,
    },
  )
}
