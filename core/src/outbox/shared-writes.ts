/**
 * The writes of a source's verbs, in groups outside a caller's transaction. A group takes one statement where the write
 * allows it (`atOnce`), else four.
 *
 * Writes of one key stay in order, and groups are sorted against deadlocks between processes.
 */
import type pg from 'pg'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import { elsewhereIfReadOnly } from '../postgres/check-out.ts'
import { beginOn } from '../postgres/transactions.ts'
import { OutbusError } from '../errors.ts'
import type { EventInput, EventSchemas, SharedWrite, WriteAtOnce } from '../contract/source.ts'
import type { EmitsWithWrite } from '../sql/emit/emits-with-write.ts'
import { emitsWithWrite } from '../sql/emit/emits-with-write.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { EmitOptions, EmitResult } from '../contract/emit-options.ts'
import type { Emitter } from './emitter.ts'
import type { WrittenFor } from './written.ts'
import { bothLanes, NO_LANES } from './written.ts'
import type { GroupedWrites, NextGroup, Waiting } from './group-commit.ts'
import { GroupCommit } from './group-commit.ts'
import { SHARED_LOCK_TIMEOUT } from '../postgres/lock-timeouts.ts'
import type { PreparedEvent } from './prepare.ts'
import { mayRefuse } from './unmatched.ts'
import type { Redaction } from '../plugins/redaction.ts'

/** The groups of 256 concurrent callers fit; more would make one caller wait long. */
const MAX_GROUP = 256
/** A shared transaction waits for a lock as long as an emit does. */
const SETTINGS = [`lock_timeout = '${SHARED_LOCK_TIMEOUT}'`]

/** Whose app it is, and how its events are prepared. */
export interface Writer {
  readonly app: string
  readonly redaction: Redaction | undefined
  prepare(event: EventInput<EventSchemas>, options: EmitOptions | undefined, late?: readonly string[]): PreparedEvent
}

interface Item {
  readonly writer: Writer
  readonly item: unknown
}

/** An item in a group. */
interface KeyedItem extends Item {
  readonly key: string
}

type ItemCall = Waiting<KeyedItem, unknown>
type AnyWrite = SharedWrite<EventSchemas, unknown, unknown>

interface AtOnce {
  readonly write: WriteAtOnce<EventSchemas, unknown, unknown>
  readonly statements: EmitsWithWrite
}

export interface SharedWritesOptions {
  readonly sql: Sql
  readonly calls: DatabaseCalls
  readonly emitter: Emitter
  /** Rows were written, and no lane has been woken. */
  onWritten(lanes: WrittenFor): void
}

export class SharedWrites {
  readonly #options: SharedWritesOptions
  readonly #groups = new Map<AnyWrite, GroupCommit<KeyedItem, unknown>>()
  #over: AbortSignal | undefined

  constructor(options: SharedWritesOptions) {
    this.#options = options
  }

  write(write: AnyWrite, writer: Writer, item: unknown): Promise<unknown> {
    let group = this.#groups.get(write)
    if (group === undefined) this.#groups.set(write, (group = this.#newGroup(write, writer)))
    return group.add({ writer, item, key: `${writer.app}\n${write.key(item)}` })
  }

