/**
 * The writes of a source's verbs. Outside a caller's transaction they go in groups: the emit is part of the source's
 * statement where that waits for no other transaction, else the two share a transaction.
 *
 * Writes of one key stay in order, and groups are sorted against deadlocks between processes.
 */
import type pg from 'pg'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import { elsewhereIfReadOnly } from '../postgres/check-out.ts'
import { beginOn } from '../postgres/transactions.ts'
import { OutbusError } from '../errors.ts'
import type { SharedResult, SharedWrite } from '../contract/source.ts'
import type { WrittenRow } from '../contract/write-statement.ts'
import type { EmitsWithWrite } from '../sql/emit/emits-with-write.ts'
import { emitsWithWrite } from '../sql/emit/emits-with-write.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Emitter } from './emitter.ts'
import type { GroupedWrites, NextGroup, Waiting } from './group-commit.ts'
import { GroupCommit } from './group-commit.ts'
import { SHARED_LOCK_TIMEOUT } from '../postgres/lock-timeouts.ts'
import type { PreparedEvent } from './prepare.ts'
import { fillIn } from './prepare.ts'
import { isRefusable } from './unmatched.ts'
import type { Redaction } from '../plugins/redaction.ts'
import type { WrittenFor } from './written.ts'

/** The groups of 256 concurrent callers fit; more would make one caller wait long. */
const MAX_GROUP = 256
/** A shared transaction waits for a lock as long as an emit does. */
const SETTINGS = [`lock_timeout = '${SHARED_LOCK_TIMEOUT}'`]

/** What one call writes and emits. */
export interface PreparedPart {
  readonly item: unknown
  /** The app, and the key of the item. */
  readonly key: string
  readonly event: PreparedEvent
  /** The text of the event without its generated members. */
  readonly stated: string
}

type AnyWrite = SharedWrite<unknown>
type Call = Waiting<PreparedPart, SharedResult>

export interface SharedWritesOptions {
  readonly sql: Sql
  readonly calls: DatabaseCalls
  readonly emitter: Emitter
  redactionOf(source: string): Redaction | undefined
  /** Whether writes share statements. */
  readonly groups: boolean
  /** Whether the emit may be part of the source's statement. */
  readonly atOnce: boolean
  /** Rows were written, and no lane has been woken. */
  onWritten(lanes: WrittenFor): void
}

interface WrittenParts {
  readonly results: SharedResult[]
  readonly lanes: WrittenFor
}

export class SharedWrites {
  readonly #options: SharedWritesOptions
  readonly #groups = new Map<AnyWrite, GroupCommit<PreparedPart, SharedResult>>()
  #over: AbortSignal | undefined

  constructor(options: SharedWritesOptions) {
    this.#options = options
  }

  write(write: AnyWrite, part: PreparedPart): Promise<SharedResult> {
    let group = this.#groups.get(write)
    if (group === undefined) this.#groups.set(write, (group = this.#newGroup(write, part.event.source.name)))
    return group.add(part)
  }

