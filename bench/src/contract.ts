/**
 * The vocabulary of the benchmark. A *system* moves payloads from whoever emits them to a handler, through Postgres. A
 * *scenario* is work that several systems can do. A scenario is measured in one or more *variants*, each of them in a
 * database and a process of its own. What comes out of one measurement is a list of *measures*.
 */
import type { JsonObject } from '@outbus/core'

export const SYSTEMS = ['outbus', 'graphile-worker', 'pg-boss', 'raw'] as const
export type SystemName = (typeof SYSTEMS)[number]

/** Of `ms`, `MB` and `×` less is better, of everything else more. */
export type Unit = 'rows/s' | 'events/s' | 'requests/s' | 'ms' | 'MB' | '×'

export interface Measure {
  /** What the row of the result is called: `drain`, `latency-idle-p50`. */
  readonly scenario: string
  readonly unit: Unit
  readonly value: number
  /** What a reader has to know to judge the figure. */
  readonly note?: string
}

/** The same bytes for every system. */
export type Payload =
  | { readonly kind: 'note'; readonly data: { readonly text: string; readonly number: number } }
  | { readonly kind: 'webhook'; readonly data: JsonObject }

/** Whom a payload is for: an app of Outbus, a queue of pg-boss, a task of graphile-worker. */
export type Channel = 'main' | 'other'

/** Called when the handler of one payload starts, which is all that it does. */
export type Handlers = { readonly [C in Channel]?: () => void }

/** What a session is opened for: some systems have settings to choose by it. */
export interface Purpose {
  readonly load: 'backlog' | 'emits' | 'latency'
  /** Emits at a time. */
  readonly callers: number
  /** One of the system's `ways`. */
  readonly way?: Way
}

/** How a system that has no pool of its own uses its connections. */
export interface Way {
  readonly connections: number
  readonly pipeline: boolean
}

/** A system at work in this process. */
export interface Session {
  /** Resolves when the payload is durable. */
  emit(payload: Payload, channel?: Channel): Promise<unknown>
  /** All or none. Resolves when they are durable. */
  emitMany(payloads: readonly Payload[]): Promise<unknown>
  /** Resolves when it is dispatching; called at most once. */
  dispatch(handlers: Handlers): Promise<void>
  stop(): Promise<void>
}

/** The table in which a system keeps what is to be done, and how a copy of a row is made a row like any other. */
export interface WorkTable {
  readonly name: string
  /** When a row is due. */
  readonly due: string
  /** SQL for what no two rows have in common; `r.fresh_id` is a uuid of each copy's own. */
  readonly fresh: Readonly<Record<string, string>>
}

export interface System {
  readonly name: SystemName
  /** What `install` is given: a database of this system. Default an empty one. */
  readonly builtOn?: SystemName
  readonly table: WorkTable
  /** Makes of the database one in which the system has been at work before. Not measured. */
  install(url: string): Promise<void>
  open(url: string, purpose: Purpose): Promise<Session>
  /** Where it is not known beforehand which way is the fastest for so many callers: all that are tried. */
  ways?(callers: number): readonly Way[]
}

export interface Run {
  readonly url: string
  readonly system: System
  readonly variant: string
  readonly quick: boolean
  /** What `prepare` returned. */
  readonly prepared: number
}

export interface Scenario {
  readonly name: string
  readonly systems: readonly SystemName[]
  /** Default: the scenario's name alone. */
  readonly variants?: readonly string[]
  /** Of the process that measures, by variant; whoever sets any names them in a note. Default none. */
  readonly nodeOptions?: Readonly<Record<string, readonly string[]>>
  /** Fills the database, in a process of its own. Returns how many rows are due. */
  prepare?(run: Run): Promise<number>
  /** In a fresh process, on a database that has been vacuumed. */
  measure(run: Run): Promise<readonly Measure[]>
}
