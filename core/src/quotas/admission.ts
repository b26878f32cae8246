/**
 * Checks each emit of every source against its app's quotas, before its statement is sent. The check is made in memory,
 * with quotas read along with the triggers; only a refusal is verified in the database.
 */
import { performance } from '../time/clock.ts'
import { DEAD_LETTER_SOURCE } from '../contract/dead-letter.ts'
import type { OutbusError } from '../errors.ts'
import type { CountedEvent } from './counted-event.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { QuotaName, Quotas } from '../contract/quotas.ts'
import { quotaExceeded } from '../contract/quotas.ts'
import { TokenBucket } from './token-bucket.ts'
import type { WaitingRows } from './waiting-rows.ts'

/** Handlers may fill the limit twice, so that accepted work can be finished. */
const OF_HANDLERS = 2
/** The most UTF-8 bytes of a UTF-16 unit. */
const MOST_BYTES_A_UNIT = 3
/** How long a refused app stays out of groups, and how long its refusal is not verified again. */
const OVER_QUOTA_MS = 1_000
const SURE_MS = 100
const MAX_APPS = 10_000

type Matched = readonly (readonly unknown[])[]

type QuotasOf = (app: string) => Quotas

export interface Refusal {
  readonly app: string
  readonly quota: QuotaName
  readonly use: number
  readonly limit: number
  readonly rows: number
}

/** What one or several calls would write for one app. */
interface Load {
  readonly app: string
  readonly isOfHandler: boolean
  rows: number
  /** UTF-16 units of JSON: each row's event. */
  units: number
}

export interface AdmissionOptions {
  readonly waiting: WaitingRows
  readonly maxEventBytes: number
}

export class Admission {
  readonly #waiting: WaitingRows
  readonly #maxEventBytes: number
  readonly #buckets = new Map<string, TokenBucket>()
  /** Events that have paid their tokens; a repeated statement does not pay again. */
  readonly #paid = new WeakSet<CountedEvent>()
  /** When apps were refused, as the database confirmed. Latest last. */
  readonly #refusedAt = new Map<string, number>()

  constructor({ waiting, maxEventBytes }: AdmissionOptions) {
    this.#waiting = waiting
    this.#maxEventBytes = maxEventBytes
  }

