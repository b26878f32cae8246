/**
 * Groups the writes of a source's verbs outside a caller's transaction: what is asked for while one transaction is in
 * flight shares the next one. That takes one statement where the write allows it (`atOnce`), else four. A lone write
 * goes at once.
 *
 *   idle ──ask──▶ in flight ──done, others waiting──▶ in flight
 *    ▲                │
 *    └──────done──────┘
 *
 * A failed group is redone one by one, so that nobody fails or waits for a neighbour. Writes of one key stay in order,
 * and groups are sorted against deadlocks between processes.
 */
import type pg from 'pg'
import { KeptConnection, mayBeRepeated } from '../postgres/database-calls.ts'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import { elsewhereIfReadOnly } from '../postgres/check-out.ts'
import { beginOn } from '../postgres/transactions.ts'
import { OutbusError } from '../errors.ts'
import { SQL_STATE, sqlStateOf } from '../postgres/postgres-errors.ts'
import type { EventInput, EventSchemas, SharedWrite, WriteAtOnce } from '../contract/source.ts'
import type { EmitsWithWrite } from '../sql/emit/emits-with-write.ts'
import { emitsWithWrite } from '../sql/emit/emits-with-write.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { EmitOptions, EmitResult } from '../contract/emit-options.ts'
import type { Emitter, WrittenFor } from './emitter.ts'
import { bothLanes, NO_LANES } from './emitter.ts'
import { endOfTick, nextTurn } from '../time/end-of-tick.ts'
import { SHARED_LOCK_TIMEOUT } from '../postgres/lock-timeouts.ts'
import type { PreparedEvent } from './prepare.ts'
import { mayRefuse } from './unmatched.ts'
import type { Redaction } from '../plugins/redaction.ts'

/** The groups of 256 concurrent callers fit; more would make one caller wait long. */
const MAX_GROUP = 256
/** A shared transaction waits for a lock as long as an emit does. */
const SETTINGS = [`lock_timeout = '${SHARED_LOCK_TIMEOUT}'`]

/** Whose app it is, and how its events are prepared. */
export interface Asker {
  readonly app: string
  readonly redaction: Redaction | undefined
  prepare(event: EventInput<EventSchemas>, options: EmitOptions | undefined, late?: readonly string[]): PreparedEvent
}

interface Asking {
  readonly asker: Asker
  readonly item: unknown
}

interface Asked extends Asking {
  readonly key: string
  resolve(result: unknown): void
  reject(error: unknown): void
}

type AnyWrite = SharedWrite<EventSchemas, unknown, unknown>

interface AtOnce {
  readonly write: WriteAtOnce<EventSchemas, unknown, unknown>
  readonly statements: EmitsWithWrite
}

export interface SharedWritesSurroundings {
  readonly sql: Sql
  readonly calls: DatabaseCalls
  readonly emitter: Emitter
  onWritten(lanes: WrittenFor): void
}

export class SharedWrites {
  readonly #around: SharedWritesSurroundings
  readonly #lines = new Map<AnyWrite, Line>()

  constructor(around: SharedWritesSurroundings) {
    this.#around = around
  }

  ask(write: AnyWrite, asker: Asker, item: unknown): Promise<unknown> {
    let line = this.#lines.get(write)
    if (line === undefined) this.#lines.set(write, (line = new Line(write, asker, this.#around)))
    return line.ask(asker, item)
  }

