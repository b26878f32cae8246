/** Reads a row's event by the version of the source that runs here. Pure. */
import type { TriggerEvent } from '../../contract/source.ts'
import { isThenable } from '../../validation/kinds.ts'
import { DeliveryFailure } from '../../contract/delivery-failure.ts'
import type { Plan } from './plan.ts'

/** Redacts again: the row may be older than the option, and `bind` may add from a filter. */
export function readEvent(plan: Plan, text: string, from: number): TriggerEvent {
  const event = readUnredacted(plan, text, from)
  return plan.redaction === undefined ? event : (plan.redaction.of(event) as TriggerEvent)
}

function readUnredacted(plan: Plan, text: string, from: number): TriggerEvent {
  const { source, sourceName, filter } = plan
  const value = JSON.parse(text) as TriggerEvent
  if (source === undefined) return value
  let event = value
  if (from !== source.version) {
    if (from > source.version || source.upcast === undefined) throw unreadable(plan, from)
    event = asked(sourceName, `upcast from version ${from}`, () => source.upcast?.({ event: value, from }))
  }
  return source.bind === undefined ? event : asked(sourceName, 'bind', () => source.bind?.({ event, filter }))
}

export function unreadable({ source, sourceName }: Plan, from: number): DeliveryFailure {
  const here = source?.version
  return new DeliveryFailure(
    'payload_invalid',
    `the event was written by version ${from} of source ${JSON.stringify(sourceName)}; version ${here} runs here and does not read it`,
  )
}

function asked(source: string, what: string, ask: () => TriggerEvent | undefined): TriggerEvent {
  let event: TriggerEvent | undefined
  try {
    event = ask()
  } catch (cause) {
    throw new DeliveryFailure('payload_invalid', `source ${JSON.stringify(source)}: ${what} threw`, { cause })
  }
  if (event !== undefined && typeof event !== 'function' && !isThenable(event)) return event
  throw new DeliveryFailure('payload_invalid', `source ${JSON.stringify(source)}: ${what} has to return a JSON value`)
}
