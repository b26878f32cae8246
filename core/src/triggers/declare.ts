/** A trigger as a program declares it: made when it is not there, brought to what the program says when it is. */
import { isOutbusError, OutbusError } from '../errors.ts'
import type { TargetSpec, TriggerPatch, Triggers } from './trigger.ts'
import { DEFAULT_TIMEOUT_MS } from './trigger.ts'

export interface TriggerDeclaration extends TriggerPatch {
  readonly name: string
  readonly source: string
  readonly target: TargetSpec
}

/** What is not named is meant to be the default; whether it is enabled is the operator's to say, unless named. */
const DEFAULTS: TriggerPatch = {
  retry: {},
  priority: 'normal',
  timeoutMs: DEFAULT_TIMEOUT_MS,
  ordered: false,
  transactional: false,
  concurrency: null,
  rateLimit: null,
}

/** `trigger.duplicate_name` when the app has one with this name and another source. */
export async function declareTrigger(triggers: Triggers, declared: TriggerDeclaration): Promise<void> {
  const { name, source, ...settings } = declared
  const existing = await triggers.getByName(name)
  if (existing === undefined) {
    try {
      await triggers.create(declared as never)
      return
    } catch (error) {
      // Another process of the same service was a moment faster: then it is there to be updated.
      if (!isOutbusError(error, 'trigger.duplicate_name')) throw error
    }
  }
  const present = existing ?? (await triggers.getByName(name))
  if (present === undefined) return declareTrigger(triggers, declared)
  if (present.source !== source) {
    throw new OutbusError(
      'trigger.duplicate_name',
      `trigger ${JSON.stringify(name)} exists with source ${present.source}`,
      { path: 'name', received: name, hint: 'choose another name, or delete the one there is' },
    )
  }
  await triggers.update(present.id, { ...DEFAULTS, ...settings })
}
