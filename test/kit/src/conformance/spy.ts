/** A source whose verbs are watched: what they ask of their context, and what becomes of them when that fails. */
import { OutbusError } from '@outbus/core'
import type {
  AnyPlugin,
  AnySource,
  EventSchemas,
  SharedTransaction,
  SourceContext,
  SourceTransaction,
} from '@outbus/core/plugin'
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
      // Without `atOnce`, which is no steps.
      together: ({ key, write }, item) =>
        context.together({ key, write: ({ tx, items }) => write({ tx: this.#shared(tx), items }) }, item),
    }
  }

  #shared(tx: SharedTransaction<EventSchemas>): SharedTransaction<EventSchemas> {
    return {
      run: (statement, parameters) => this.#step('run', 0, () => tx.run(statement, parameters)),
      emit: (events, options) => this.#step('emit', events.length, () => tx.emit(events, options)),
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
