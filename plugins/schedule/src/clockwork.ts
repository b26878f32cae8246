/**
 * What a dispatching process does for schedules: tells pg-boss what changed, and emits when pg-boss says that it is time.
 *
 *   set, delete ──▶ row marked changed ──every few seconds, by any process──▶ boss.schedule / unschedule
 *   boss: due ──▶ a job, once over all processes ──▶ emit, deduped by the job's id
 *   once a minute: what pg-boss has is compared with the table, since a restore may bring back the one without the other
 */
import { createHash } from 'node:crypto'
import { types } from 'node:util'
import { isOutbusError } from '@outbus/core'
import { clock } from '@outbus/core/plugin'
import type { PluginHost, SourceHost } from '@outbus/core/plugin'
import type { JobWithMetadata, PgBoss, Schedule } from 'pg-boss'
import type { scheduleEvents } from './events.ts'
import { calculator } from './calculator.ts'
import { isoText } from './iso-text.ts'
import { DUE_FOR_MS } from './recurrence.ts'
import { findDue } from './sql/find-due.ts'
import type { ChangedRow } from './sql/list-changed.ts'
import { listChanged } from './sql/list-changed.ts'
import type { KeptRow } from './sql/list-schedules-of-all-apps.ts'
import { listSchedulesOfAllApps } from './sql/list-schedules-of-all-apps.ts'
import type { ScheduleRow } from './sql/schedule-row.ts'
import { markProblem } from './sql/mark-problem.ts'
import { settleChange } from './sql/settle-change.ts'

const QUEUE = 'outbus_schedules'
const CHANGES_AT_A_TIME = 500
/** Of one round. The others' turn comes with the next one: a bus that starts waits for the first, and some take long. */
const ROUND_MS = 2_000
const COMPARED_AT_A_TIME = 1_000
/** Counted in rounds of looking for changes. This is once a minute. */
const COMPARE_EVERY = 12
/** A job that fails, for Postgres was away, is tried again; what it emitted before it emits once. */
const RETRIES = 20
const DEDUPE_WINDOW_MS = 86_400_000
/** One at a time they would be one a second: a schedule of one app would wait for those of all others. */
const JOBS_AT_A_TIME = 100
const MAX_PROBLEM_CHARACTERS = 500
/** Data, constraints and limits of the server: the same row would be refused again. */
const ABOUT_VALUES = /^(21|22|23|54)/
const ASIDE_MS = 3_600_000
const QUEUE_OPTIONS = { retryLimit: RETRIES, retryDelay: 5, deleteAfterSeconds: 3_600 }

export interface ClockworkOptions {
  /** How often changes are looked for, in ms. */
  readonly syncMs: number
}

type Host = Pick<PluginHost, 'log' | 'boss' | 'run'>

export class Clockwork {
  readonly #host: Host
  readonly #source: SourceHost<typeof scheduleEvents>
  readonly #boss: PgBoss
  readonly #timer: NodeJS.Timeout
  #syncing: Promise<void> = Promise.resolve()
  #rounds = 0

