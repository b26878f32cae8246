/**
 * Refuses events for the triggers that match them, or for having none. Others without a trigger are counted, and logged
 * once.
 */
import type { Logger } from 'pino'
import { DEAD_LETTER_SOURCE } from '../contract/dead-letter.ts'
import { OutbusError } from '../errors.ts'
import type { EmitOptions } from '../contract/emit-options.ts'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import { pathOfEvent } from './prepare.ts'
import type { PreparedEvent } from './prepare.ts'

/** How many apps, sources and ops are logged once; later ones are only counted. */
const MAX_TOLD = 10_000

/** The first event that is refused for its matching triggers. */
export function firstRefused(
  events: readonly PreparedEvent[],
  matched: readonly (readonly IndexedTrigger[])[],
): PreparedEvent | undefined {
  return events.find(
    (event, i) =>
      (event.requireMatch && matched[i]?.length === 0) ||
      (event.delayedBy !== null && matched[i]?.some((trigger) => isHeldUp(trigger, event)) === true),
  )
}

/** A principal may hold up its own triggers' rows. */
function isHeldUp({ ordered, registrant }: IndexedTrigger, { delayedBy }: PreparedEvent): boolean {
  return ordered && registrant !== delayedBy
}

/** Whether {@link firstRefused} may name an event with such options. */
export function mayRefuse(options: EmitOptions | undefined): boolean {
  return options?.requireMatch === true || options?.delayMs !== undefined || options?.runAt !== undefined
}

export function isRefusable({ requireMatch, delayedBy }: PreparedEvent): boolean {
  return requireMatch || delayedBy !== null
}

export function refusalOf(event: PreparedEvent, matched: readonly unknown[]): OutbusError {
  return event.requireMatch && matched.length === 0 ? noMatch(event) : delaysOthers(event)
}

function delaysOthers({ source, event, place, runAt }: PreparedEvent): OutbusError {
  const message = `an ordered trigger handles this event ${source.name}.${event.op}: others would wait in line behind what a principal delays`
  const option = runAt === null ? 'delayMs' : 'runAt'
  return new OutbusError('access.forbidden', message, {
    path: place === undefined ? option : `${pathOfEvent(place)}.${option}`,
    hint: 'give an orderingKey as well, which makes a line of its own, or leave the delay out',
  })
}

function noMatch({ source, event, place }: PreparedEvent): OutbusError {
  return new OutbusError('emit.no_match', `no trigger matches this event ${source.name}.${event.op}`, {
    path: place === undefined ? '' : pathOfEvent(place),
    hint: 'create and enable its triggers before the processes that emit it, or leave requireMatch out',
  })
}

export class Unmatched {
  readonly #log: Logger
  readonly #told = new Set<string>()
  #isFull = false
  #count = 0

  constructor(log: Logger) {
    this.#log = log
  }

  get count(): number {
    return this.#count
  }

  note({ app, source, event: { op }, replyTo }: PreparedEvent): void {
    // The caller of a request hears that nobody is there, and a dead letter needs no handler.
    if (replyTo !== null || source.name === DEAD_LETTER_SOURCE) return
    this.#count++
    const key = JSON.stringify([app, source.name, op])
    if (this.#told.has(key) || this.#isFull) return
    this.#told.add(key)
    this.#log.warn(
      { app, source: source.name, op },
      'no trigger matches an event, so nothing will run for it; later ones of this app, source and op are only counted',
    )
    this.#isFull = this.#told.size >= MAX_TOLD
    if (this.#isFull) this.#log.warn({ told: MAX_TOLD }, 'events that no trigger matches are only counted from now on')
  }
}
