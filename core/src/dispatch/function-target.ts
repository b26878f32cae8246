/** The in-process function: the one target that core knows. */
import { z } from 'zod'
import type { AnyTarget } from '../target.ts'
import { defineTarget } from '../target.ts'
import type { HandlerArgs } from './delivery.ts'
import { DeliveryFailure } from './failure.ts'
import type { Verdict } from './verdict.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- typed where it is registered: by the bus's sources
export type Handler<Event = any, Cx = any> = (args: HandlerArgs<Event, Cx>) => Promise<Verdict | void> | Verdict | void

export class FunctionRegistry {
  readonly #handlers = new Map<string, Handler>()

  /** The last one registered under a name is the one that runs. */
  set(name: string, handler: Handler): void {
    this.#handlers.set(name, handler)
  }

  get(name: string): Handler | undefined {
    return this.#handlers.get(name)
  }
}

export function functionTarget(functions: FunctionRegistry): AnyTarget {
  return defineTarget({
    type: 'function',
    config: z.strictObject({ name: z.string().min(1).max(128) }),
    resolves: ({ name }) => functions.get(name) !== undefined,
    run({ delivery, config }) {
      const handler = functions.get(config.name)
      if (handler === undefined)
        throw new DeliveryFailure('not_found', `no function named ${JSON.stringify(config.name)} is registered here`)
      return handler(delivery)
    },
  })
}
