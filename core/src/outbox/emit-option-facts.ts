import type { EmitOptionFacts, EmitOptions, ParsedEmitOptions } from '../contract/emit-options.ts'
import { wallClock } from '../time/clock.ts'
import { resolveRunAt } from '../validation/names.ts'

/** For the resource of a verb that takes an emit's options, as `emitOptionsSchema` has read them. */
export function emitOptionFacts(options: EmitOptions | ParsedEmitOptions): EmitOptionFacts {
  const due = resolveRunAt(options, wallClock())
  const { priority, dedupeKey, dedupeWindowMs, orderingKey, requireMatch } = options
  const delayMs = due !== undefined && 'delayMs' in due ? due.delayMs : undefined
  const runAt = due !== undefined && 'runAt' in due ? due.runAt : undefined
  return { priority, dedupeKey, dedupeWindowMs, delayMs, runAt, orderingKey, requireMatch }
}
