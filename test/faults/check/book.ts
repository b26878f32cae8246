/** What is known of operations, deliveries and executions so far. */
import type { Invoke } from '../history/records.ts'

export interface Execution {
  readonly run: number
  readonly life: string
  readonly attempt: number
  readonly begin: number
  end?: number
  failed?: boolean
  readonly delivery: Delivery
}

/** One row on its way. */
export interface Delivery {
  readonly id: string
  readonly operation: Operation
  readonly trigger: string
  /** The id of the dead letter, if its handler is one of dead letters. */
  readonly letter: string | undefined
  readonly executions: Execution[]
  /** Its handler ended well before the database became another one: whether that is known there, nobody can say. */
  ranBefore?: true
  /** Commits were lost since: its id may have been given to another one. */
  isOfLostServer?: true
  /** The outcome that ended it, as the process said that committed it. */
  ended?: { readonly attempt: number; readonly outcome: string; readonly at: number }
}

export interface Operation extends Omit<Invoke, 'kind'> {
  readonly life: string
  readonly at: number
  state: 'unknown' | 'committed' | 'rolled back'
  /** Triggers that have to run it; undefined while nobody knows. */
  runs: readonly string[] | undefined
  committedAt?: number
  eventId?: string
  /** It was not answered when the database became another one, or its answer may be lost with what that one lacks. */
  excused?: true
  /** Committed, and lost with the server that had it. */
  forgotten?: true
  /** What its caller heard, if it is a request. */
  reply?: { readonly requestId: string; readonly failure: string | undefined }
  /** Its deliveries by trigger, or by trigger and dead letter. */
  readonly deliveries: Map<string, Delivery>
}

/** Outcomes after which there is no row any more. */
const FINAL = new Set(['done', 'dead', 'discarded', 'skipped', 'handled', 'handler_failed', 'failed', 'abandoned'])

export function isFinal(outcome: string): boolean {
  return FINAL.has(outcome)
}

/** Whether its handler ended well at some attempt. A bus that says that it is done with it has not run it by that. */
export function hasRun(delivery: Delivery | undefined): boolean {
  return delivery?.ranBefore === true || delivery?.executions.some(({ failed }) => failed === false) === true
}

/** Whether it has, or its outcome is known. */
export function isSettled(delivery: Delivery | undefined): boolean {
  return delivery?.ended !== undefined || hasRun(delivery)
}

export function pairOf({
  trigger,
  letter,
}: {
  readonly trigger: string
  readonly letter?: string | undefined
}): string {
  return letter === undefined ? trigger : `${trigger} of ${letter}`
}

export class Book {
  readonly operations = new Map<string, Operation>()
  readonly deliveries = new Map<string, Delivery>()
  /** What ended last, oldest first: of the last second or so. */
  readonly ended: Execution[] = []
  /** What runs, by life. */
  readonly running = new Map<string, Map<number, Execution>>()

  runningIn(life: string): Map<number, Execution> {
    let runs = this.running.get(life)
    if (runs === undefined) this.running.set(life, (runs = new Map()))
    return runs
  }
}

export function show({ id, operation, trigger, executions, ended }: Delivery): string {
  const runs = executions.map(
    ({ life, run, attempt, begin, end, failed }) =>
      `attempt ${attempt} in ${life} (run ${run}) from ${begin.toFixed(1)} to ${end?.toFixed(1) ?? '?'}${failed === true ? ', failed' : ''}`,
  )
  return `delivery ${id} of ${operation.op} to ${trigger}: ${runs.join('; ')}${ended === undefined ? '' : `; ${ended.outcome} at attempt ${ended.attempt}, ${ended.at.toFixed(1)}`}`
}
