/** Warns of triggers that fire themselves. None can be refused, since what a handler emits is known too late. */
import type { Logger } from 'pino'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import type { PreparedEvent } from './prepare.ts'

/** Each of so many is warned of once. */
const MAX_REMEMBERED = 10_000

export class CycleWarnings {
  readonly #log: Logger
  readonly #known = new Set<string>()

  constructor(log: Logger) {
    this.#log = log
  }

  warn(events: readonly PreparedEvent[], matched: readonly (readonly IndexedTrigger[])[]): void {
    events.forEach((event, i) => {
      if (event.chain !== null) this.#warnOf(event, matched[i] ?? [])
    })
  }

  #warnOf({ app, chain }: PreparedEvent, matched: readonly IndexedTrigger[]): void {
    for (const { id } of matched) {
      if (chain?.includes(id) !== true || this.#known.has(id)) continue
      if (this.#known.size >= MAX_REMEMBERED) this.#known.clear()
      this.#known.add(id)
      const message =
        'a trigger fires itself: what its handler does matches it again; maxTriggerDepth and rowsPerRoot alone end it'
      this.#log.warn({ app, triggerId: id, chain }, message)
    }
  }
}
