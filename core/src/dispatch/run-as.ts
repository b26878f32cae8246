/** Whom deliveries run as: the registrants of their triggers, with the rights that they have now (G11). */
import type { Principal } from '../context.ts'
import { principalOf } from '../context.ts'
import { AdminPrincipalResolver } from '../principals/resolver.ts'
import type { PrincipalKey, PrincipalResolver } from '../principals/resolver.ts'
import type { Queryable } from '../sql/statement.ts'
import type { RowDelivery } from './delivery.ts'
import { DeliveryFailure } from './failure.ts'
import type { Plan } from './plan.ts'

/**
 * The principal of an execution, or why there is none and it does not run. `unresolved`: the bus's own query failed, so that the
 * delivery is put back, and nobody is charged (G16).
 */
export type RunsAs =
  | { readonly principal: Principal | undefined }
  | { readonly problem: DeliveryFailure }
  | { readonly unresolved: unknown }

/**
 * Asks once for all of them, however their rows are held. Never rejects: where the bus's own resolver fails they are put back,
 * where another one does they fail as `unavailable`.
 */
export async function resolveRunsAs(
  deliveries: readonly RowDelivery[],
  resolver: PrincipalResolver,
  on: Queryable,
): Promise<void> {
  const asked = new Map<string, { key: PrincipalKey; deliveries: RowDelivery[] }>()
  // Neighbours mostly share their plan.
  let plan: Plan | undefined
  let group: { readonly deliveries: RowDelivery[] } | undefined
  for (const delivery of deliveries) {
    if (delivery.plan !== plan) {
      plan = delivery.plan
      group = groupOf(plan, asked)
    }
    group?.deliveries.push(delivery)
  }
  if (asked.size === 0) return
  const groups = [...asked.values()]
  try {
    const resolved = await resolver.resolve(
      groups.map(({ key }) => key),
      on,
    )
    for (const [i, { key, deliveries: own }] of groups.entries()) {
      const principal = resolved[i]
      const as = runsAs(key, principal)
      for (const delivery of own) delivery.runsAs = as
    }
  } catch (cause) {
    const as = unresolved(resolver, cause)
    for (const { deliveries: own } of groups) for (const delivery of own) delivery.runsAs = as
    deliveries[0]?.log.warn({ err: cause, deliveries: deliveries.length }, 'principals could not be resolved')
  }
}

function unresolved(resolver: PrincipalResolver, cause: unknown): RunsAs {
  if (resolver instanceof AdminPrincipalResolver) return { unresolved: cause }
  return { problem: new DeliveryFailure('unavailable', 'its principal could not be resolved', { cause }) }
}

/** None where nobody registered the trigger. */
function groupOf(
  { app, registrant }: Plan,
  asked: Map<string, { key: PrincipalKey; deliveries: RowDelivery[] }>,
): { readonly deliveries: RowDelivery[] } | undefined {
  if (registrant === null) return undefined
  const name = `${app}\n${registrant}`
  let group = asked.get(name)
  if (group === undefined) {
    group = { key: { app, id: registrant }, deliveries: [] }
    asked.set(name, group)
  }
  return group
}

function runsAs({ id }: PrincipalKey, resolved: Awaited<ReturnType<PrincipalResolver['resolve']>>[number]): RunsAs {
  if (resolved === undefined || resolved.removed === true) return refused(id, 'principal_gone', 'is gone')
  if (resolved.disabled) return refused(id, 'principal_disabled', 'is disabled')
  return { principal: principalOf(resolved.id, resolved.roles) }
}

function refused(id: string, code: 'principal_gone' | 'principal_disabled', what: string): RunsAs {
  const message = `the principal ${JSON.stringify(id)}, who registered the trigger, ${what}`
  return { problem: Object.assign(new DeliveryFailure('forbidden', message), { code }) }
}
