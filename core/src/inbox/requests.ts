/** `cx.request` and `cx.requests`: requests whose callers wait, come back later, or have gone. */
import { z } from 'zod'
import type { CallScope, Principal } from '../contract/scope.ts'
import { callerOf } from '../contract/scope.ts'
import { OutbusError } from '../errors.ts'
import type { EmitQueue } from '../outbox/emit-queue.ts'
import type { PreparedEvent } from '../outbox/prepare.ts'
import type { Page, PageOptions } from '../validation/page.ts'
import { decodeCursor, encodeCursor, pageLimit, pageSchema, toPage } from '../validation/page.ts'
import type { Access } from '../principals/access.ts'
import { findRequest } from '../sql/requests/find-request.ts'
import { listAbandoned } from '../sql/requests/list-abandoned.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { assertUuid } from '../validation/ids.ts'
import { parseWith } from '../validation/zod-error.ts'
import type { Departure, Inbox } from './inbox.ts'
import type { Reply, StoredReply } from '../contract/reply.ts'
import { failedReply, KEPT, toReply } from './reply.ts'
import type { RequestAnnouncer } from './request-announcer.ts'
import { abortSignalSchema } from '../validation/kinds.ts'
import type { RequestOptions, SubmitOptions, SubmittedRequest } from '../contract/request-options.ts'

export interface ReplyAddress {
  readonly replyTo: string
  /** Null: nobody waits. */
  readonly timeoutMs: number | null
}

export type RequestState =
  | { readonly state: 'pending'; readonly requestId: string }
  | { readonly state: 'replied' | 'abandoned'; readonly requestId: string; readonly reply: Reply }

export interface AbandonedExecution {
  readonly requestId: string
  readonly deliveryId: string
  readonly source: string
  readonly trigger: { readonly id: string; readonly name: string }
  /** The principal that asked; undefined for the service. */
  readonly caller: Principal | undefined
  readonly reply: Reply
  readonly emittedAt: Date
  readonly repliedAt: Date
  readonly abandonedAt: Date
}

export interface Requests {
  /**
   * What became of a request of this app, late replies included. A reply that reached its caller is kept for about a
   * minute, a submitted request's for 24 hours. An abandoned one is found for as long as it is kept. Undefined if
   * nothing is known.
   */
  get(requestId: string): Promise<RequestState | undefined>
  /** Executions whose caller was gone, oldest request first. */
  abandoned(options?: PageOptions): Promise<Page<AbandonedExecution>>
}

const MAX_TIMEOUT_MS = 600_000
const requestSchema = z.strictObject({
  timeoutMs: z.number().min(1).max(MAX_TIMEOUT_MS).default(10_000),
  signal: abortSignalSchema.optional(),
})
const submitSchema = z.strictObject({
  onlyTo: z
    .custom<NonNullable<SubmitOptions['onlyTo']>>((value) => typeof value === 'function', 'is a function')
    .optional(),
})

export function parseSubmitOptions(options: SubmitOptions = {}) {
  return parseWith(submitSchema, options, { code: 'request.invalid', what: 'submit' })
}

const listSchema = z.strictObject(pageSchema)

export class RequestDesk {
  readonly #inbox: Inbox
  readonly #queue: EmitQueue
  readonly #announcer: RequestAnnouncer

  constructor(inbox: Inbox, queue: EmitQueue, announcer: RequestAnnouncer) {
    this.#inbox = inbox
    this.#queue = queue
    this.#announcer = announcer
  }