  /**
   * The first quota that these events exceed, given what each matches. Dead letters are exempt: one app over its quotas
   * must not hold up all letters.
   */
  refusalOf(events: readonly CountedEvent[], matched: Matched, quotasOf: QuotasOf): Refusal | undefined {
    const [first] = events
    if (first === undefined) return undefined
    if (events.length === 1) {
      if (isExempt(first)) return undefined
      const { app, text, depth } = first
      const quotas = quotasOf(app)
      const rows = matched[0]?.length ?? 0
      const load = { app, isOfHandler: depth > 1, rows, units: text.length * rows }
      const over = this.#over(load, quotas, () => bytesOf(events, matched, app))
      return over ?? (quotas.emitsPerSecond === null ? undefined : this.#refusalByRate(events, quotasOf))
    }
    for (const load of loadsOf(events, matched)) {
      const over = this.#over(load, quotasOf(load.app), () => bytesOf(events, matched, load.app))
      if (over !== undefined) return over
    }
    return this.#refusalByRate(events, quotasOf)
  }

  /**
   * False if so many events of the app are within its quotas, whatever they match. An app with a rate is always in
   * doubt. `triggers`: at most how many the app has.
   */
  isInDoubt(app: string, events: number, triggers: number, quotas: Quotas): boolean {
    const rows = events * triggers
    return (
      quotas.emitsPerSecond !== null ||
      rows > quotas.rowsPerEmit ||
      rows * this.#maxEventBytes > quotas.bytesPerEmit ||
      (rows > 0 && this.#waiting.of(app) + rows > quotas.rowsWaiting)
    )
  }

  #over(load: Load, quotas: Quotas, measure: () => number): Refusal | undefined {
    const { app, rows, units, isOfHandler } = load
    if (rows === 0) return undefined
    const { rowsPerEmit, bytesPerEmit, rowsWaiting } = quotas
    if (rows > rowsPerEmit) return { app, quota: 'rowsPerEmit', use: rows, limit: rowsPerEmit, rows }
    if (units * MOST_BYTES_A_UNIT > bytesPerEmit) {
      const bytes = measure()
      if (bytes > bytesPerEmit) return { app, quota: 'bytesPerEmit', use: bytes, limit: bytesPerEmit, rows }
    }
    const limit = isOfHandler ? OF_HANDLERS * rowsWaiting : rowsWaiting
    const use = this.#waiting.of(app) + rows
    return use > limit ? { app, quota: 'rowsWaiting', use, limit, rows } : undefined
  }

  #refusalByRate(events: readonly CountedEvent[], quotasOf: QuotasOf): Refusal | undefined {
    const counts = new Map<string, number>()
    for (const event of events) {
      if (isExempt(event) || this.#paid.has(event) || quotasOf(event.app).emitsPerSecond === null) continue
      counts.set(event.app, (counts.get(event.app) ?? 0) + 1)
    }
    for (const [app, count] of counts) {
      const limit = quotasOf(app).emitsPerSecond ?? Number.POSITIVE_INFINITY
      if (!this.#bucket(app, limit).take(count, performance.now()))
        return { app, quota: 'emitsPerSecond', use: count, limit, rows: 0 }
      for (const event of events) if (event.app === app) this.#paid.add(event)
    }
    return undefined
  }

  #bucket(app: string, rate: number): TokenBucket {
    let bucket = this.#buckets.get(app)
    if (bucket?.rate === rate) return bucket
    bucket = new TokenBucket(rate, performance.now())
    this.#buckets.set(app, bucket)
    if (this.#buckets.size > MAX_APPS) this.#buckets.delete(this.#buckets.keys().next().value as string)
    return bucket
  }

  /** Whether the app was refused a moment ago: nobody shall wait, or be written again, for its next refusal. */
  isOverQuota(app: string): boolean {
    return this.#refusedAt.size > 0 && this.#wasRefusedWithin(app, OVER_QUOTA_MS)
  }

  /** Whether the database need not be asked again. */
  isSure(app: string): boolean {
    return this.#wasRefusedWithin(app, SURE_MS)
  }

  #wasRefusedWithin(app: string, ms: number): boolean {
    const at = this.#refusedAt.get(app)
    return at !== undefined && performance.now() - at < ms
  }

  /** Whether the refusal is right by what the outbox holds now. */
  async isRight({ app, quota, limit, rows }: Refusal, on: Queryable): Promise<boolean> {
    if (quota !== 'rowsWaiting') return true
    await this.#waiting.count(on)
    return this.#waiting.of(app) + rows > limit
  }

  /** The caller's error, once the database has confirmed the refusal. `isNew`: the database was just asked. */
  refuse({ app, quota, use, limit }: Refusal, isNew: boolean): OutbusError {
    if (isNew) {
      this.#refusedAt.delete(app)
      this.#refusedAt.set(app, performance.now())
      if (this.#refusedAt.size > MAX_APPS) this.#refusedAt.delete(this.#refusedAt.keys().next().value as string)
    }
    return quotaExceeded(app, quota, { use, limit })
  }

  /** This process has changed the app's quotas. */
  forget(app: string): void {
    this.#refusedAt.delete(app)
  }

  written(app: string, rows: number): void {
    if (rows > 0) this.#waiting.add(app, rows)
  }
}

function isExempt({ source }: CountedEvent): boolean {
  return source.name === DEAD_LETTER_SOURCE
}

function loadsOf(events: readonly CountedEvent[], matched: Matched): Iterable<Load> {
  const loads = new Map<string, Load>()
  let load: Load | undefined
  for (const [i, event] of events.entries()) {
    const rows = matched[i]?.length ?? 0
    if (rows === 0 || isExempt(event)) continue
    const { app, depth, text } = event
    if (load?.app !== app) load = loads.get(app)
    if (load === undefined) loads.set(app, (load = { app, isOfHandler: depth > 1, rows: 0, units: 0 }))
    load.rows += rows
    load.units += text.length * rows
  }
  return loads.values()
}

function bytesOf(events: readonly CountedEvent[], matched: Matched, app: string): number {
  let bytes = 0
  for (const [i, event] of events.entries())
    if (event.app === app) bytes += Buffer.byteLength(event.text) * (matched[i]?.length ?? 0)
  return bytes
}