  #newGroup(write: AnyWrite, source: string): GroupCommit<PreparedPart, SharedResult> {
    const parts = new GroupedParts(write, this.#options.redactionOf(source), this.#options)
    const group = new GroupCommit(parts, this.#options)
    if (this.#over !== undefined) group.endWith(this.#over)
    return group
  }

  /** Writes in the caller's transaction, which nobody shares. */
  async within(tx: pg.ClientBase, write: AnyWrite, part: PreparedPart): Promise<SharedResult> {
    const { calls, emitter, redactionOf } = this.#options
    const { event } = part
    // Refused before anything is written, since the caller's transaction may go on without the write.
    if (isRefusable(event) || emitter.isInDoubt(event.app, 1))
      await calls.during('within', tx, () => emitter.assertAccepted([event], tx))
    const how = { lockTimeout: null, accepted: true, stage: 'within' } as const
    const { results } = await writeOn(tx, write, [part], redactionOf(event.source.name), this.#options, how)
    return results[0] as SharedResult
  }

  /** When `over` aborts, what was not sent is refused, and what is in flight is not awaited any longer. */
  endWith(over: AbortSignal): void {
    this.#over = over
    for (const group of this.#groups.values()) group.endWith(over)
  }

  /** Resolves when every write is answered, at the latest when the signal of {@link endWith} aborts. */
  async settled(): Promise<void> {
    await Promise.all([...this.#groups.values()].map((group) => group.settled()))
  }
}

class GroupedParts implements GroupedWrites<PreparedPart, SharedResult> {
  readonly #write: AnyWrite
  readonly #redaction: Redaction | undefined
  readonly #options: SharedWritesOptions
  readonly #statements: EmitsWithWrite | undefined

  constructor(write: AnyWrite, redaction: Redaction | undefined, options: SharedWritesOptions) {
    this.#write = write
    this.#redaction = redaction
    this.#options = options
    // What only the statement knows cannot be redacted.
    if (options.atOnce && redaction?.reaches(write.generated) !== true)
      this.#statements = emitsWithWrite(write.statement)
  }

  /** Of two writes of one key, the second goes after the first. */
  next(waiting: Call[], beside: ReadonlySet<Call>): NextGroup<Call> {
    if (waiting.length <= 1 && beside.size === 0) return { group: waiting, later: [] }
    const group = new Map<string, Call>()
    const later: Call[] = []
    const keysBeside = new Set(Array.from(beside, ({ write: { key } }) => key))
    for (const call of waiting) {
      const { key } = call.write
      if (group.size < MAX_GROUP && !group.has(key) && !keysBeside.has(key)) group.set(key, call)
      else later.push(call)
    }
    return { group: [...group.values()].toSorted((a, b) => (a.write.key < b.write.key ? -1 : 1)), later }
  }

  isOverQuota({ event }: PreparedPart): boolean {
    return this.#options.emitter.isOverQuota(event.app)
  }

  refusedAtOnce({ event }: PreparedPart): OutbusError | undefined {
    return this.#options.emitter.refusedAtOnce([event])
  }

  async write(group: readonly Call[], on: pg.PoolClient): Promise<SharedResult[]> {
    const parts = group.map(({ write }) => write)
    const written = this.#statements && (await this.#writeAtOnce(parts, this.#statements, on))
    if (written === undefined) return this.#writeInTransaction(parts, on, SHARED_LOCK_TIMEOUT)
    this.#options.onWritten(written.lanes)
    return written.results
  }

  /** Waits for whatever lock it needs, on a connection of its own. */
  async writeOnceUnlocked(part: PreparedPart): Promise<SharedResult> {
    const write = (on: pg.PoolClient) => this.#writeInTransaction([part], on, null)
    const [result] = await elsewhereIfReadOnly(() => this.#options.calls.borrow(write))
    return result as SharedResult
  }

  /** Undefined: nothing was written, since it may have to wait for another transaction. */
  async #writeAtOnce(
    parts: readonly PreparedPart[],
    statements: EmitsWithWrite,
    on: pg.ClientBase,
  ): Promise<WrittenParts | undefined> {
    const { calls, emitter } = this.#options
    const events = parts.map(({ event, stated }) => {
      // A transaction that failed may have filled it in.
      event.text = stated
      return event
    })
    const parameters = this.#write.parameters(itemsOf(parts))
    const loading = emitter.load(events, on)
    if (loading !== undefined) await calls.during('reading', on, () => loading)
    const written = await calls.during('committing', on, () =>
      emitter.writeTogether(events, { ...statements, parameters }, on),
    )
    return written && { results: resultsOf(written.results, written.generated), lanes: written.lanes }
  }

  async #writeInTransaction(
    parts: readonly PreparedPart[],
    on: pg.PoolClient,
    lockTimeout: string | null,
  ): Promise<SharedResult[]> {
    const { calls, emitter, onWritten } = this.#options
    const [{ event }] = parts as readonly [PreparedPart]
    const accepted = parts.length === 1 && emitter.isOverQuota(event.app)
    // The check comes before the transaction, which would write and then roll back.
    if (accepted) await calls.during('reading', on, () => emitter.assertAccepted([event], on))
    const how = { lockTimeout, accepted, stage: 'writing' } as const
    const { results, lanes } = await calls.transactionOn(
      on,
      () => writeOn(on, this.#write, parts, this.#redaction, this.#options, how),
      (tx) => beginOn(tx, lockTimeout === null ? [] : SETTINGS),
    )
    onWritten(lanes)
    return results
  }
}

/** The source's statement, then the emit. */
async function writeOn(
  tx: pg.ClientBase,
  write: AnyWrite,
  parts: readonly PreparedPart[],
  redaction: Redaction | undefined,
  { sql, calls, emitter }: Pick<SharedWritesOptions, 'sql' | 'calls' | 'emitter'>,
  how: { readonly lockTimeout: string | null; readonly accepted: boolean; readonly stage: 'writing' | 'within' },
): Promise<WrittenParts> {
  const { lockTimeout, accepted, stage } = how
  const rows = await calls.during(stage, tx, () => sql.run(tx, write.statement.plain, write.parameters(itemsOf(parts))))
  const values = valuesOf(rows, parts, write.generated)
  const events = parts.map(({ event, stated }, i) => {
    fillIn(event, stated, values[i] as WrittenRow['generated'], redaction)
    return event
  })
  const { results, lanes } = await calls.during(stage, tx, () =>
    emitter.write(events, tx, { transactional: true, lockTimeout, accepted }),
  )
  return { results: resultsOf(results, values), lanes }
}

function itemsOf(parts: readonly PreparedPart[]) {
  return parts.map(({ event: { app }, item }) => ({ app, item }))
}

/** Returns the generated members of each part, in the order of the parts. */
function valuesOf(
  rows: readonly WrittenRow[],
  parts: readonly PreparedPart[],
  generated: readonly string[],
): WrittenRow['generated'][] {
  const values: WrittenRow['generated'][] = []
  for (const row of rows) values[Number(row.n) - 1] = row.generated
  for (let i = 0; i < parts.length; i++)
    if (!generated.every((member) => values[i]?.[member] !== undefined)) throw answersTooLittle(generated)
  return values
}

function answersTooLittle(generated: readonly string[]): OutbusError {
  const message = `the statement of a shared write has to answer with ${generated.join(', ')} for each of its items`
  return new OutbusError('source.failed', message, { path: 'statement' })
}

function resultsOf(results: readonly SharedResult['emitted'][], values: readonly WrittenRow['generated'][]) {
  return results.map((emitted, i) => ({ emitted, generated: values[i] as WrittenRow['generated'] }))
}
