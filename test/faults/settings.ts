/** What every run is made of: how much is emitted, and with which options the buses run. */
import type { Mutant } from './mutants/names.ts'

export const SCHEMA = 'outbus'
/** Permits of each dispatcher, for deliveries and requests together. */
export const CONCURRENCY = 8
/** Short, so that what waits for it happens within a run. The default is 10 s. */
export const FROZEN_AFTER_MS = 2_500
/** The default is 30 s. */
export const LEASE_MS = 2_000
export const HOLD_MS = 200
/** The default is 8. */
export const MAX_TRIGGER_DEPTH = 4
/** Every trigger has so many attempts: more than the interruptions that one delivery may meet by chance. */
export const MAX_ATTEMPTS = 8
export const RETRY = { strategy: 'constant', maxAttempts: MAX_ATTEMPTS, baseDelayMs: 60, jitter: 0.2 } as const

export const DISPATCH = {
  concurrency: CONCURRENCY,
  frozenAfterMs: FROZEN_AFTER_MS,
  leaseMs: LEASE_MS,
  holdMs: HOLD_MS,
  maxTriggerDepth: MAX_TRIGGER_DEPTH,
}

/** Whom the processes log in as: see docs/operations.md. Handlers emit. */
export const LOGINS = {
  dispatcher: 'outbus_service',
  emitter: 'outbus_emitting',
  checker: 'outbus_reading',
} as const

export const DISPATCHERS = 3
export const EMITTERS = 2
/** Loops of one emitter, each of which writes keys of its own and one event after the other. */
export const EMIT_LOOPS = 5
/** Mean pause between two events of one loop. */
export const EMIT_PAUSE_MS = 70

export const APPS = ['red', 'green', 'blue'] as const
export type App = (typeof APPS)[number]

/** Who registered the triggers of an app, and whom its deliveries run as. */
export function registrantOf(app: string): string {
  return `${app}-owner`
}

/** What each process under test is started with, as JSON in its first argument. */
export interface SubjectSettings {
  readonly url: string
  /** Where the collector listens. */
  readonly socket: string
  readonly name: string
  /** One life of one process: `dispatcher-1#3`. */
  readonly life: string
  readonly seed: number
  readonly mutant?: Mutant
}
