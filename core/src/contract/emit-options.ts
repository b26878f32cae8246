/** What an emitter says beside the event, and what it hears back. */
import { z } from 'zod'
import { OutbusError } from '../errors.ts'
import type { Priority } from '../validation/priority.ts'
import { PRIORITIES } from '../validation/priority.ts'
import { msOfDate } from '../validation/kinds.ts'
import { keySchema } from '../validation/names.ts'

export interface EmitOptions {
  /**
   * A repeated emit with the same key (per app and source) within the window writes nothing and answers with the
   * first event's id. 1 to 255 bytes. A principal's keys are its own: the service's, and other principals', are others.
   */
  readonly dedupeKey?: string
  /** How long the key is remembered, in ms. Default 86,400,000 (24 hours); it outlives the rows. */
  readonly dedupeWindowMs?: number
  /**
   * Due no earlier than this long after the write, by the database's clock. Default 0; not with `runAt`. A principal that delays what an
   * `ordered` trigger of somebody else handles gives an `orderingKey` too; else it is refused (`access.forbidden`), since others would wait in line behind it.
   */
  readonly delayMs?: number
  /**
   * Due no earlier than this: a Date, or ISO 8601 text with a time and a zone (`2027-02-28T09:30:00Z`, `…+01:00`), at most ten years
   * off. A day that the calendar does not have is refused (`event.run_at`). Not with `delayMs`, which says what holds for principals.
   */
  readonly runAt?: Date | string
  /** Instead of each trigger's own priority. */
  readonly priority?: Priority
  /**
   * Instead of the source's own ordering key. 1 to 255 bytes. A principal's keys are its own: what it gives one is in order with nothing but
   * what the same principal emits with the same key.
   */
  readonly orderingKey?: string
  /**
   * Refuses an event that no trigger matches (`emit.no_match`), before anything is written: nobody would ever hear of it. Default
   * false: such an event writes no row, is counted in `bus.stats.unmatched`, and is logged once for its app, source and op.
   */
  readonly requireMatch?: boolean
}

export interface EmitResult {
  /** A uuid (version 7). Of the first event when this one was a duplicate. */
  readonly eventId: string
  /** Outbox rows written: one for each matching trigger; 0 for a duplicate. */
  readonly deliveries: number
  /**
   * The ids of those rows, in no promised order: what `cx.deliveries` takes, and what each handler gets as its `deliveryId`. Empty for
   * a duplicate: the rows are those of the first event, whose id is here. After a restore, or a failover that lost commits, they come
   * again for other events: what is kept for long, to withdraw a delivery one day, is the whole result, or `eventId` with them.
   */
  readonly deliveryIds: readonly string[]
  /** True when the dedupe key was taken: nothing was written. */
  readonly duplicate: boolean
}

/** Default of `dedupeWindowMs`: 24 hours. */
export const DEFAULT_DEDUPE_WINDOW_MS = 86_400_000
/** Cap of `dedupeWindowMs`: 90 days, so that the table of keys stays bounded. */
const MAX_DEDUPE_WINDOW_MS = 7_776_000_000

/** Of what every emit takes. A verb with options of its own extends it, so that all of them are read in one place. */
export const emitOptionsSchema = z.strictObject({
  dedupeKey: keySchema().optional(),
  dedupeWindowMs: z.number().min(1).max(MAX_DEDUPE_WINDOW_MS).optional(),
  delayMs: z.unknown().optional(),
  // A copy: whoever gave a Date may set it to another time meanwhile.
  runAt: z.unknown().transform(copyOfDate).optional(),
  priority: z.enum(PRIORITIES).optional(),
  orderingKey: keySchema().optional(),
  requireMatch: z.boolean().optional(),
})

export type ParsedEmitOptions = z.output<typeof emitOptionsSchema>

/** What the `Authorizer` is asked with: each option of an emit. `runAt` as ISO 8601 text in UTC. */
export type EmitOptionFacts = { readonly [O in keyof EmitOptions]-?: EmitOptions[O] | undefined } & {
  readonly runAt: string | undefined
}

/** For the `actions` of a source whose verb takes the options of an emit: what they are in the resource. */
export const EMIT_OPTIONS_RESOURCE: Readonly<Record<keyof EmitOptions, string>> = {
  priority: 'of the options',
  dedupeKey: 'of the options',
  dedupeWindowMs: 'of the options',
  delayMs: 'of the options',
  runAt: 'of the options',
  orderingKey: 'of the options',
  requireMatch: 'of the options',
}

function copyOfDate(given: unknown): unknown {
  const ms = msOfDate(given)
  return ms === undefined ? given : new Date(ms)
}

/** Of `emitMany`. */
export function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value)
  } catch {
    // The engine refuses to say what a revoked proxy is.
    return false
  }
}

/** Of `emitMany`: options go by position. */
export function assertOptionsByPosition(events: readonly unknown[], options: unknown): void {
  if (options === undefined || (isList(options) && options.length <= events.length)) return
  throw new OutbusError(
    'event.invalid',
    isList(options)
      ? 'emitMany: there are more options than events'
      : 'emitMany takes an array of options, one for each event by position',
    { path: 'options', received: options },
  )
}
