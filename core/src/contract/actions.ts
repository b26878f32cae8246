/**
 * Every action that the `Authorizer` is asked about: what it is, what it is about, and what the default allows to a principal that is
 * no administrator. `docs/authorizer.md` is made of this table and of the `actions` of the sources.
 */
import type { EmitOptionFacts } from './emit-options.ts'
import { EMIT_OPTIONS_RESOURCE } from './emit-options.ts'
import type { Priority } from '../validation/priority.ts'
import type { TargetSpec } from './target-spec.ts'

/** A trigger as it is, or as it will be. Whatever else was given, such as `timeoutMs`, stands beside. */
export interface TriggerFacts {
  /** Undefined for one that is not written yet. */
  readonly id?: string | undefined
  readonly name: string
  readonly source: string
  readonly filter: unknown
  readonly target: TargetSpec
  readonly priority: Priority
  readonly enabled: boolean
  readonly [setting: string]: unknown
}

/** A delivery or a dead letter, and the trigger that it is of. */
export interface RowFacts {
  readonly id: string
  readonly source: string
  readonly trigger: { readonly id: string; readonly name: string }
}

interface EmitFacts {
  readonly source: string
  readonly op: string
  /** The event as the source's schema read it. */
  readonly event: unknown
}

/** What each action of core is about. A member that is undefined stands for all that the app has. */
export interface ActionResources {
  'event.emit': EmitFacts & EmitOptionFacts
  'event.request': EmitFacts
  'event.explain': EmitFacts
  'trigger.create': { readonly trigger: TriggerFacts }
  'trigger.read': { readonly trigger: TriggerFacts | undefined }
  'trigger.update': { readonly trigger: TriggerFacts; readonly before: TriggerFacts }
  'trigger.delete': { readonly trigger: TriggerFacts }
  'trigger.pause': { readonly trigger: TriggerFacts | undefined }
  'trigger.run_as_caller': { readonly trigger: TriggerFacts }
  'delivery.run': { readonly trigger: Pick<TriggerFacts, 'id' | 'name' | 'source' | 'target'> }
  'delivery.read': { readonly delivery: RowFacts | undefined }
  'delivery.cancel': { readonly deliveries: readonly string[] | undefined }
  'dead_letter.read': { readonly letter: RowFacts | undefined }
  'dead_letter.replay': { readonly letter: RowFacts | undefined }
  'dead_letter.discard': { readonly letter: RowFacts | undefined }
  'history.read': { readonly filter: unknown }
  'request.read': { readonly requestId: string | undefined }
  'principal.read': { readonly id: string | undefined }
  'principal.change': {
    readonly id: string
    readonly change: 'put' | 'remove'
    readonly roles: readonly string[] | undefined
    readonly disabled: boolean | undefined
  }
  'audit.read': { readonly filter: unknown }
  'set_aside.read': { readonly filter: unknown }
  'app.erase': { readonly dryRun: boolean }
  'data.erase': { readonly where: unknown; readonly caller: string | undefined; readonly dryRun: boolean }
}

export type CoreAction = keyof ActionResources
/** The action of a verb of a source is its name, a dot and the verb, such as `kv.set`. */
export type SourceAction = `${string}.${string}` & {}
export type Action = CoreAction | SourceAction

/**
 * What the default allows to a principal that is no administrator:
 *
 *   open            what the service opened to it: the source, the function or other target, the priority
 *   own             what it registered or called itself
 *   own and open    both
 *   administrators  nothing
 *   service         nothing, and nothing to administrators either
 */
export type Default = 'open' | 'own' | 'own and open' | 'administrators' | 'service'

export interface ActionRow<Resource> {
  /** The calls that ask. */
  readonly asks: string
  readonly resource: { readonly [Member in keyof Resource]-?: string }
  readonly allows: Default
  /** `everybody`: of the service as well. */
  readonly of: 'principals' | 'everybody'
}

const EMIT = { source: 'its name', op: 'its op', event: 'as the schema of the source read it' }
const ONE_OR_ALL = 'undefined: those of the whole app'

