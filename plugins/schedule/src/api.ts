/** The verbs at `cx.schedule`. A schedule is a row, written in the caller's transaction when there is one. */
import { randomUUID } from 'node:crypto'
import type { Page } from '@outbus/core'
import {
  abortSignalSchema,
  assertName,
  clock,
  dateSchema,
  decodeCursor,
  encodeCursor,
  encodeJson,
  nameSchema,
  pageLimit,
  pageSchema,
  parseWith,
  quotaExceeded,
  toPage,
} from '@outbus/core/plugin'
import type { JsonValue, PageOptions, SourceContext, SourceTransaction } from '@outbus/core/plugin'
import { z } from 'zod'
import type { scheduleEvents } from './events.ts'
import { calculator, previews } from './calculator.ts'
import { deleteSchedule } from './sql/delete-schedule.ts'
import { getSchedule } from './sql/get-schedule.ts'
import { lockSchedules } from './sql/lock-schedules.ts'
import { listSchedules } from './sql/list-schedules.ts'
import { putSchedule } from './sql/put-schedule.ts'
import type { ScheduleRow } from './sql/schedule-row.ts'

export interface ScheduleInput {
  /** A cron expression of five fields, or a recurrence rule (RFC 5545): `FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0`. */
  readonly recurrence: string
  /** IANA name, by which the recurrence is read. Default `UTC`. */
  readonly timezone?: string
  /** Of occurrences while no process dispatched: nothing, or one event for all of them. Default `skip`. */
  readonly missed?: 'skip' | 'once'
  /** Any JSON value; comes with each event. Default null. */
  readonly data?: unknown
  /** Whether its events are emitted. Default true. */
  readonly enabled?: boolean
}

export interface Schedule {
  readonly name: string
  readonly recurrence: string
  readonly timezone: string
  readonly missed: 'skip' | 'once'
  readonly data: JsonValue
  readonly enabled: boolean
  /**
   * Why it was not carried out the last time; undefined where it was. One that cannot be read is looked at again in an hour, or when it is
   * set again. One whose event could not be emitted, as for whoever was removed or disabled, is tried again at its next occurrence.
   */
  readonly problem: string | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}

export interface PreviewOptions {
  /** Default `UTC`. */
  readonly timezone?: string
  /** Occurrences after this. Default now. */
  readonly from?: Date
  /** 1 to 1,000. Default 5. */
  readonly count?: number
  /** Once it aborts, the preview is not calculated, or nobody waits for it any more: `schedule.cancelled`. Default none. */
  readonly signal?: AbortSignal
}

export interface ScheduleApi {
  /**
   * Makes the schedule `name` of the app, or changes it. `schedule.invalid` for a recurrence or a time zone that cannot be
   * read, that has seconds, that occurs more than once a minute, or never again; `schedule.too_complex` for one that takes long to
   * calculate; `quota.exceeded` for a new one where the app has as many as it may. Takes effect within seconds in whatever
   * processes dispatch.
   */
  set(name: string, schedule: ScheduleInput): Promise<Schedule>
  /** Undefined when the app has none of this name. */
  get(name: string): Promise<Schedule | undefined>
  /** By name, ascending. */
  list(options?: PageOptions): Promise<Page<Schedule>>
  /** False when there was none. */
  delete(name: string): Promise<boolean>
  /**
   * When a recurrence occurs next. Fewer than `count` where it ends. No database is asked: it is calculated in a thread of its own, in
   * which apps take turns. `schedule.invalid` as for `set`; `schedule.too_complex` where it takes more than 2 s; `schedule.busy` where
   * 100 previews of the app wait already; `schedule.cancelled` where `signal` aborts.
   */
  preview(recurrence: string, options?: PreviewOptions): Promise<Date[]>
}

/** A rule with its exceptions may be long; this is a calendar entry, not a calendar. */
const MAX_RECURRENCE_CHARACTERS = 2_000

const recurrenceSchema = z.string().max(MAX_RECURRENCE_CHARACTERS)
const inputSchema = z.strictObject({
  recurrence: recurrenceSchema,
  timezone: nameSchema('schedule.invalid').default('UTC'),
  missed: z.enum(['skip', 'once']).default('skip'),
  data: z.unknown().optional(),
  enabled: z.boolean().default(true),
})
const previewSchema = z.strictObject({
  timezone: nameSchema('schedule.invalid').default('UTC'),
  from: dateSchema().optional(),
  count: z.int().min(1).max(1_000).default(5),
  signal: abortSignalSchema.optional(),
})
const listSchema = z.strictObject(pageSchema)

type Transaction = SourceTransaction<typeof scheduleEvents>