  /** Writes in the caller's transaction, which nobody shares. */
  async within(tx: pg.ClientBase, write: AnyWrite, asker: Asker, item: unknown): Promise<unknown> {
    const { calls, emitter } = this.#around
    await calls.during('within', tx, () => assertAccepted(tx, write, { asker, item }, emitter))
    // A later refusal would leave the write in the transaction.
    const accepted = write.atOnce !== undefined
    const how = { lockTimeout: null, accepted, stage: 'within' } as const
    const { results } = await writeOn(tx, write, [{ asker, item }], this.#around, how)
    return results[0]
  }

  async settled(): Promise<void> {
    await Promise.all([...this.#lines.values()].map((line) => line.settled()))
  }
}

class Line {
  readonly #write: AnyWrite
  readonly #around: SharedWritesSurroundings
  readonly #atOnce: AtOnce | undefined
  #waiting: Asked[] = []
  #inFlight: Promise<void> | undefined
  /** The connection of the group before, while groups follow at once. */
  readonly #kept = new KeptConnection()
  /** By key. */
  readonly #alone = new Map<string, Promise<void>>()
  /** Writes of apps that were just refused go one by one. */
  #lastApart: Promise<void> = Promise.resolve()

  constructor(write: AnyWrite, { redaction }: Asker, around: SharedWritesSurroundings) {
    this.#write = write
    this.#around = around
    const { atOnce } = write
    // What only the statement knows cannot be redacted.
    if (atOnce !== undefined && redaction?.reaches(atOnce.late) !== true)
      this.#atOnce = { write: atOnce, statements: emitsWithWrite(atOnce.statement) }
  }

  ask(asker: Asker, item: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ asker, item, key: `${asker.app}\n${this.#write.key(item)}`, resolve, reject })
      this.#inFlight ??= this.#drain()
    })
  }

  async settled(): Promise<void> {
    while (this.#inFlight !== undefined || this.#alone.size > 0)
      await Promise.all([this.#inFlight, ...this.#alone.values()])
  }

  async #drain(): Promise<void> {
    for (;;) {
      // Writes of the same tick go together, also of callers that were just answered.
      await endOfTick()
      const group = this.#nextGroup()
      if (group.length === 0) break
      await this.#flush(group)
    }
    this.#around.calls.giveBack(this.#kept)
    this.#inFlight = undefined
  }

  /** Of two writes of one key, the second goes after the first. */
  #nextGroup(): Asked[] {
    const { emitter } = this.#around
    const group = new Map<string, Asked>()
    const later: Asked[] = []
    for (const asked of this.#waiting) {
      const { key, asker } = asked
      if (emitter.isOverQuota(asker.app) && !group.has(key) && !this.#alone.has(key)) this.#goApart(asked)
      else if (group.size < MAX_GROUP && !group.has(key) && !this.#alone.has(key)) group.set(key, asked)
      else later.push(asked)
    }
    this.#waiting = later
    return [...group.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
  }

  async #flush(group: readonly Asked[]): Promise<void> {
    try {
      const results = await this.#commit(group, { lockTimeout: SHARED_LOCK_TIMEOUT, kept: this.#kept })
      for (const [i, { resolve }] of group.entries()) resolve(results[i])
    } catch (error) {
      if (group.length === 1 ? isHeld(error) : mayBeRepeated(error)) for (const asked of group) void this.#redo(asked)
      else for (const { reject } of group) reject(error)
    }
  }

  /** Goes apart from the line, for whatever lock it needs: only writes of the same key wait for that. */
  #redo(asked: Asked, after: Promise<void> = Promise.resolve()): Promise<void> {
    const done = after
      .then(() => this.#commitAlone(asked))
      .then(([result]) => asked.resolve(result), asked.reject)
      .finally(() => {
        this.#alone.delete(asked.key)
        this.#inFlight ??= this.#drain()
      })
    this.#alone.set(asked.key, done)
    return done
  }

  /** An app that is over a quota and keeps asking gets one connection of the pool. */
  #goApart(asked: Asked): void {
    this.#lastApart = this.#redo(asked, this.#lastApart)
  }

  async #commitAlone(asked: Asked): Promise<readonly unknown[]> {
    const { emitter, calls } = this.#around
    const refused = refusedAtOnce(this.#write, asked, emitter)
    if (refused !== undefined) {
      await nextTurn()
      throw refused
    }
    const ask = (on: Queryable) => assertAccepted(on, this.#write, asked, emitter)
    // The check comes before the transaction, which would write and then roll back.
    const accepted = emitter.isOverQuota(asked.asker.app)
      ? await calls.borrow((on) => calls.during('reading', on, () => ask(on)))
      : false
    return this.#commit([asked], { lockTimeout: null, accepted })
  }

  async #commit(
    group: readonly Asked[],
    {
      lockTimeout,
      accepted = false,
      kept,
    }: { readonly lockTimeout: string | null; readonly accepted?: boolean; readonly kept?: KeptConnection },
  ): Promise<readonly unknown[]> {
    const { calls, onWritten } = this.#around
    const atOnce = this.#atOnce
    const write = async (on: pg.PoolClient) => {
      // After a wait for a lock, the triggers of that moment count: this takes two statements.
      const written =
        lockTimeout !== null && atOnce !== undefined ? await writeAtOnce(on, atOnce, group, this.#around) : undefined
      if (written !== undefined) return written
      const how = { lockTimeout, accepted, stage: 'writing' } as const
      const work = () => writeOn(on, this.#write, group, this.#around, how)
      return calls.transactionOn(on, work, (tx) => beginOn(tx, lockTimeout === null ? [] : SETTINGS))
    }
    const { results, lanes } = await elsewhereIfReadOnly(() => calls.borrow(write, kept))
    onWritten(lanes)
    return results
  }
}

function isHeld(error: unknown): boolean {
  return sqlStateOf(error) === SQL_STATE.lockNotAvailable
}

/**
 * Refuses an item before anything is written, since a caller's transaction may go on without the write. False if
 * nothing known here can refuse the item, or the write does not state its event.
 */
async function assertAccepted(
  on: Queryable,
  { atOnce }: AnyWrite,
  { asker, item }: Asking,
  emitter: Emitter,
): Promise<boolean> {
  if (atOnce === undefined) return false
  const { event, options } = atOnce.event(item)
  if (!mayRefuse(options) && !emitter.isInDoubt(asker.app, 1)) return false
  await emitter.assertAccepted([asker.prepare(event, options, atOnce.late)], on)
  return true
}

/** A certain refusal: the database has just refused the app. */
function refusedAtOnce({ atOnce }: AnyWrite, { asker, item }: Asking, emitter: Emitter): OutbusError | undefined {
  if (atOnce === undefined || !emitter.isOverQuota(asker.app)) return undefined
  const { event, options } = atOnce.event(item)
  return emitter.refusedAtOnce([asker.prepare(event, options, atOnce.late)])
}

interface WrittenItems {
  readonly results: readonly unknown[]
  readonly lanes: WrittenFor
}

/** Undefined: nothing was written, and `writeOn` has to do it. */
async function writeAtOnce(
  on: pg.ClientBase,
  { write, statements }: AtOnce,
  group: readonly Asking[],
  { calls, emitter }: Pick<SharedWritesSurroundings, 'calls' | 'emitter'>,
): Promise<WrittenItems | undefined> {
  const prepared = group.map(({ asker, item }) => {
    const { event, options } = write.event(item)
    return asker.prepare(event, options, write.late)
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
  group: readonly Asking[],
  { sql, calls, emitter }: Pick<SharedWritesSurroundings, 'sql' | 'calls' | 'emitter'>,
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
    const prepared = events.map((event, i) => (group[i] as (typeof group)[0]).asker.prepare(event, options[i]))
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

function itemsOf(group: readonly Asking[]) {
  return group.map(({ asker: { app }, item }) => ({ app, item }))
}

function assertOneForEach(results: unknown, group: readonly Asking[]): void {
  if (Array.isArray(results) && results.length === group.length) return
  throw new OutbusError('source.failed', 'a shared write has to answer with a result for each of its items', {
    path: 'write',
  })
}
