/**
 * The vocabulary of the benchmark.
 *
 * - A *system* moves payloads from whoever emits them to a handler, through Postgres.
 * - A *scenario* is work that several systems can do, in one or more *variants*.
 * - A *contestant* is one system (of one commit) at one variant. Contestants of a group take turns.
 * - A *slice* is one turn: it lasts a second or less where the work can be cut, and is one whole run where it cannot.
 * - A *life* is one process and one database of a contestant. It has many slices, or one where the work cannot be cut.
 * - What comes out of a slice is a list of *measures*.
 */
import type { JsonObject } from '@outbus/core/plugin'

export const SYSTEMS = ['outbus', 'graphile-worker', 'pg-boss', 'bullmq', 'raw'] as const
export type SystemName = (typeof SYSTEMS)[number]

/** The environment variable that names the switch of the bus that a process has off. */
export const SWITCHED_OFF = 'OUTBUS_BENCH_SWITCHED_OFF'

/** What a figure counts. Less of `ms`, `MB` and `×` is better, and more of everything else. */
export type Unit = 'rows/s' | 'events/s' | 'requests/s' | 'ms' | 'MB' | '×'

export function isLessBetter(unit: Unit): boolean {
  return unit === 'ms' || unit === 'MB' || unit === '×'
}

export interface Measure {
  /** What the row of the result is called: `drain`, `latency-idle-p50`. */
  readonly scenario: string
  readonly unit: Unit
  readonly value: number
  /** Where `value` is a quantile: which one, and of what. Samples of several slices are pooled before it is taken. */
  readonly of?: { readonly share: number; readonly samples: readonly number[] }
  /** Where one run gives several values: values of different blocks count as those of different lives. */
  readonly block?: number
  /** What a reader has to know to judge the figure. */
  readonly note?: string
}

/** What one turn has measured. */
export interface Slice {
  readonly measures: readonly Measure[]
  /** How many rows (events, requests) it has moved; left out where a cost for each would say nothing. */
  readonly rows?: number
}

/** The same bytes for every system. */
export type Payload =
  | { readonly kind: 'note'; readonly data: { readonly text: string; readonly number: number } }
  | { readonly kind: 'webhook'; readonly data: JsonObject }

/** Whom a payload is for: an app of Outbus, a queue of pg-boss or BullMQ, a task of graphile-worker. */
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
  /** Where dispatch ends with the backlog: begins it again. */
  resume?(): void
  stop(): Promise<void>
}

/** The table in which a system keeps what is to be done, and how a copy of a row is made a row like any other. */
export interface WorkTable {
  readonly name: string
  /** When a row is due; left out where every row is due at once. */
  readonly due?: string
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
  /** Whether what is emitted in `emits` sessions is also run. Default true. */
  readonly runsWhatIsEmitted?: boolean
}

export interface Run {
  readonly url: string
  readonly system: System
  readonly variant: string
  readonly quick: boolean
  /** What `prepare` returned. */
  readonly prepared: number
  /** The server's process id, where its processes can be seen on this machine. */
  readonly postmaster: number | undefined
}

/** How much is to be done in one slice. */
export interface Amount {
  /** How many rows a slice gets, where the scenario is cut by rows. */
  readonly rows: number
  /** How long a slice lasts, where the scenario is cut by time. */
  readonly ms: number
}

interface ScenarioBase {
  readonly name: string
  readonly systems: readonly SystemName[]
  /** Default: the scenario's name alone. */
  readonly variants?: readonly string[]
  /** Scenarios and variants with the same `turns` are measured in turn. Default: each variant apart from the others. */
  readonly turns?: string
  /** Options of the Node process that measures, by variant. Whoever sets any names them in a note. Default none. */
  readonly nodeOptions?: Readonly<Record<string, readonly string[]>>
  /** Fills the database, in a process of its own. Returns how many rows are due. */
  prepare?(run: Run): Promise<number>
}

/** Work that can be cut: its process, its database and what it has opened live on between the slices. */
export interface SlicedScenario extends ScenarioBase {
  readonly cut: 'rows' | 'time'
  open(run: Run): Promise<Work>
}

/** Opened work. Commands come one at a time: `ready`, `slice`, over and over, and `close` at the end. */
export interface Work {
  /** Brings the database to the state in which every slice begins. Not measured. */
  ready?(amount: Amount): Promise<void>
  slice(amount: Amount): Promise<Slice>
  close(): Promise<void>
}

/** Work that cannot be cut: each slice is one run, in a fresh process, on a database that has been vacuumed. */
export interface WholeScenario extends ScenarioBase {
  readonly cut: 'never'
  /** Whether one run is all there is: it is long, and its measures have blocks. Default false. */
  readonly once?: boolean
  measure(run: Run): Promise<Slice>
}

export type Scenario = SlicedScenario | WholeScenario