export function scheduleApi(context: SourceContext<typeof scheduleEvents>): ScheduleApi {
  const { app } = context

  /** Whose schedule a principal changes, once it may. The service changes anybody's, and nobody is asked. */
  async function ownerFor(verb: string, name: string, resource: object, ofNew: string | null): Promise<string | null> {
    if (context.principal === undefined) return null
    const [row] = await context.run(getSchedule, [app, name])
    const owner = row === undefined ? ofNew : row.owner
    // One that is not there is whoever's to delete.
    await context.authorize(verb, { ...resource }, row === undefined ? context.principal.id : owner)
    return owner
  }

  /** Reads it as it is until the end of the transaction. Whoever changes schedules of the app waits. */
  async function present(tx: Transaction, name: string): Promise<ScheduleRow | undefined> {
    await tx.run(lockSchedules, [app])
    const [row] = await tx.run(getSchedule, [app, name])
    return row
  }

  return {
    async set(name, schedule) {
      assertScheduleName(name)
      const given = parseWith(inputSchema, schedule, { code: 'schedule.invalid', what: 'schedule' })
      await calculator.assert(given, new Date(clock.wallClock()), { app })
      const data = encodeJson(given.data ?? null, { path: 'data', maxBytes: context.maxEventBytes })
      const { schedules: most } = await context.quotas()
      const self = context.principal?.id ?? null
      for (;;) {
        const ownedBy = await ownerFor('set', name, { name, schedule: given }, self)
        const row = await context.transaction(async (tx) => {
          const was = await present(tx, name)
          const [put] = await tx.run(putSchedule, [
            randomUUID(),
            app,
            name,
            given.recurrence,
            given.timezone,
            given.missed,
            data,
            given.enabled,
            context.caller?.id ?? null,
            most,
            self,
            ownedBy,
            context.principal === undefined,
          ])
          if (put === undefined || put.over_quota) throw quotaExceeded(app, 'schedules', { use: most + 1, limit: most })
          if (put.id !== null) await auditSet(tx, was, put)
          return put
        })
        if (row.id !== null) return toSchedule(row)
        // Somebody else has made one of this name meanwhile: it is asked again, about that one.
      }
    },
    async get(name) {
      assertScheduleName(name)
      const [row] = await context.run(getSchedule, [app, name])
      await context.authorize('get', { name }, row === undefined ? context.principal?.id : row.owner)
      return row === undefined ? undefined : toSchedule(row)
    },
    async list(options = {}) {
      const given = parseWith(listSchema, options, { code: 'options.invalid', what: 'schedule.list' })
      const listing = ['schedules', app]
      const limit = pageLimit(given.limit)
      const after = decodeCursor(listing, given.cursor, assertScheduleName)
      const owner = (await context.reach('list', {})) ?? null
      const rows = await context.run(listSchedules, [app, after ?? null, limit + 1, owner])
      return toPage(rows.map(toSchedule), limit, (last) => encodeCursor(listing, last.name))
    },
    async delete(name) {
      assertScheduleName(name)
      const ownedBy = await ownerFor('delete', name, { name }, null)
      return context.transaction(async (tx) => {
        const was = await present(tx, name)
        const gone = await tx.run(deleteSchedule, [app, name, ownedBy, context.principal === undefined])
        if (gone.length > 0) await tx.audit({ verb: 'delete', resource: name, before: settingsOf(was) })
        return gone.length > 0
      })
    },
    async preview(given, options = {}) {
      const recurrence = parseWith(recurrenceSchema, given, {
        code: 'schedule.invalid',
        what: 'schedule.preview',
        path: 'recurrence',
      })
      const { timezone, from, count, signal } = parseWith(previewSchema, options, {
        code: 'options.invalid',
        what: 'schedule.preview',
      })
      return previews.preview({ recurrence, timezone }, from ?? new Date(clock.wallClock()), count, { app, signal })
    },
  }
}

/** The data comes with each event, and is none of the audit's: only that it is another one. */
function auditSet(tx: Transaction, was: ScheduleRow | undefined, is: Omit<ScheduleRow, 'id'>): Promise<void> {
  const isOther = was !== undefined && JSON.stringify(was.data) !== JSON.stringify(is.data)
  const after = isOther ? { ...settingsOf(is), data: 'changed' } : settingsOf(is)
  return tx.audit({ verb: 'set', resource: is.name, before: settingsOf(was), after })
}

function settingsOf(row: Omit<ScheduleRow, 'id'> | undefined): object | undefined {
  if (row === undefined) return undefined
  const { name, recurrence, timezone, missed, enabled, owner, caller } = row
  return { name, recurrence, timezone, missed, enabled, owner, caller }
}

function toSchedule(row: Omit<ScheduleRow, 'id'>): Schedule {
  const { name, recurrence, timezone, missed, data, enabled, problem, created_at, updated_at } = row
  return {
    name,
    recurrence,
    timezone,
    missed,
    data,
    enabled,
    problem: problem ?? undefined,
    createdAt: created_at,
    updatedAt: updated_at,
  }
}

function assertScheduleName(name: unknown): void {
  assertName(name, { what: 'a schedule name', code: 'schedule.invalid' })
}
