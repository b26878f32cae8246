/** A trigger as a program declares it: created if missing, otherwise updated. */
import type { Logger } from 'pino'
import { isOutbusError, OutbusError } from '../errors.ts'
import type { TriggerRegistry } from './registry.ts'
import { FIND, REPLACE } from './registry.ts'
import type { Trigger, TriggerPatch } from './trigger.ts'
import type { TargetSpec } from '../contract/target-spec.ts'
import { DEFAULT_TIMEOUT_MS } from './trigger.ts'

export interface TriggerDeclaration extends TriggerPatch {
  readonly name: string
  readonly source: string
  readonly target: TargetSpec
}

export interface Declarer {
  /** Undefined: the service itself. */
  readonly registrant: string | undefined
  readonly log: Logger
}

/** What is not named gets the default. `enabled` stays the operator's unless named. */
const DEFAULTS: TriggerPatch = {
  retry: {},
  priority: 'normal',
  timeoutMs: DEFAULT_TIMEOUT_MS,
  ordered: false,
  transactional: false,
  concurrency: null,
  rateLimit: null,
  runAs: 'registrant',
}

/**
 * Updates a trigger that the same registrant made. It never adopts another registrant's, whose filter, pause and rights
 * it would inherit:
 *
 *   declared by the service     Takes the name over: deletes the other trigger, creates this one, and logs it.
 *   declared for a principal    Refused with `access.forbidden`, for an administrator as well.
 *
 * `trigger.duplicate_name` if the registrant's own trigger of this name has another source.
 */
export async function declareTrigger(
  registry: TriggerRegistry,
  declared: TriggerDeclaration,
  by: Declarer,
): Promise<void> {
  const { name, source, ...settings } = declared
  const present = await assertDeclarable(registry, name, by)
  try {
    if (present === undefined) return void (await registry.create(declared))
    if (present.registrant !== by.registrant) {
      const { id } = await registry[REPLACE](present, declared)
      const { app, registrant, id: replaced } = present
      by.log.warn(
        { app, trigger: name, id, replaced, registrant },
        'the service took over a trigger that a principal had registered',
      )
      return
    }
    if (present.source !== source) throw otherSource(name, present.source)
    await registry.update(present.id, { ...DEFAULTS, ...settings })
  } catch (error) {
    // Another process was faster: it created the trigger, or deleted the one that was there.
    const isRace = isOutbusError(error, present === undefined ? 'trigger.duplicate_name' : 'trigger.not_found')
    const isTaken = isOutbusError(error, 'trigger.duplicate_name') && present?.registrant !== by.registrant
    if (!isRace && !isTaken) throw error
    return declareTrigger(registry, declared, by)
  }
}

/** The trigger of that name, if any. Refuses a principal that did not register it. */
export async function assertDeclarable(
  registry: TriggerRegistry,
  name: string,
  { registrant }: Declarer,
): Promise<Trigger | undefined> {
  const present = await registry[FIND](name)
  if (present === undefined || registrant === undefined || present.registrant === registrant) return present
  throw new OutbusError('access.forbidden', `trigger ${JSON.stringify(name)} was registered by somebody else`, {
    path: 'name',
    received: name,
    hint: 'choose another name; only the service takes one over',
  })
}

function otherSource(name: string, source: string): OutbusError {
  return new OutbusError('trigger.duplicate_name', `trigger ${JSON.stringify(name)} exists with source ${source}`, {
    path: 'name',
    received: name,
    hint: 'choose another name, or delete the one there is',
  })
}