  #newGroup(write: AnyWrite, writer: Writer): GroupCommit<KeyedItem, unknown> {
    const group = new GroupCommit<KeyedItem, unknown>(
      new GroupedItems(write, writer, this.#options),
      this.#options.calls,
    )
    if (this.#over !== undefined) group.endWith(this.#over)
    return group
  }

  /** Writes in the caller's transaction, which nobody shares. */
  async within(tx: pg.ClientBase, write: AnyWrite, writer: Writer, item: unknown): Promise<unknown> {
    const { calls, emitter } = this.#options
    await calls.during('within', tx, () => assertAccepted(tx, write, { writer, item }, emitter))
    // A later refusal would leave the write in the transaction.
    const accepted = write.atOnce !== undefined
    const how = { lockTimeout: null, accepted, stage: 'within' } as const
    const { results } = await writeOn(tx, write, [{ writer, item }], this.#options, how)
    return results[0]
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

class GroupedItems implements GroupedWrites<KeyedItem, unknown> {
  readonly #write: AnyWrite
  readonly #options: SharedWritesOptions
  readonly #atOnce: AtOnce | undefined

  constructor(write: AnyWrite, { redaction }: Writer, options: SharedWritesOptions) {
    this.#write = write
    this.#options = options
    const { atOnce } = write
    // What only the statement knows cannot be redacted.
    if (atOnce !== undefined && redaction?.reaches(atOnce.late) !== true)
      this.#atOnce = { write: atOnce, statements: emitsWithWrite(atOnce.statement) }
  }

  /** Of two writes of one key, the second goes after the first. */
  next(waiting: ItemCall[], beside: ReadonlySet<ItemCall>): NextGroup<ItemCall> {
    if (waiting.length <= 1 && beside.size === 0) return { group: waiting, later: [] }
    const group = new Map<string, ItemCall>()
    const later: ItemCall[] = []
    const keysBeside = new Set(Array.from(beside, ({ write: { key } }) => key))
    for (const call of waiting) {
      const { key } = call.write
      if (group.size < MAX_GROUP && !group.has(key) && !keysBeside.has(key)) group.set(key, call)
      else later.push(call)
    }
    return { group: [...group.values()].toSorted((a, b) => (a.write.key < b.write.key ? -1 : 1)), later }
  }

  isOverQuota({ writer }: KeyedItem): boolean {
    return this.#options.emitter.isOverQuota(writer.app)
  }

  refusedAtOnce({ writer, item }: KeyedItem): OutbusError | undefined {
    const { atOnce } = this.#write
    if (atOnce === undefined) return undefined
    const { event, options } = atOnce.event(item)
    return this.#options.emitter.refusedAtOnce([writer.prepare(event, options, atOnce.late)])
  }

  async write(group: readonly ItemCall[], on: pg.PoolClient): Promise<readonly unknown[]> {
    const { calls, emitter, onWritten } = this.#options
    const items = group.map(({ write }) => write)
    // After a wait for a lock, the triggers of that moment count: this takes two statements.
    const atOnce = this.#atOnce && (await writeAtOnce(on, this.#atOnce, items, this.#options))
    if (atOnce !== undefined) {
      onWritten(atOnce.lanes)
      return atOnce.results
    }
    const [first] = items
    // The check comes before the transaction, which would write and then roll back.
    const accepted =
      first !== undefined &&
      items.length === 1 &&
      emitter.isOverQuota(first.writer.app) &&
      (await calls.during('reading', on, () => assertAccepted(on, this.#write, first, emitter)))
    return this.#inTransaction(items, on, SHARED_LOCK_TIMEOUT, accepted)
  }

  /** Waits for whatever lock it needs, on a connection of its own. */
  writeOnceUnlocked(item: KeyedItem): Promise<unknown> {
    const write = (on: pg.PoolClient) => this.#inTransaction([item], on, null, false)
    return elsewhereIfReadOnly(() => this.#options.calls.borrow(write)).then(([result]) => result)
  }

  async #inTransaction(
    items: readonly Item[],
    on: pg.PoolClient,
    lockTimeout: string | null,
    accepted: boolean,
  ): Promise<readonly unknown[]> {
    const { calls, onWritten } = this.#options
    const how = { lockTimeout, accepted, stage: 'writing' } as const
    const { results, lanes } = await calls.transactionOn(
      on,
      () => writeOn(on, this.#write, items, this.#options, how),
      (tx) => beginOn(tx, lockTimeout === null ? [] : SETTINGS),
    )
    onWritten(lanes)
    return results
  }
}

/**
 * Refuses an item before anything is written, since a caller's transaction may go on without the write. False if
 * nothing known here can refuse the item, or the write does not state its event.
 */
async function assertAccepted(
  on: Queryable,
  { atOnce }: AnyWrite,
  { writer, item }: Item,
  emitter: Emitter,
): Promise<boolean> {
  if (atOnce === undefined) return false
  const { event, options } = atOnce.event(item)
  if (!mayRefuse(options) && !emitter.isInDoubt(writer.app, 1)) return false
  await emitter.assertAccepted([writer.prepare(event, options, atOnce.late)], on)
  return true
}

interface WrittenItems {
  readonly results: readonly unknown[]
  readonly lanes: WrittenFor
}

/** Undefined: nothing was written, and `writeOn` has to do it. */
async function writeAtOnce(
  on: pg.ClientBase,
  { write, statements }: AtOnce,
  group: readonly Item[],
  { calls, emitter }: Pick<SharedWritesOptions, 'calls' | 'emitter'>,
): Promise<WrittenItems | undefined> {
  const prepared = group.map(({ writer, item }) => {
    const { event, options } = write.event(item)
    return writer.prepare(event, options, write.late)
  })
  const parameters = write.parameters(itemsOf(group))
  const loading = emitter.load(prepared, on)
  if (loading !== undefined) await calls.during('reading', on, () => loading)
  const written = await calls.during('committing', on, () =>
    emitter.writeAtOnce(prepared, { ...statements, parameters }, on),
  )
  if (written === undefined) return undefined
  const { results: emitted, lanes, late } = written
  try {
    const results = emitted.map((result, i) => write.result({ emitted: result, late: late[i] as (typeof late)[0] }))
    return { results, lanes }
  } catch (cause) {
    // The write is committed. An `OutbusError` would be a refusal, and be written again.
    throw new Error('what was asked for is written, but its source failed to say what came of it', { cause })
  }
}

async function writeOn(
  tx: pg.ClientBase,
  write: AnyWrite,
  group: readonly Item[],
  { sql, calls, emitter }: Pick<SharedWritesOptions, 'sql' | 'calls' | 'emitter'>,
  {
    lockTimeout,
    accepted,
    stage,
  }: { readonly lockTimeout: string | null; readonly accepted: boolean; readonly stage: 'writing' | 'within' },
): Promise<WrittenItems> {
  let lanes = NO_LANES
  const emit = async (
    events: readonly EventInput<EventSchemas>[],
    options: readonly (EmitOptions | undefined)[] = [],
  ): Promise<EmitResult[]> => {
    const prepared = events.map((event, i) => (group[i] as (typeof group)[0]).writer.prepare(event, options[i]))
    const how = { transactional: true, lockTimeout, accepted }
    const written = await calls.during(stage, tx, () => emitter.write(prepared, tx, how))
    lanes = bothLanes(lanes, written.lanes)
    return written.results
  }
  const run: Parameters<AnyWrite['write']>[0]['tx']['run'] = (stated, parameters) =>
    calls.during(stage, tx, () => sql.run(tx satisfies Queryable, stated, parameters))
  const results = await write.write({ tx: { run, emit }, items: itemsOf(group) })
  assertOneForEach(results, group)
  return { results, lanes }
}

function itemsOf(group: readonly Item[]) {
  return group.map(({ writer: { app }, item }) => ({ app, item }))
}

function assertOneForEach(results: unknown, group: readonly Item[]): void {
  if (Array.isArray(results) && results.length === group.length) return
  throw new OutbusError('source.failed', 'a shared write has to answer with a result for each of its items', {
    path: 'write',
  })
}
