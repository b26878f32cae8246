/** What a test and the bus process that it starts say to each other. */
import type { Failpoint } from '../names.ts'
import type { Mutant } from '../../mutants/names.ts'

export interface BusProcessSettings {
  readonly url: string
  readonly dispatch?: Record<string, number>
  readonly mutant?: Mutant
  readonly divisor?: number
  /** Where it is to end itself. */
  readonly failpoint?: Failpoint
  /** Or to stop, until it is sent SIGCONT. */
  readonly stopsAt?: Failpoint
  /** It emits only. Default: it dispatches as well. */
  readonly emitsOnly?: boolean
}

/** The value of a kv entry in the collection `jobs`, as far as a request says it too. */
export interface Job {
  /** How long the handler takes. Default none. */
  readonly ms?: number
  /** Throw in the first so many attempts. */
  readonly failures?: number
  /** SIGKILL of its own process in the first so many attempts. */
  readonly kills?: number
}

/** What is sent to the process by IPC. */
export interface EmitCommand {
  readonly app: string
  readonly key: string
  readonly job: Job
}

/** One line on its standard output, written before the handler goes on. */
export type BusLine =
  | { readonly kind: 'ready' }
  /** A warning of the bus. */
  | { readonly kind: 'log'; readonly message: string }
  | { readonly kind: 'emitted'; readonly key: string; readonly deliveries: number }
  | {
      readonly kind: 'started' | 'ended'
      readonly app: string
      readonly key: string
      readonly trigger: string
      readonly attempt: number
      /** Handlers that run in the process, this one among them. */
      readonly running: number
    }
