/** What an author says of a plugin, so that the kit can try it. */
import type { AnySource, EventInput } from '@outbus/core/plugin'
import type { z } from 'zod'

/** The verbs of a source. */
type Verbs<S extends AnySource> = ReturnType<S['api']>

/** A call of a verb, by the verb's name. It may call others first to have something to work on. */
export type VerbCalls<S extends AnySource> = {
  readonly [V in keyof Verbs<S> & string]?: (api: Verbs<S>) => Promise<unknown>
}

export interface SourceSamples<S extends AnySource> {
  /** The name of the source that these are samples of, where the plugin brings several. */
  readonly source?: S['name']
  /** At least one for each op. Some are matched by some of the filters, some are not. */
  readonly events: readonly EventInput<S['events']>[]
  /** As a trigger states them. */
  readonly filters: readonly z.input<S['filter']>[]
  /**
   * Verbs that change something and emit an event: each is called in a transaction that is rolled back, and must leave nothing;
   * with each of its statements failing; with hostile values in the place of what it is given; and beside the same data of other apps.
   */
  readonly writes?: VerbCalls<S>
  /** Of `writes`, those that emit nothing, such as the settings of a source whose events happen later. */
  readonly quiet?: readonly (keyof Verbs<S> & string)[]
  /** Calls that have to be refused with an `OutbusError` before anything is written, by what is wrong with them. */
  readonly badWrites?: Readonly<Record<string, (api: Verbs<S>) => Promise<unknown>>>
  /** Verbs that change nothing: another app's answer must not change by what this one writes. */
  readonly reads?: VerbCalls<S>
  /** Trigger events that older versions of the source wrote, each with its version; `becomes`: what `upcast` makes of it. From version 2 on. */
  readonly older?: readonly { readonly from: number; readonly event: unknown; readonly becomes?: unknown }[]
}

/** What a check found, each a sentence; none: it passed. */
export type Problems = string[]

export function shown(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined
  return text === undefined ? String(value) : text.length > 200 ? `${text.slice(0, 200)}…` : text
}