  /** `prepare` gets the reply address, and refuses an invalid event before anything is written. */
  async request(prepare: (reply: ReplyAddress) => PreparedEvent, options: RequestOptions | undefined): Promise<Reply> {
    const { timeoutMs, signal } = parseWith(requestSchema, options ?? {}, { code: 'request.invalid', what: 'request' })
    const event = prepare({ replyTo: this.#inbox.address, timeoutMs })
    const requestId = event.eventId
    const expected = this.#inbox.expect(requestId, timeoutMs, signal)
    try {
      const deliveryId = await this.#write(event)
      if (deliveryId === undefined) {
        expected.forget()
        return { ...nobodyAnswers(event), requestId }
      }
    } catch (error) {
      expected.forget()
      throw error
    }
    const outcome = await expected.outcome
    if (typeof outcome !== 'string') return outcome
    // Not awaited: the caller has waited long enough.
    void expected.leave()
    return { ...departed(outcome, timeoutMs), requestId }
  }

  /** Resolves when the request is written; undefined if no trigger answers it. */
  async submit(prepare: (reply: ReplyAddress) => PreparedEvent): Promise<SubmittedRequest | undefined> {
    const event = prepare({ replyTo: KEPT, timeoutMs: null })
    const deliveryId = await this.#write(event)
    return deliveryId === undefined ? undefined : { requestId: event.eventId, deliveryId }
  }

  /** The row's id; undefined if no trigger answers the event. */
  async #write(event: PreparedEvent): Promise<string | undefined> {
    const [written] = await this.#queue.emit([event])
    const deliveryId = written?.deliveryIds[0]
    if (deliveryId !== undefined) this.#announcer.announce()
    return deliveryId
  }
}

function nobodyAnswers({ source }: PreparedEvent): StoredReply {
  return failedReply({ kind: 'not_found', message: `no trigger of source ${source.name} answers this request` })
}

function departed(departure: Departure, timeoutMs: number): StoredReply {
  switch (departure) {
    case 'timeout':
      return failedReply({ kind: 'timeout', message: `no reply within ${timeoutMs} ms` })
    case 'left':
      return failedReply({ kind: 'cancelled', message: 'the caller left before the reply came' })
    case 'stopped':
      return failedReply({ kind: 'cancelled', message: 'the bus of the caller stopped before the reply came' })
  }
}

export class RequestStore implements Requests {
  readonly #sql: Sql
  readonly #on: Queryable
  readonly #scope: CallScope
  readonly #access: Access

  constructor(sql: Sql, on: Queryable, scope: CallScope, access: Access) {
    this.#access = access
    this.#sql = sql
    this.#on = on
    this.#scope = scope
  }

  async get(requestId: string): Promise<RequestState | undefined> {
    const [found] = await this.#sql.run(this.#on, findRequest, [this.#scope.app, assertUuid(requestId, 'a request id')])
    if (found === undefined) return undefined
    const question = { action: 'request.read', resource: { requestId }, owner: found.caller } as const
    await this.#access.assert(this.#scope, this.#on, question)
    if (found.state === 'pending') return { state: 'pending', requestId }
    return { state: found.state, requestId, reply: toReply({ ...found, request_id: requestId }) }
  }

  async abandoned(options: PageOptions = {}): Promise<Page<AbandonedExecution>> {
    const given = parseWith(listSchema, options, { code: 'request.invalid', what: 'a listing of abandoned executions' })
    const listing = ['abandoned', this.#scope.app]
    const limit = pageLimit(given.limit)
    const after = decodeCursor(listing, given.cursor, (position) => assertUuid(position, 'a request id'))
    const question = { action: 'request.read', resource: { requestId: undefined } } as const
    const caller = (await this.#access.reach(this.#scope, this.#on, question)) ?? null
    const rows = await this.#sql.run(this.#on, listAbandoned, [this.#scope.app, after ?? null, limit + 1, caller])
    const items = rows.map((row) => ({
      requestId: row.request_id,
      deliveryId: row.delivery_id,
      source: row.source,
      trigger: { id: row.trigger_id, name: row.trigger_name },
      caller: callerOf(row.caller),
      reply: toReply(row),
      emittedAt: row.emitted_at,
      repliedAt: row.replied_at,
      abandonedAt: row.abandoned_at,
    }))
    return toPage(items, limit, ({ requestId }) => encodeCursor(listing, requestId))
  }
}

/** For `cx.with(tx)`: the row becomes visible at the commit, which would wait for the reply. */
export function refuseInTransaction(): never {
  throw new OutbusError('request.in_transaction', 'a request cannot wait for its reply inside the transaction', {
    path: 'tx',
    hint: 'emit in the transaction, or request after its commit',
  })
}