export const CORE_ACTIONS: { readonly [A in CoreAction]: ActionRow<ActionResources[A]> } = {
  'event.emit': {
    asks: '`cx.emit`, `cx.emitMany`, for each event',
    resource: { ...EMIT, ...EMIT_OPTIONS_RESOURCE },
    allows: 'open',
    of: 'principals',
  },
  'event.request': {
    asks: '`cx.request`, `cx.submit`, `cx.isAnswered`',
    resource: EMIT,
    allows: 'open',
    of: 'principals',
  },
  'event.explain': { asks: '`cx.explain`', resource: EMIT, allows: 'open', of: 'principals' },
  'trigger.create': {
    asks: '`triggers.create`, `bus.on`',
    resource: { trigger: 'as it will be' },
    allows: 'own and open',
    of: 'everybody',
  },
  'trigger.read': {
    asks: '`triggers.get`, `getByName`, `list`, `cx.explain`',
    resource: { trigger: ONE_OR_ALL },
    allows: 'own',
    of: 'principals',
  },
  'trigger.update': {
    asks: '`triggers.update`, `enable`, `disable`',
    resource: { trigger: 'as it will be', before: 'as it is' },
    allows: 'own and open',
    of: 'everybody',
  },
  'trigger.delete': { asks: '`triggers.delete`', resource: { trigger: 'as it is' }, allows: 'own', of: 'everybody' },
  'trigger.pause': {
    asks: '`triggers.pause`, `resume`, `pauseAll`, `resumeAll`, `release`',
    resource: { trigger: ONE_OR_ALL },
    allows: 'own',
    of: 'everybody',
  },
  'trigger.run_as_caller': {
    asks: '`triggers.create` and `update`, of a trigger that runs as its caller',
    resource: { trigger: 'as it will be' },
    allows: 'administrators',
    of: 'everybody',
  },
  'delivery.run': {
    asks: 'a dispatcher, before it runs what a principal registered',
    resource: { trigger: 'id, name, source and target' },
    allows: 'own and open',
    of: 'principals',
  },
  'delivery.read': {
    asks: '`deliveries.get`, `list`',
    resource: { delivery: ONE_OR_ALL },
    allows: 'own',
    of: 'principals',
  },
  'delivery.cancel': {
    asks: '`deliveries.cancel`, `withdraw`, `cancelAll`, `purge`',
    resource: { deliveries: `their ids; ${ONE_OR_ALL}` },
    allows: 'own',
    of: 'everybody',
  },
  'dead_letter.read': {
    asks: '`deadLetters.get`, `list`, and whoever handles dead letters, for each letter',
    resource: { letter: ONE_OR_ALL },
    allows: 'own',
    of: 'principals',
  },
  'dead_letter.replay': {
    asks: '`deadLetters.replay`, `replayAll`',
    resource: { letter: ONE_OR_ALL },
    allows: 'own',
    of: 'everybody',
  },
  'dead_letter.discard': {
    asks: '`deadLetters.discard`, `discardAll`',
    resource: { letter: ONE_OR_ALL },
    allows: 'own',
    of: 'everybody',
  },
  'history.read': { asks: '`history.list`', resource: { filter: 'as it was given' }, allows: 'own', of: 'principals' },
  'request.read': {
    asks: '`requests.get`, `abandoned`',
    resource: { requestId: ONE_OR_ALL },
    allows: 'own',
    of: 'principals',
  },
  'principal.read': {
    asks: '`principals.get`, `list`',
    resource: { id: 'undefined: everybody of the app' },
    allows: 'own',
    of: 'principals',
  },
  'principal.change': {
    asks: '`principals.put`, `remove`',
    resource: { id: 'of the principal', change: '`put` or `remove`', roles: 'as given', disabled: 'as given' },
    allows: 'administrators',
    of: 'everybody',
  },
  'audit.read': { asks: '`audit.list`', resource: { filter: 'as it was given' }, allows: 'own', of: 'principals' },
  'set_aside.read': {
    asks: '`setAside.list`',
    resource: { filter: 'as it was given' },
    allows: 'administrators',
    of: 'principals',
  },
  'app.erase': {
    asks: '`bus.apps.erase`',
    resource: { dryRun: 'true: it only counts' },
    allows: 'service',
    of: 'everybody',
  },
  'data.erase': {
    asks: '`bus.apps.eraseData`',
    resource: { where: 'as it was given', caller: 'whose calls are meant', dryRun: 'true: it only counts' },
    allows: 'administrators',
    of: 'everybody',
  },
}
