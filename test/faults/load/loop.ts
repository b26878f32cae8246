/** What handlers emit: an event that causes another one of its kind until it is too deep, and what another trigger is for. */
import { isOutbusError } from '@outbus/core'
import type { KvWritten } from '@outbus/kv'
import type { Invoke } from '../history/records.ts'
import type { Reporter } from '../history/reporter.ts'
import { LATE, LOOPS } from './triggers.ts'

interface CanSet {
  readonly app: string
  readonly kv: { set(collection: string, key: string, value: unknown): Promise<KvWritten> }
}

/** Says what became of it, and throws where it was not written for certain. */
export async function emitLoop(cx: CanSet, reporter: Reporter, op: string, hop: number): Promise<void> {
  await setAndSay(cx, reporter, { op, app: cx.app, how: 'loop', hop }, { collection: LOOPS, value: { op, hop } })
}

/** A dispatcher emits what the trigger that comes and goes is for; it says what became of it, and throws as `emitLoop` does. */
export async function emitLate(cx: CanSet, reporter: Reporter, op: string): Promise<void> {
  await setAndSay(cx, reporter, { op, app: cx.app, how: 'set-late' }, { collection: LATE, value: { op } })
}

async function setAndSay(
  { kv }: CanSet,
  reporter: Reporter,
  invoke: Omit<Invoke, 'kind'>,
  { collection, value }: { readonly collection: string; readonly value: unknown },
): Promise<void> {
  const { op } = invoke
  await reporter.say({ kind: 'invoke', ...invoke })
  try {
    const { eventId, deliveries, duplicate } = await kv.set(collection, op, value)
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