  private constructor(
    host: Host,
    source: SourceHost<typeof scheduleEvents>,
    boss: PgBoss,
    { syncMs }: ClockworkOptions,
  ) {
    this.#host = host
    this.#source = source
    this.#boss = boss
    this.#timer = clock.setInterval(() => {
      this.#syncing = this.#syncing.then(() => this.#sync())
    }, syncMs)
  }

  static async start(
    host: Host,
    source: SourceHost<typeof scheduleEvents>,
    options: ClockworkOptions,
  ): Promise<Clockwork> {
    const boss = await host.boss()
    await boss.createQueue(QUEUE, QUEUE_OPTIONS)
    const clockwork = new Clockwork(host, source, boss, options)
    await clockwork.#sync()
    const work = {
      pollingIntervalSeconds: 1,
      includeMetadata: true,
      batchSize: JOBS_AT_A_TIME,
      burstWhenBatchFull: true,
    } as const
    await boss.work(QUEUE, work, async (jobs: JobWithMetadata<{ id: string }>[]) => {
      await clockwork.#fireAll(jobs)
    })
    return clockwork
  }

  async stop(): Promise<void> {
    clock.clearInterval(this.#timer)
    await this.#syncing
    await this.#boss.offWork(QUEUE, { wait: true })
  }

  /** Never rejects: what could not be handed over is still marked. */
  async #sync(): Promise<void> {
    const { run, log } = this.#host
    try {
      if (this.#rounds++ % COMPARE_EVERY === 0) await this.#compare()
      const endsAt = clock.performance.now() + ROUND_MS
      for (const row of await run(listChanged, [CHANGES_AT_A_TIME])) {
        await this.#tryHandOver(row)
        if (clock.performance.now() > endsAt) break
      }
    } catch (error) {
      log.warn({ err: error }, 'changed schedules could not be handed to pg-boss yet')
    }
  }

  /** Tells pg-boss again what it does not know, or knows otherwise, and takes from it what is in no table. */
  async #compare(): Promise<void> {
    // Asked for anew: its schema is installed again, should it be gone.
    const boss = await this.#host.boss()
    await boss.createQueue(QUEUE, QUEUE_OPTIONS)
    // Before the table is read: of what pg-boss is told meanwhile, the table says that it has been told.
    const told = await schedulesOf(boss)
    for (let after: string | null = null; ;) {
      const rows: KeptRow[] = await this.#host.run(listSchedulesOfAllApps, [after, COMPARED_AT_A_TIME])
      for (const row of rows) {
        const isKnown = isSame(told.get(row.id), row)
        told.delete(row.id)
        if (!isKnown && !row.changed && !row.rests) await this.#tryHandOver(row)
      }
      after = rows.at(-1)?.id ?? null
      if (rows.length < COMPARED_AT_A_TIME) break
    }
    for (const key of told.keys()) await boss.unschedule(QUEUE, key)
  }

  /** Never rejects: one schedule that pg-boss does not take keeps no other one from it. */
  async #tryHandOver(row: ChangedRow): Promise<void> {
    try {
      await this.#handOver(row)
    } catch (error) {
      const { id, app_id: app } = row
      if (isUnreadable(error)) await this.#setAside(row, error)
      else this.#host.log.warn({ err: error, schedule: id, app }, 'a schedule could not be handed to pg-boss yet')
    }
  }

  /** So that it is in nobody's way, and in the logs once a minute, when all are compared. A change of it is looked at as any other. */
  async #setAside({ id, app_id: app, revision, now }: ChangedRow, because: unknown): Promise<void> {
    const { run } = this.#host
    const { aside } = this.#source
    try {
      await this.#boss.unschedule(QUEUE, id)
      const again = isoText(new Date(now.getTime() + ASIDE_MS))
      await run(settleChange, [id, revision, again, problemOf(because)])
      await aside.put(app, id, because)
    } catch (error) {
      // Postgres is away: it is still marked.
      this.#host.log.debug({ err: error, schedule: id }, 'a schedule could not be set aside yet')
    }
  }

  async #handOver(row: ChangedRow): Promise<void> {
    const { id, app_id: app, missed, revision } = row
    const told = row.enabled && !row.deleted ? await calculator.handOver(row, row.now, { app }) : undefined
    if (told !== undefined) {
      const { recurrence, timezone: tz, until } = told
      const data = { id, until: until?.getTime() ?? null, digest: digestOf(recurrence, tz) } satisfies Told
      await this.#boss.schedule(QUEUE, recurrence, data, { key: id, tz, missed })
    } else if (row.changed || !row.enabled || row.deleted) {
      await this.#boss.unschedule(QUEUE, id)
    }
    // One that has come to its end, and was not changed, stays with pg-boss, which may still have to say what was missed.
    await this.#host.run(settleChange, [id, revision, told?.until === undefined ? null : isoText(told.until), null])
    if (row.set_aside) await this.#source.aside.takeBack(app, id)
  }

  /** Where one fails the others are fired all the same. All are tried again then, and those that were emitted are not emitted again. */
  async #fireAll(jobs: readonly JobWithMetadata<{ id: string }>[]): Promise<void> {
    const fired = []
    for (const job of jobs) fired.push(...(await Promise.allSettled([this.#tryFire(job)])))
    for (const one of fired) if (one.status === 'rejected') throw one.reason
  }

  /** Rejects where Postgres is away, and then it is tried again. What cannot be emitted is not: it would be in the way of the others. */
  async #tryFire(job: JobWithMetadata<{ id: string }>): Promise<void> {
    const [row] = await this.#host.run(findDue, [job.data.id])
    // Deleted or disabled between the two.
    if (row === undefined) return
    const { id, app_id: app } = row
    try {
      await this.#fire(job, row)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      await this.#host.run(markProblem, [id, problemOf(error)])
      await this.#source.aside.put(app, id, error)
      return
    }
    if (row.problem === null) return
    await this.#host.run(markProblem, [id, null])
    await this.#source.aside.takeBack(app, id)
  }

  async #fire({ id: jobId, createdOn }: JobWithMetadata, row: ScheduleRow): Promise<void> {
    // For whoever set it: what somebody asked for later is no more the service's than what was asked for at once.
    const cx = this.#source.context(row.app_id, { caller: row.caller })
    // What is a principal's own is asked about as if it was set now. What the service set on behalf of a principal needs only one that stands.
    if (row.owner !== null && row.owner === row.caller) await cx.authorize('set', asSet(row), row.owner)
    const occurredAt = await occurrenceAt(row, createdOn)
    await cx.emit(
      {
        op: 'fired',
        schedule: row.name,
        firedAt: isoText(createdOn),
        scheduledFor: occurredAt === undefined ? null : isoText(occurredAt),
        data: row.data,
      },
      { dedupeKey: jobId, dedupeWindowMs: DEDUPE_WINDOW_MS },
    )
  }
}

