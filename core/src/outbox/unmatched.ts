/** Events that no trigger matches: refused where the emitter says so, else counted, and told once. */
import type { Logger } from 'pino'
import { DEAD_LETTER_SOURCE } from '../dead-letters/source.ts'
import { OutbusError } from '../errors.ts'
import { pathOfEvent } from './prepare.ts'
import type { PreparedEvent } from './prepare.ts'

/** Apps, sources and ops that are remembered, so that each is told once. What comes after so many is counted only. */
const MAX_TOLD = 10_000

type Matched = readonly (readonly unknown[])[]

/** The first event that is to be refused, since nothing matches it. */
export function firstUnmatched(events: readonly PreparedEvent[], matched: Matched): PreparedEvent | undefined {
  return events.find(({ requireMatch }, i) => requireMatch && matched[i]?.length === 0)
}

export function noMatch({ source, event, place }: PreparedEvent): OutbusError {
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

  note(events: readonly PreparedEvent[], matched: Matched): void {
    events.forEach((event, i) => {
      if (matched[i]?.length === 0) this.noteOne(event)
    })
  }

  noteOne({ app, source, event: { op }, replyTo }: PreparedEvent): void {
    // Whoever asks is answered that nobody is there, and a dead letter needs no handler.
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
