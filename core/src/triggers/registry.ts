/**
 * The triggers of one app: checked by the schemas of source and target, and stored. Each change moves the app's epoch
 * on.
 */
import { v7 as uuidv7 } from 'uuid'
import type { z } from 'zod'
import { keysOfFilter } from '../contract/ask-source.ts'
import type { Change, Changed, MakeChange } from '../audit/auditor.ts'
import type { CallScope } from '../contract/scope.ts'
import { DEAD_LETTER_SOURCE } from '../contract/dead-letter.ts'
import { OutbusError } from '../errors.ts'
import { assertUuid } from '../validation/ids.ts'
import type { Page } from '../validation/page.ts'
import { decodeCursor, encodeCursor, pageLimit, toPage } from '../validation/page.ts'
import type { Plugins } from '../plugins/plugins.ts'
import type { Access } from '../principals/access.ts'
import { quotaExceeded } from '../contract/quotas.ts'
import type { TriggerFacts } from '../contract/actions.ts'
import type { Audience } from '../contract/audience.ts'
import { serverErrorBehind } from '../postgres/postgres-errors.ts'
import type { Priority } from '../validation/priority.ts'
import { priorityLevel, priorityOf } from '../validation/priority.ts'
import { parseRetryPolicy } from '../retry/policy.ts'
import { countWaiting } from '../sql/triggers/count-waiting.ts'
import { createTrigger } from '../sql/triggers/create-trigger.ts'
import { ALL_TRIGGERS } from '../sql/pause/pauses.ts'
import { pauseTriggers } from '../sql/pause/pause-triggers.ts'
import { releaseRows } from '../sql/triggers/release-rows.ts'
import { resumeTriggers } from '../sql/pause/resume-triggers.ts'
import { deleteTrigger } from '../sql/triggers/delete-trigger.ts'
import { getTrigger, lockTriggers } from '../sql/triggers/get-trigger.ts'
import { listTriggers } from '../sql/triggers/list-triggers.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { TriggerRow } from '../sql/triggers/trigger-row.ts'
import { updateTrigger } from '../sql/triggers/update-trigger.ts'
import { inSlices } from '../time/slices.ts'
import type { AnySource } from '../contract/source.ts'
import { audienceOfTarget } from '../contract/target.ts'
import { encodeJson } from '../validation/json.ts'
import { assertName } from '../validation/names.ts'
import { assertSaysSomething } from '../validation/given.ts'
import { parseWith } from '../validation/zod-error.ts'
import { problemOfFilter } from './explain.ts'
import { problemOfTarget, retryIn, targetIn } from './stored.ts'
import type { RunAs, Trigger, TriggerListOptions, TriggerPatch, Triggers, WaitingRows } from './trigger.ts'
import type { TargetSpec } from '../contract/target-spec.ts'
import {
  DEFAULT_TIMEOUT_MS,
  disableSchema,
  enableSchema,
  triggerListSchema,
  triggerPatchSchema,
  triggerSchema,
} from './trigger.ts'

/** For `bus.on`, which replaces another registrant's trigger. No verb of `cx.triggers`. */
export const REPLACE = Symbol('replace')
/** For `bus.on`, which has to see what others registered, in order to refuse it. */
export const FIND = Symbol('find')

/** Longer keys are not stored, as if unknown, because every process that emits for the app reads them. */
const MAX_KEYS_CHARACTERS = 65_536

export interface TriggerRegistryOptions {
  readonly sql: Sql
  readonly plugins: Plugins
  readonly on: Queryable
  readonly change: MakeChange
  readonly scope: CallScope
  readonly access: Access
  readonly mostTriggers: number
}

export class TriggerRegistry implements Triggers {
  readonly #sql: Sql
  readonly #plugins: Plugins
  readonly #on: Queryable
  readonly #scope: CallScope
  readonly #access: Access
  readonly #change: MakeChange
  readonly #mostTriggers: number

  constructor({ sql, plugins, on, change, scope, access, mostTriggers }: TriggerRegistryOptions) {
    this.#sql = sql
    this.#plugins = plugins
    this.#on = on
    this.#change = change
    this.#scope = scope
    this.#access = access
    this.#mostTriggers = mostTriggers
  }

  async create(input: unknown): Promise<Trigger> {
    return this.#create(input, undefined)
  }

