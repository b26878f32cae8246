/** Turns events × matching triggers into the arrays of the emit statement. Pure. */
import { jsonArray, plainArray, textArray } from '../postgres/arrays.ts'
import type { EmitParameters, WaitingEmitParameters } from '../sql/emit/parameters.ts'
import { IN_BATCHES, isLimited } from '../sql/emit/single.ts'
import { wakesOf } from '../postgres/wake-up-channel.ts'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import type { PreparedEvent } from './prepare.ts'

export interface FanOut {
  readonly pairEvents: number[]
  readonly pairTriggers: number[]
  readonly triggers: readonly IndexedTrigger[]
  /** Some row is of an `ordered` trigger. */
  readonly ordered: boolean
  /** Some row is taken one by one. */
  readonly single: boolean
  /** Some row goes in batches. */
  readonly batched: boolean
}

export function fanOut(events: readonly PreparedEvent[], matched: readonly (readonly IndexedTrigger[])[]): FanOut {
  const pairEvents: number[] = []
  const pairTriggers: number[] = []
  const numbers = new Map<IndexedTrigger, number>()
  for (const [eventIndex, triggers] of matched.entries()) {
    for (const trigger of triggers) {
      let number = numbers.get(trigger)
      if (number === undefined) numbers.set(trigger, (number = numbers.size + 1))
      pairEvents.push(eventIndex + 1)
      pairTriggers.push(number)
    }
  }
  const someDelivery = (is: (trigger: IndexedTrigger) => boolean) =>
    events.some(({ replyTo }, i) => replyTo === null && matched[i]?.some(is) === true)
  return {
    pairEvents,
    pairTriggers,
    triggers: [...numbers.keys()],
    ordered: someDelivery((trigger) => trigger.ordered),
    single:
      someDelivery((trigger) => trigger.single !== IN_BATCHES) ||
      matched.some((triggers) => triggers.some((trigger) => isLimited(trigger.single))),
    batched: someDelivery((trigger) => trigger.single === IN_BATCHES && !trigger.ordered),
  }
}

export function emitParameters(
  events: readonly PreparedEvent[],
  indexes: ReadonlyMap<string, { readonly epoch: string }>,
  pairs: FanOut,
  channel: string | null,
  lockTimeout: string | null,
): WaitingEmitParameters {
  const { pairEvents, pairTriggers, triggers } = pairs
  return [
    [...indexes.keys()],
    plainArray([...indexes.values()].map(({ epoch }) => epoch)),
    plainArray(pairEvents),
    plainArray(pairTriggers),
    plainArray(triggers.map((trigger) => trigger.id)),
    jsonArray(triggers.map((trigger) => trigger.snapshot)),
    plainArray(triggers.map((trigger) => trigger.priority)),
    events.map((event) => event.app),
    plainArray(events.map((event) => event.eventId)),
    jsonArray(events.map((event) => event.text)),
    plainArray(events.map((event) => event.source.version)),
    plainArray(events.map((event) => event.priority)),
    plainArray(events.map((event) => event.delayMs)),
    textArray(events.map((event) => event.runAt)),
    plainArray(events.map((event) => event.depth)),
    plainArray(events.map((event) => event.rootId)),
    jsonArray(events.map((event) => event.chain)),
    textArray(events.map((event) => event.orderingKey)),
    textArray(events.map((event) => event.traceContext)),
    textArray(events.map((event) => event.replyTo)),
    plainArray(events.map((event) => event.replyTimeoutMs)),
    channel,
    triggers.map((trigger) => trigger.ordered),
    plainArray(triggers.map((trigger) => trigger.single)),
    wakesOf(pairs),
    textArray(events.map((event) => event.caller)),
    events.map((event) => event.source.name),
    textArray(events.map((event) => event.dedupeKey)),
    plainArray(events.map((event) => event.dedupeWindowMs)),
    lockTimeout,
  ]
}

/** The parameters of a statement that never waits for a lock. */
export function plainParameters(parameters: WaitingEmitParameters): EmitParameters {
  return parameters.slice(0, 26) as unknown as EmitParameters
}
