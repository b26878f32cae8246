/** Whom deliveries run as: registrants or callers, with their present rights (G11). */
import type { Principal } from '../../contract/scope.ts'
import { principalOf, UNKNOWN_CALLER } from '../../contract/scope.ts'
import { AdminPrincipalResolver } from '../../principals/resolver.ts'
import type { PrincipalKey, PrincipalResolver } from '../../principals/resolver.ts'
import type { ResolvedPrincipal } from '../../contract/principal.ts'
import { isFaultOfRow } from '../../set-aside/fault.ts'
import type { Queryable } from '../../postgres/queryable.ts'
import type { RowDelivery } from './delivery.ts'
import { DeliveryFailure } from '../../contract/delivery-failure.ts'
import type { Plan } from './plan.ts'
import type { RunsAs } from './runs-as.ts'

export interface RunsAsRules {
  readonly resolver: PrincipalResolver
  /** Whether the service now lets the plan run for its registrant. */
  mayRun(plan: Plan, principal: ResolvedPrincipal): boolean | Promise<boolean>
}

/** Deliveries of one app, registrant and caller. Null: the service. */
interface Group {
  readonly app: string
  readonly registrant: string | null
  readonly caller: string | null
  readonly deliveries: RowDelivery[]
}

/**
 * Asks once for all. Never rejects. If the bus's own resolver fails, deliveries are put back; if another one does, they
 * fail as `unavailable`.
 */
export async function resolveRunsAs(
  deliveries: readonly RowDelivery[],
  rules: RunsAsRules,
  on: Queryable,
): Promise<void> {
  const groups = groupsOf(deliveries)
  if (groups.length > 0) await resolveGroups(groups, rules, on, { left: MOST_ASKED_AGAIN })
}

/** How often a batch asks again in smaller groups. */
const MOST_ASKED_AGAIN = 32

/** Halves what cannot be resolved together: one principal stops no other's deliveries (G19). */
async function resolveGroups(
  groups: readonly Group[],
  rules: RunsAsRules,
  on: Queryable,
  asks: { left: number },
): Promise<void> {
  const { resolver, mayRun } = rules
  const keys = keysOf(groups)
  try {
    const resolved = await resolver.resolve({ principals: [...keys.values()], on })
    const places = new Map([...keys.keys()].map((name, i) => [name, resolved[i]]))
    // In parallel: an authorizer that is silent about several costs one wait.
    await Promise.all(groups.map((group) => decide(group, places, mayRun)))
  } catch (cause) {
    // Where Postgres is away, asking again does not help.
    const mayHelp = isFaultOfRow(cause) || !(resolver instanceof AdminPrincipalResolver)
    if (groups.length > 1 && mayHelp && asks.left >= 2) {
      asks.left -= 2
      const half = Math.ceil(groups.length / 2)
      await resolveGroups(groups.slice(0, half), rules, on, asks)
      return resolveGroups(groups.slice(half), rules, on, asks)
    }
    const as = unresolved(resolver, cause)
    for (const { deliveries: own } of groups) for (const delivery of own) delivery.runsAs = as
    const [first] = groups
    first?.deliveries[0]?.log.warn({ err: cause, principals: groups.length }, 'principals could not be resolved')
  }
}

/** Never rejects: if the authorizer fails, the group is put back. */
async function decide(
  { app, registrant, caller, deliveries }: Group,
  places: ReadonlyMap<string, ResolvedPrincipal | undefined>,
  mayRun: RunsAsRules['mayRun'],
): Promise<void> {
  const as = runsAs({ registrant, caller }, (id) => places.get(nameOf(app, id)))
  const registered = registrant === null || 'problem' in as ? undefined : places.get(nameOf(app, registrant))
  let asked: Plan | undefined
  let answer: RunsAs = as
  for (const delivery of deliveries) {
    if (registered !== undefined && delivery.plan !== asked) {
      asked = delivery.plan
      try {
        const may = mayRun(asked, registered)
        answer = (typeof may === 'boolean' ? may : await may) ? as : notAllowed(registered.id, asked)
      } catch (cause) {
        answer = { unresolved: cause }
        delivery.log.warn({ err: cause, principal: registered.id }, 'it is not known what a principal may do')
      }
    }
    delivery.runsAs = answer
  }
}