/** The resource of the verb. */
function asSet({ name, recurrence, timezone, missed, data, enabled }: ScheduleRow): Readonly<Record<string, unknown>> {
  return { name, schedule: { recurrence, timezone, missed, data, enabled } }
}

/** The schedules by key. */
async function schedulesOf(boss: PgBoss): Promise<Map<string, Schedule>> {
  const schedules = new Map<string, Schedule>()
  for (let after: { name: string; key: string } | undefined; ;) {
    const page = await boss.getSchedules(QUEUE, undefined, { limit: COMPARED_AT_A_TIME, ...(after ? { after } : {}) })
    for (const schedule of page) schedules.set(schedule.key, schedule)
    const last = page.at(-1)
    if (last === undefined || page.length < COMPARED_AT_A_TIME) return schedules
    after = { name: last.name, key: last.key }
  }
}

/** It is about this row: one that an earlier version took, or that somebody wrote past the bus. */
function isUnreadable(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return true
  const { code, sqlState } = (error ?? {}) as { readonly code?: unknown; readonly sqlState?: unknown }
  if (code === 'ERR_ASSERTION') return true
  // What Postgres refused, by itself or in an error of core.
  const state = sqlState ?? (typeof code === 'string' && !code.includes('.') ? code : undefined)
  if (typeof state === 'string') return ABOUT_VALUES.test(state)
  return isOutbusError<string>(error) && ABOUT_THE_ROW.test(error.code)
}

/** What the bus refuses of an event of the schedule or of whoever set it, or says of a trigger of its app. */
const ABOUT_THE_ROW = /^(schedule|event|payload|source|quota|trigger|app|access)\./

function problemOf(error: unknown): string {
  const text = types.isNativeError(error) ? error.message : String(error)
  return text.slice(0, MAX_PROBLEM_CHARACTERS).toWellFormed().replaceAll('\0', '\u{fffd}')
}

/** What pg-boss keeps with a schedule, and gives to its jobs. Older processes write the id alone. */
interface Told {
  readonly id: string
  /** Until when what it was told holds, in ms since 1970; null: for ever. */
  readonly until: number | null
  /** A digest of what it was told. */
  readonly digest: string
}

function digestOf(recurrence: string, timezone: string): string {
  return createHash('sha256').update(`${timezone}\n${recurrence}`).digest('base64url')
}

function isSame(told: Schedule | undefined, row: KeptRow): boolean {
  if (!row.enabled || row.deleted) return told === undefined
  // Null where another program has written it.
  const { id, until, digest } = (told?.data ?? {}) as Partial<Told>
  return (
    told !== undefined &&
    told.options?.missed === row.missed &&
    id === row.id &&
    // As it stands in the table; or what was made of it the last time, as the table knows.
    ((told.cron === row.recurrence && told.timezone === row.timezone) ||
      (until === Math.round(row.look_again_ms) && digest === digestOf(told.cron, told.timezone)))
  )
}

/** The last one that was due when it fired; none, when it stands for those that were missed. */
async function occurrenceAt(row: ScheduleRow, firedAt: Date): Promise<Date | undefined> {
  const due = await calculator.preview(row, new Date(firedAt.getTime() - DUE_FOR_MS), 3, { app: row.app_id })
  return due.findLast((at) => at <= firedAt)
}
