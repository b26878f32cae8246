/** A source whose verbs are watched: what they ask of their context, and what becomes of them when that fails. */
import { OutbusError } from '@outbus/core'
import type { EmitResult } from '@outbus/core'
import type { AnyPlugin, AnySource, SourceContext, SourceTransaction, WrittenRow } from '@outbus/core/plugin'
import { sourceOf, withSource } from './parts.ts'

export class Spy {
  /** What the verb asked for since `watch`, in order. */
  steps: ('run' | 'emit' | 'reserve')[] = []
  /** Events that were emitted since `watch`. */
  emitted = 0
  #failing: number | undefined

  /** `failing`: the number of the step that is to fail, from 1. */
  watch(failing?: number): void {
    this.steps = []
    this.emitted = 0
    this.#failing = failing
  }

  async #step<T>(kind: 'run' | 'emit' | 'reserve', events: number, work: () => Promise<T>): Promise<T> {
    this.steps.push(kind)
    if (this.steps.length === this.#failing)
      throw new OutbusError('database.unreachable', `the conformance kit lets step ${this.#failing} of the verb fail`)
    const result = await work()
    this.emitted += events
    return result
  }

  context(context: SourceContext): SourceContext {
    return {
      ...context,
      run: (statement, parameters) => this.#step('run', 0, () => context.run(statement, parameters)),
      emit: (event, options) => this.#step('emit', 1, () => context.emit(event, options)),
      transaction: (work) => context.transaction((tx) => work(this.#transaction(tx))),
      // The same in two steps, of which either may fail.
      together: (write, { item, event, options }) =>
        context.transaction(async (given) => {
          const tx = this.#transaction(given)
          const [row] = (await tx.run(write.statement.plain, write.parameters([{ app: context.app, item }]))) as [
            WrittenRow,
          ]
          const events = [{ ...event, ...row.generated }]
          const [emitted] = (await tx.emit(events, options === undefined ? [] : [options])) as [EmitResult]
          return { emitted, generated: row.generated }
        }),
    }
  }

  #transaction(tx: SourceTransaction): SourceTransaction {
    return {
      run: (statement, parameters) => this.#step('run', 0, () => tx.run(statement, parameters)),
      emit: (events, options) => this.#step('emit', events.length, () => tx.emit(events, options)),
      reserve: (options) => this.#step('reserve', 0, () => tx.reserve(options)),
      audit: (change) => this.#step('run', 0, () => tx.audit(change)),
      // Writes nothing, so that it is no step.
      expectMatch: (events, options) => tx.expectMatch(events, options),
    }
  }
}

export function watchedBy(spy: Spy, plugin: AnyPlugin): AnyPlugin {
  const source = sourceOf(plugin)
  const api = (context: SourceContext): object => source.api(spy.context(context)) as object
  // Inherits everything else, whatever the source is an instance of.
  return withSource(plugin, Object.create(source, { api: { value: api, enumerable: true } }) as AnySource)
}
