/** The in-process function: the one target that core knows. */
import { z } from 'zod'
import type { Audience } from '../../contract/audience.ts'
import type { AnyTarget } from '../../contract/target.ts'
import { defineTarget } from '../../contract/target.ts'
import { nameSchema } from '../../validation/names.ts'
import type { HandlerArgs } from '../../contract/delivery.ts'
import { DeliveryFailure } from '../../contract/delivery-failure.ts'
import { callHandler } from './handler-stack.ts'
import type { Verdict } from '../../contract/verdict.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- typed where it is registered: by the bus's sources
export type Handler<Event = any, Cx = any> = (args: HandlerArgs<Event, Cx>) => Promise<Verdict | void> | Verdict | void

interface Opened {
  readonly handler: Handler
  readonly triggerableBy: Audience
}

interface Registered {
  /** For apps that have no handler of their own. */
  everywhere?: Opened
  readonly byApp: Map<string, Opened>
}

export class FunctionRegistry {
  readonly #handlers = new Map<string, Registered>()

  /** Registers for every app. The last handler of a name runs. */
  set(name: string, handler: Handler, triggerableBy: Audience): void {
    this.#handlers.set(name, { everywhere: { handler, triggerableBy }, byApp: new Map() })
  }

  /** Registers for one app. The returned function puts the previous handler back. */
  setFor(app: string, name: string, handler: Handler, triggerableBy: Audience): () => void {
    const registered = this.#handlers.get(name) ?? { byApp: new Map<string, Opened>() }
    this.#handlers.set(name, registered)
    const before = registered.byApp.get(app)
    registered.byApp.set(app, { handler, triggerableBy })
    return () => {
      if (before === undefined) registered.byApp.delete(app)
      else registered.byApp.set(app, before)
    }
  }

  get(app: string, name: string): Handler | undefined {
    return this.#find(app, name)?.handler
  }

  /** A handler that is not registered here is open to nobody. */
  audienceOf(app: string, name: string): Audience {
    return this.#find(app, name)?.triggerableBy ?? 'service'
  }

  #find(app: string, name: string): Opened | undefined {
    const registered = this.#handlers.get(name)
    return registered?.byApp.get(app) ?? registered?.everywhere
  }
}

export function functionTarget(functions: FunctionRegistry): AnyTarget {
  return defineTarget({
    type: 'function',
    config: z.strictObject({ name: nameSchema('trigger.invalid') }),
    resolves: ({ config: { name }, app }) => functions.get(app, name) !== undefined,
    triggersFor: ({ config: { name }, app }) => functions.audienceOf(app, name),
    run({ delivery, config }) {
      const handler = functions.get(delivery.app, config.name)
      if (handler === undefined)
        throw new DeliveryFailure('not_found', `no function named ${JSON.stringify(config.name)} is registered here`)
      return callHandler(handler, delivery)
    },
  })
}
