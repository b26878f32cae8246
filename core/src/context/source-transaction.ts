/** A transaction as a source's verb sees it: the caller's, or one of the bus's own. */
import type pg from 'pg'
import type { Changer } from '../audit/auditor.ts'
import { audit } from '../audit/auditor.ts'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import type { EmitOptions } from '../contract/emit-options.ts'
import { DEFAULT_DEDUPE_WINDOW_MS } from '../contract/emit-options.ts'
import type { Emitter } from '../outbox/emitter.ts'
import type { WrittenFor } from '../outbox/written.ts'
import type { PreparedEvent } from '../outbox/prepare.ts'
import { storedKey } from '../outbox/principal-keys.ts'
import { reserveDedupeKey } from '../outbox/reservation.ts'
import { mayRefuse } from '../outbox/unmatched.ts'
import type { Reservation, SourceTransaction } from '../contract/source.ts'
import type { Sql } from '../postgres/statement.ts'
import { assertTransaction } from '../postgres/transaction-status.ts'

/** `i`: its place in the batch, for errors. `reservedId`: the id of an event that has its dedupe key already. */
export type PrepareForSource = (
  event: unknown,
  options: EmitOptions | undefined,
  i: number,
  reservedId: string | undefined,
) => PreparedEvent

const NOTHING_RESERVED: Reservation = { takenBy: undefined, release: async () => undefined }

export function sourceTransaction(
  { sql, calls, emitter }: { readonly sql: Sql; readonly calls: DatabaseCalls; readonly emitter: Emitter },
  of: {
    readonly scope: Changer
    readonly source: string
    readonly tx: pg.ClientBase
    readonly prepare: PrepareForSource
    /** `writing`: the transaction is the bus's own. */
    readonly stage: 'writing' | 'within'
    onEmit(lanes: WrittenFor): void
  },
): SourceTransaction {
  const { scope, source, tx, prepare, stage, onEmit } = of
  const { app } = scope
  const reserved = new Map<string, string>()
  let accepted = false
  const during = <T>(work: () => Promise<T>) => calls.during(stage, tx, work)
  return {
    run: async (stated, parameters) => {
      assertTransaction(tx)
      return during(() => sql.run(tx, stated, parameters))
    },
    reserve: async (options) => {
      const { dedupeKey: given, dedupeWindowMs: windowMs = DEFAULT_DEDUPE_WINDOW_MS } = options ?? {}
      if (given === undefined) return NOTHING_RESERVED
      assertTransaction(tx)
      const key = storedKey(scope.principal, given)
      const reserving = () => reserveDedupeKey(sql, tx, { app, source, key, windowMs })
      const taken = await during(() => emitter.waitingFor('the dedupe key of this call', reserving))
      if (taken.takenBy !== undefined) return { takenBy: taken.takenBy, release: async () => undefined }
      reserved.set(given, taken.eventId)
      const release = async () => {
        reserved.delete(given)
        await during(() => taken.release())
      }
      return { takenBy: undefined, release }
    },
    expectMatch: async (events, options) => {
      const mayBeRefused = options?.some(mayRefuse) === true
      // A refusal rolls back a transaction of the bus's own, whenever it comes.
      const isInDoubt = stage === 'within' && emitter.isInDoubt(app, events.length)
      if (mayBeRefused || isInDoubt) {
        assertTransaction(tx)
        const prepared = events.map((event, i) => prepare(event, options?.[i], i, undefined))
        await during(() => emitter.assertAccepted(prepared, tx))
      }
      accepted = stage === 'within'
    },
    audit: async ({ verb, resource, before, after }) => {
      assertTransaction(tx)
      const action = `${source}.${verb}` as const
      await during(() => audit(sql, tx, scope, [{ action, operation: action, resource, before, after }]))
    },
    emit: async (events, options) => {
      assertTransaction(tx)
      const prepared = events.map((event, i) => {
        const given = options?.[i]
        const key = given?.dedupeKey
        return prepare(event, given, i, key === undefined ? undefined : reserved.get(key))
      })
      const { results, lanes } = await during(() => emitter.write(prepared, tx, { transactional: true, accepted }))
      onEmit(lanes)
      return results
    },
  }
}
