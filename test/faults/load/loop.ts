/** An event that causes another one of its kind, until it is too deep. */
import { isOutbusError } from '@outbus/core'
import type { KvWritten } from '@outbus/kv'
import type { Reporter } from '../history/reporter.ts'
import { LOOPS } from './triggers.ts'

interface CanSet {
  readonly app: string
  readonly kv: { set(collection: string, key: string, value: unknown): Promise<KvWritten> }
}

/** Says what became of it, and throws where it was not written for certain. */
export async function emitLoop(cx: CanSet, reporter: Reporter, op: string, hop: number): Promise<void> {
  await reporter.say({ kind: 'invoke', op, app: cx.app, how: 'loop', hop })
  try {
    const { eventId, deliveries, duplicate } = await cx.kv.set(LOOPS, op, { op, hop })
    await reporter.say({ kind: 'ok', op, eventId, deliveries, duplicate })
  } catch (error) {
    if (wasRefused(error)) await reporter.say({ kind: 'fail', op })
    else await reporter.say({ kind: 'info', op, error: String(error) })
    throw error
  }
}

/** Nothing was written: the bus itself, or the server, says so. */
export function wasRefused(error: unknown): boolean {
  if (isOutbusError(error)) return error.code !== 'emit.outcome_unknown'
  const { code, severity } = error as { readonly code?: unknown; readonly severity?: unknown }
  return typeof code === 'string' && typeof severity === 'string' && !/^(08|57P)/.test(code)
}