  /**
   * Deletes `squatter` and creates the described trigger in one transaction. The new one inherits neither filter,
   * pause, registrant nor id. The old one's rows run as they would have run.
   */
  async [REPLACE](squatter: Trigger, input: unknown): Promise<Trigger> {
    const question = {
      action: 'trigger.delete',
      resource: { trigger: factsOf(squatter) },
      owner: squatter.registrant,
    } as const
    await this.#access.assert(this.#scope, this.#on, question)
    return this.#create(input, squatter)
  }

  async #create(input: unknown, instead: Trigger | undefined): Promise<Trigger> {
    const given = parseWith(triggerSchema, input, { code: 'trigger.invalid', what: 'trigger' })
    assertTriggerName(given.name)
    if (standsInLineTwice(given)) throw refusedOrder()
    const source = this.#plugins.source(given.source)
    const { filter, keys } = encodeFilter(source, 'filter' in given ? given.filter : {})
    const target = this.#encodeTarget(given.target)
    const retry = encodeRetry(source.name, given.retry === undefined ? {} : given.retry)
    const { priority = 'normal', enabled = true } = given
    await this.#access.assert(this.#scope, this.#on, {
      action: 'trigger.create',
      resource: { trigger: { ...given, filter: 'filter' in given ? given.filter : {}, priority, enabled } },
      owner: this.#scope.principal?.id,
      audiences: this.#audiencesOf({ source, target: given.target, priority }),
    })
    if (given.runAs === 'caller')
      await this.#assertMayRunAsCaller({ ...given, filter: 'filter' in given ? given.filter : {}, priority, enabled })
    const { app, principal } = this.#scope
    const write = async (sql: Sql, on: Queryable): Promise<TriggerRow> => {
      const [made] = await sql.run(on, createTrigger, [
        app,
        uuidv7(),
        given.name,
        source.name,
        filter,
        target,
        retry,
        priorityLevel(given.priority ?? 'normal'),
        given.timeoutMs ?? DEFAULT_TIMEOUT_MS,
        given.ordered ?? false,
        given.transactional ?? false,
        given.concurrency ?? null,
        given.rateLimit ?? null,
        principal?.id ?? null,
        given.enabled ?? true,
        this.#mostTriggers,
        given.runAs ?? 'registrant',
        keys,
      ])
      // Thrown within the transaction, so that everything in it is undone.
      if (made?.over_quota === true)
        throw quotaExceeded(app, 'triggers', { use: made.triggers + 1, limit: made.most_triggers })
      return made as TriggerRow
    }
    const writeAll = async (sql: Sql, on: Queryable): Promise<Changed<TriggerRow>> => {
      const changes: Change[] = []
      const operation = instead === undefined ? 'triggers.create' : 'bus.on'
      await this.#access.register(this.#scope, on)
      if (instead !== undefined) {
        const waiting = instead.enabled && !instead.paused ? 'run' : 'park'
        await sql.run(on, deleteTrigger, [app, instead.id, waiting])
        const before = auditedTrigger(instead)
        changes.push({ action: 'trigger.delete', operation, resource: instead.id, before, after: { waiting } })
      }
      const made = await write(sql, on)
      const after = auditedTrigger(this.#toTrigger(made, made.id))
      changes.push({ action: 'trigger.create', operation, resource: made.id, after })
      return { result: made, changes }
    }
    const made = await this.#explainingRefusals(given.name, () => this.#change(writeAll))
    return this.#toTrigger(made, given.name)
  }

  async get(id: string): Promise<Trigger> {
    const trigger = await this.#find(id)
    await this.#assertReadable(trigger)
    return trigger
  }

  async #find(id: string): Promise<Trigger> {
    const rows = await this.#sql.run(this.#on, getTrigger, [this.#scope.app, assertUuid(id, 'a trigger id'), null])
    return this.#toTrigger(rows[0], id)
  }

  async #assertReadable(trigger: Trigger): Promise<void> {
    const resource = { trigger: factsOf(trigger) }
    await this.#access.assert(this.#scope, this.#on, { action: 'trigger.read', resource, owner: trigger.registrant })
  }

  async getByName(name: string): Promise<Trigger | undefined> {
    const trigger = await this[FIND](name)
    if (trigger !== undefined) await this.#assertReadable(trigger)
    return trigger
  }

  /** Finds the trigger whoever registered it. */
  async [FIND](name: string): Promise<Trigger | undefined> {
    assertTriggerName(name)
    const rows = await this.#sql.run(this.#on, getTrigger, [this.#scope.app, null, name])
    return rows[0] === undefined ? undefined : this.#toTrigger(rows[0], name)
  }

  async list(options: TriggerListOptions = {}): Promise<Page<Trigger>> {
    const given = parseWith(triggerListSchema, options, { code: 'options.invalid', what: 'triggers.list' })
    const { source = null, enabled = null } = given
    const listing = ['triggers', this.#scope.app, String(source), String(enabled)]
    const limit = pageLimit(given.limit)
    const after = decodeCursor(listing, given.cursor, assertStorable) ?? null
    const question = { action: 'trigger.read', resource: { trigger: undefined } } as const
    const registrant = (await this.#access.reach(this.#scope, this.#on, question)) ?? null
    const parameters = [this.#scope.app, after, source, enabled, registrant, limit + 1] as const
    const rows = await this.#sql.run(this.#on, listTriggers, [...parameters])
    const triggers: Trigger[] = []
    // Each filter is read, to say whether it can be.
    await inSlices(rows, (row) => void triggers.push(this.#toTrigger(row, row.id)))
    return toPage(triggers, limit, (last) => encodeCursor(listing, last.name))
  }

  update(id: string, patch: TriggerPatch): Promise<Trigger> {
    return this.#update(id, patch, 'triggers.update')
  }

  async #update(id: string, patch: TriggerPatch, operation: string): Promise<Trigger> {
    const given = parseWith(triggerPatchSchema, patch, { code: 'trigger.invalid', what: 'trigger' })
    if (given.name !== undefined) assertTriggerName(given.name)
    for (;;) {
      const before = await this.#find(id)
      const row = await this.#updateAs(before, given, operation)
      // The authorizer decided about the trigger as it was, so it is asked again.
      if (row !== CHANGED_MEANWHILE) return this.#toTrigger(row, id)
    }
  }

  /** Changes the trigger if it is still as in `before`. */
  async #updateAs(
    before: Trigger,
    given: z.output<typeof triggerPatchSchema>,
    operation: string,
  ): Promise<TriggerRow | undefined | typeof CHANGED_MEANWHILE> {
    const waiting = waitingRowsOf(given)
    const { id, source, registrant } = before
    const encoded = 'filter' in given ? encodeFilter(this.#plugins.source(source), given.filter) : undefined
    await this.#access.assert(this.#scope, this.#on, {
      action: 'trigger.update',
      resource: { trigger: { ...factsOf(before), ...settingsOf(given) }, before: factsOf(before) },
      owner: registrant,
      audiences: this.#audiencesOfChange(before, given),
    })
    if ((given.runAs ?? before.runAs) === 'caller')
      await this.#assertMayRunAsCaller({ ...factsOf(before), ...settingsOf(given) })
    const write = async (
      sql: Sql,
      on: Queryable,
    ): Promise<Changed<TriggerRow | undefined | typeof CHANGED_MEANWHILE>> => {
      await sql.run(on, lockTriggers, [this.#scope.app])
      const [was] = await sql.run(on, getTrigger, [this.#scope.app, id, null])
      const asBefore = auditedTrigger(before)
      if (was !== undefined && JSON.stringify(auditedTrigger(this.#toTrigger(was, id))) !== JSON.stringify(asBefore))
        return { result: CHANGED_MEANWHILE, changes: [] }
      const [written] = await sql.run(on, updateTrigger, [
        this.#scope.app,
        id,
        given.name ?? null,
        encoded?.filter ?? null,
        given.target === undefined ? null : this.#encodeTarget(given.target),
        given.retry === undefined ? null : encodeRetry(source, given.retry),
        given.priority === undefined ? null : priorityLevel(given.priority),
        given.timeoutMs ?? null,
        given.ordered ?? null,
        given.transactional ?? null,
        noneAsZero(given.concurrency),
        noneAsZero(given.rateLimit),
        given.enabled ?? null,
        waiting,
        given.runAs ?? null,
        encoded?.keys ?? null,
      ])
      // The statement answers with the pauses from before it.
      const [is] = waiting === null ? [written] : await sql.run(on, getTrigger, [this.#scope.app, id, null])
      if (was === undefined || is === undefined) return { result: is, changes: [] }
      const change = { action: 'trigger.update', operation, resource: is.id } as const
      const after = auditedTrigger(this.#toTrigger(is, id))
      return {
        result: is,
        changes: [
          {
            ...change,
            before: asBefore,
            // What becomes of waiting rows is a change by itself.
            after: given.waiting === undefined ? after : { ...after, waiting: given.waiting },
          },
        ],
      }
    }
    return this.#explainingRefusals(given.name ?? id, () => this.#change(write))
  }

  /** Asked of whoever says or changes what runs in the name of others. */
  #assertMayRunAsCaller(trigger: TriggerFacts): Promise<void> {
    return this.#access.assert(this.#scope, this.#on, { action: 'trigger.run_as_caller', resource: { trigger } })
  }

  async enable(id: string, options: { waiting?: 'run' | 'discard' } = {}): Promise<Trigger> {
    const given = parseWith(enableSchema, options, { code: 'options.invalid', what: 'triggers.enable' })
    return this.#update(id, { enabled: true, ...given }, 'triggers.enable')
  }

  async disable(id: string, options: { waiting?: WaitingRows } = {}): Promise<Trigger> {
    const given = parseWith(disableSchema, options, { code: 'options.invalid', what: 'triggers.disable' })
    return this.#update(id, { enabled: false, ...given }, 'triggers.disable')
  }

  async delete(id: string, options: { waiting?: WaitingRows } = {}): Promise<void> {
    const { waiting } = parseWith(disableSchema, options, { code: 'options.invalid', what: 'triggers.delete' })
    const trigger = await this.#find(id)
    const { registrant: owner, enabled, paused } = trigger
    await this.#access.assert(this.#scope, this.#on, {
      action: 'trigger.delete',
      resource: { trigger: factsOf(trigger) },
      owner,
    })
    const triggerId = assertUuid(id, 'a trigger id')
    const runs = enabled && !paused
    if (waiting === undefined && !runs) await this.#assertNothingWaits(triggerId, enabled ? 'paused' : 'disabled')
    // If the trigger runs nothing now, rows that commit a moment later must not run by surprise.
    const rowsWaiting = waiting ?? (runs ? 'run' : 'park')
    await this.#change(async (sql, on) => {
      await sql.run(on, lockTriggers, [this.#scope.app])
      const [was] = await sql.run(on, getTrigger, [this.#scope.app, triggerId, null])
      const rows = await sql.run(on, deleteTrigger, [this.#scope.app, triggerId, rowsWaiting])
      if (was === undefined || rows[0] === undefined) throw notFound(id)
      const before = auditedTrigger(this.#toTrigger(was, id))
      const change = { action: 'trigger.delete', operation: 'triggers.delete', resource: was.id } as const
      return { result: undefined, changes: [{ ...change, before, after: { waiting: rowsWaiting } }] }
    })
  }

  async release(id: string): Promise<boolean> {
    const triggerId = assertUuid(id, 'a trigger id')
    await this.#assertPauses(undefined)
    return this.#change(async (sql, on) => {
      const released = (await sql.run(on, releaseRows, [this.#scope.app, triggerId])).length > 0
      const change = { action: 'trigger.pause', operation: 'triggers.release', resource: triggerId } as const
      return { result: released, changes: released ? [{ ...change, before: { parked: true } }] : [] }
    })
  }

  async #assertNothingWaits(id: string, state: 'paused' | 'disabled'): Promise<void> {
    const [waiting] = await this.#sql.run(this.#on, countWaiting, [this.#scope.app, id])
    const count = waiting?.count ?? 0
    if (count === 0) return
    throw new OutbusError(
      'trigger.has_waiting_rows',
      `the trigger is ${state}, and ${count} of its rows wait: say what becomes of them`,
      { path: 'waiting', received: count, hint: "{ waiting: 'run' }, { waiting: 'park' } or { waiting: 'discard' }" },
    )
  }

  async pause(id: string): Promise<Trigger> {
    const trigger = await this.#find(id)
    await this.#assertPauses(trigger)
    await this.#setPaused(trigger.id, true, 'triggers.pause')
    return this.#find(id)
  }

  async resume(id: string): Promise<Trigger> {
    const trigger = await this.#find(id)
    await this.#assertPauses(trigger)
    await this.#setPaused(trigger.id, false, 'triggers.resume')
    return this.#find(id)
  }

  async pauseAll(): Promise<void> {
    await this.#assertPauses(undefined)
    await this.#setPaused(ALL_TRIGGERS, true, 'triggers.pauseAll')
  }

  async resumeAll(): Promise<void> {
    await this.#assertPauses(undefined)
    await this.#setPaused(ALL_TRIGGERS, false, 'triggers.resumeAll')
  }

  #setPaused(id: string, paused: boolean, operation: string): Promise<void> {
    return this.#change(async (sql, on) => {
      const rows = await sql.run(on, paused ? pauseTriggers : resumeTriggers, [this.#scope.app, id])
      const resource = id === ALL_TRIGGERS ? undefined : id
      const change = {
        action: 'trigger.pause',
        operation,
        resource,
        before: { paused: !paused },
        after: { paused },
      } as const
      return { result: undefined, changes: rows.length === 0 ? [] : [change] }
    })
  }

  async #assertPauses(trigger: Trigger | undefined): Promise<void> {
    const resource = { trigger: trigger === undefined ? undefined : factsOf(trigger) }
    const owner = trigger?.registrant
    await this.#access.assert(this.#scope, this.#on, { action: 'trigger.pause', resource, owner })
  }

  /** The audiences to which the service opened what the trigger is about. */
  #audiencesOf(of: {
    readonly source?: AnySource | undefined
    readonly target?: TargetSpec | undefined
    readonly priority?: Priority | undefined
  }): Audience[] {
    const { source, target, priority } = of
    const audiences: Audience[] = []
    if (source !== undefined) audiences.push(source.triggersFor ?? 'everyone')
    if (target !== undefined)
      audiences.push(audienceOfTarget(this.#plugins.target(target.type), target, this.#scope.app))
    if (priority !== undefined) audiences.push(this.#access.audienceOf(priority))
    return audiences
  }

  /** For what the patch names, or for everything if it enables the trigger again. */
  #audiencesOfChange(before: Trigger, patch: z.output<typeof triggerPatchSchema>): Audience[] {
    const { target, priority } = patch
    const isEnabled = patch.enabled === true
    const source = isEnabled || 'filter' in patch ? this.#plugins.source(before.source) : undefined
    return this.#audiencesOf({
      source,
      target: target ?? (isEnabled ? before.target : undefined),
      priority: priority ?? (isEnabled ? before.priority : undefined),
    })
  }

  #encodeTarget(spec: TargetSpec): string {
    const { type, ...config } = spec
    parseWith(this.#plugins.target(type).config, config, {
      code: 'trigger.invalid',
      what: `target ${type}`,
      path: 'target',
    })
    return encodeJson(spec, { path: 'target' })
  }

  #toTrigger(row: TriggerRow | undefined, sought: string): Trigger {
    if (row === undefined) throw notFound(sought)
    const target = targetIn(row.target)
    const { policy: retry, problem: problemOfRetry } = retryIn(row.retry)
    const source = this.#plugins.sources.get(row.source)
    return {
      id: row.id,
      app: row.app_id,
      name: row.name,
      source: row.source,
      filter: row.filter,
      target,
      retry,
      priority: priorityOf(row.priority),
      timeoutMs: row.timeout_ms,
      ordered: row.ordered,
      transactional: row.transactional,
      concurrency: row.concurrency ?? undefined,
      rateLimit: row.rate_limit ?? undefined,
      registrant: row.registrant ?? undefined,
      runAs: row.run_as as RunAs,
      enabled: row.enabled,
      paused: row.paused || row.app_paused,
      pausedBy: [...(row.paused ? (['trigger'] as const) : []), ...(row.app_paused ? (['app'] as const) : [])],
      parked: row.parked,
      unresolved: !this.#resolves(target),
      problem:
        problemOfTarget(target) ??
        problemOfRetry ??
        (source === undefined ? undefined : problemOfFilter(source, row.filter)),
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    }
  }

  #resolves(spec: TargetSpec): boolean {
    const { type, ...config } = spec
    const target = this.#plugins.targets.get(type)
    try {
      return (
        target !== undefined && (target.resolves === undefined || target.resolves({ config, app: this.#scope.app }))
      )
    } catch {
      // Another version of the target wrote it, and this one cannot resolve it.
      return false
    }
  }

  async #explainingRefusals<T>(name: string, write: () => Promise<T>): Promise<T> {
    try {
      return await write()
    } catch (error) {
      // Only these two are ours to explain.
      const constraint = serverErrorBehind(error)?.constraint
      if (constraint === 'triggers_ordered_stands_alone') throw refusedOrder(error)
      if (constraint !== 'triggers_name_is_unique_in_its_app') throw error
      throw new OutbusError('trigger.duplicate_name', `the app has a trigger named ${JSON.stringify(name)} already`, {
        path: 'name',
        received: name,
        hint: 'choose another name, or update the one there is',
        cause: error,
      })
    }
  }
}

const CHANGED_MEANWHILE = Symbol('changed meanwhile')

function factsOf(trigger: Trigger): TriggerFacts {
  return { ...trigger }
}

function settingsOf(patch: object): Partial<TriggerFacts> {
  const given = Object.entries(patch).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given)
}

/** What the audit keeps of a trigger: everything that somebody sets. */
function auditedTrigger(trigger: Trigger): object {
  const { id: _id, app: _app, parked: _parked, paused: _paused, unresolved: _unresolved, ...rest } = trigger
  const { createdAt: _createdAt, updatedAt: _updatedAt, problem: _problem, ...settings } = rest
  return settings
}

function assertTriggerName(name: unknown): void {
  assertName(name, { what: 'a trigger name', code: 'trigger.invalid' })
}

/** Another login may have written a name that no trigger could get; a cursor may hold it. */
function assertStorable(name: string): void {
  if (name.includes('\0') || !name.isWellFormed()) throw new TypeError('no text that Postgres stores')
}

/**
 * Stores the filter as written, because its schema transforms it at each reading. Its keys go beside it, for processes
 * that cannot read it.
 */
function encodeFilter(source: AnySource, filter: unknown): { readonly filter: string; readonly keys: string } {
  const what = `filter of source ${source.name}`
  const parsed: unknown = parseWith(source.filter, filter, { code: 'trigger.invalid', what, path: 'filter' })
  assertSaysSomething(filter, { code: 'trigger.invalid', what, path: 'filter' })
  // A source that cannot give keys fails here, not at each emit from then on.
  const keys = keysOfFilter(source, parsed)
  const text = JSON.stringify(keys)
  return { filter: encodeJson(filter, { path: 'filter' }), keys: text.length > MAX_KEYS_CHARACTERS ? 'null' : text }
}

function encodeRetry(source: string, retry: unknown): string {
  const policy = parseRetryPolicy(retry, { path: 'retry' })
  if (source !== DEAD_LETTER_SOURCE) return encodeJson(policy)
  if (Object.keys(retry as object).length > 0) {
    throw new OutbusError('dead_letter.retry_forbidden', 'a dead-letter handler runs once: it has no retry policy', {
      path: 'retry',
      received: retry,
      hint: 'leave it out; the letter is handler_failed when the handler fails',
    })
  }
  return encodeJson({ ...policy, maxAttempts: 1 })
}

function standsInLineTwice(given: z.output<typeof triggerSchema>): boolean {
  const { ordered = false, transactional = false, concurrency, rateLimit } = given
  return ordered && (transactional || typeof (concurrency ?? rateLimit) === 'number')
}

/** What becomes of rows that are there. Null: nothing. */
function waitingRowsOf({ enabled, waiting }: z.output<typeof triggerPatchSchema>): WaitingRows | null {
  const problem =
    waiting !== undefined && enabled === undefined
      ? 'waiting says what becomes of rows where enabled changes'
      : waiting === 'park' && enabled === true
        ? 'an enabled trigger has no parked rows'
        : undefined
  if (problem !== undefined) throw new OutbusError('trigger.invalid', problem, { path: 'waiting', received: waiting })
  if (enabled === undefined) return null
  return waiting ?? (enabled ? 'run' : 'park')
}

function refusedOrder(cause?: unknown): OutbusError {
  return new OutbusError(
    'trigger.invalid',
    'an ordered trigger has no transactional, concurrency or rateLimit: its rows run one after another already',
    { path: 'ordered', ...(cause === undefined ? {} : { cause }) },
  )
}

/** In a patch, undefined keeps the limit and null removes it. */
function noneAsZero(limit: number | null | undefined): number | null {
  return limit === undefined ? null : (limit ?? 0)
}

function notFound(sought: string): OutbusError {
  return new OutbusError('trigger.not_found', 'the app has no such trigger', { path: 'id', received: sought })
}
