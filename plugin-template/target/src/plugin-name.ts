/** One line of JSON for each delivery. A target plugin with nothing more to it than a target plugin needs. */
import { DeliveryFailure } from '@outbus/core'
import { definePlugin, defineTarget } from '@outbus/core/plugin'
import { z } from 'zod'

export interface PluginNameOptions {
  /** Takes one line, without its end. Default: to standard output. */
  readonly send?: (line: string) => Promise<void> | void
}

export function pluginName({ send = (line) => void process.stdout.write(`${line}\n`) }: PluginNameOptions = {}) {
  const target = defineTarget({
    type: 'plugin-name',

    // The rest of a trigger's `target`. Strict, so that a misspelt member is refused when the trigger is created.
    config: z.strictObject({ label: z.string().min(1) }),

    // One attempt. Returning nothing is done, a throw is a failure; a DeliveryFailure says of which kind.
    async run({ delivery, config }) {
      const line = JSON.stringify({
        label: config.label,
        idempotencyKey: delivery.idempotencyKey,
        event: delivery.event,
      })
      try {
        await send(line)
      } catch (cause) {
        throw new DeliveryFailure('unavailable', 'the line could not be sent', { cause })
      }
    },
  })
  return definePlugin({ name: 'plugin_name', apiVersion: 1, targets: [target] })
}