/** Deliveries that run as the service are in no group. */
function groupsOf(deliveries: readonly RowDelivery[]): readonly Group[] {
  const groups = new Map<string, Group>()
  // Neighbours mostly share their plan and caller.
  let plan: Plan | undefined
  let caller: string | null = null
  let group: Group | undefined
  for (const delivery of deliveries) {
    const ownCaller = delivery.plan.runsAsCaller ? delivery.row.caller : null
    if (delivery.plan !== plan || ownCaller !== caller) {
      plan = delivery.plan
      caller = ownCaller
      group = groupOf(plan, caller, groups)
    }
    group?.deliveries.push(delivery)
  }
  return [...groups.values()]
}

function groupOf({ app, registrant }: Plan, caller: string | null, groups: Map<string, Group>): Group | undefined {
  if (registrant === null && caller === null) return undefined
  const name = JSON.stringify([app, registrant, caller])
  let group = groups.get(name)
  if (group === undefined) groups.set(name, (group = { app, registrant, caller, deliveries: [] }))
  return group
}

function keysOf(groups: readonly Group[]): Map<string, PrincipalKey> {
  const keys = new Map<string, PrincipalKey>()
  for (const { app, registrant, caller } of groups)
    for (const id of [registrant, caller])
      if (id !== null && id !== UNKNOWN_CALLER) keys.set(nameOf(app, id), { app, id })
  return keys
}

function nameOf(app: string, id: string): string {
  return JSON.stringify([app, id])
}

function runsAs(
  { registrant, caller }: Pick<Group, 'registrant' | 'caller'>,
  resolved: (id: string) => ResolvedPrincipal | undefined,
): RunsAs {
  const registered = registrant === null ? undefined : standing(registrant, resolved(registrant), REGISTERED)
  if (registered !== undefined && 'problem' in registered) return registered
  if (caller === null) return { principal: registered?.principal }
  if (caller === UNKNOWN_CALLER) return refused('nobody has said who emitted the event', 'caller_unknown')
  const called = standing(caller, resolved(caller), EMITTED)
  if ('problem' in called || registered === undefined || caller === registrant) return called
  return { ...called, boundBy: [registered.principal] }
}

const REGISTERED = 'registered the trigger'
const EMITTED = 'emitted the event'

function standing(
  id: string,
  resolved: ResolvedPrincipal | undefined,
  did: typeof REGISTERED | typeof EMITTED,
): { readonly principal: Principal } | { readonly problem: DeliveryFailure } {
  const who = `the principal ${JSON.stringify(id)}, who ${did},`
  if (resolved === undefined || resolved.removed === true) return refused(`${who} is gone`, 'principal_gone')
  if (resolved.disabled) return refused(`${who} is disabled`, 'principal_disabled')
  return { principal: principalOf(resolved.id, resolved.roles) }
}

function refused(
  message: string,
  code: 'principal_gone' | 'principal_disabled' | 'principal_not_allowed' | 'caller_unknown',
): { readonly problem: DeliveryFailure } {
  return { problem: Object.assign(new DeliveryFailure('forbidden', message), { code }) }
}

function unresolved(resolver: PrincipalResolver, cause: unknown): RunsAs {
  if (resolver instanceof AdminPrincipalResolver) return { unresolved: cause }
  return { problem: new DeliveryFailure('unavailable', 'its principal could not be resolved', { cause }) }
}

function notAllowed(id: string, { target, sourceName }: Plan): RunsAs {
  const what = `may not run a target of type ${target?.type} for events of ${sourceName}`
  const message = `the principal ${JSON.stringify(id)}, who registered the trigger, ${what}: the service has not opened them to it`
  return refused(message, 'principal_not_allowed')
}
