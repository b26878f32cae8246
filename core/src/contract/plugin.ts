/**
 * The plugin contract: what a package brings to a bus, by one object.
 *
 *   createBus({ plugins: [kv(), webhook()] })
 *
 * A *plugin* brings *sources* (what can happen), *targets* (what can be run), or both. It has one line of migrations
 * for all of its tables, and one start and one stop.
 */
import type { PgBoss } from 'pg-boss'
import type { Logger } from 'pino'
import type { AnySource, SourceHost, SourceNamed } from './source.ts'
import type { Statement } from './statement.ts'
import type { AnyTarget } from './target.ts'

/** The version of this contract. A bus refuses a plugin that was written for another one. */
export const API_VERSION = 1

/**
 * Forward-only SQL by name, such as `{ '0001_create_entries': 'create table {schema}.entries (…)' }`. The names are
 * numbered from 0001 without gaps. A migration that was released never changes.
 */
export type Migrations = Readonly<Record<string, string>>

export interface Plugin<S extends AnySource = AnySource, T extends AnyTarget = AnyTarget> {
  /** Unique among the plugins of a bus; lower case. Names its line of migrations, and the plugin in errors and logs. */
  readonly name: string
  /**
   * The version of this contract that the plugin was written for: {@link API_VERSION}. Default 1, the only one so far.
   */
  readonly apiVersion?: number
  /** What can happen. Default nothing. */
  readonly sources?: readonly S[]
  /** What can be run. Default nothing. */
  readonly targets?: readonly T[]
  /** They make the plugin's tables. `bus.migrate()` applies them after core's. Default none. */
  readonly migrations?: Migrations
  /**
   * Called by `bus.start()`, before anything is dispatched, in the order in which the plugins are installed. May do
   * I/O. Rejects to keep the bus from starting: the plugins that have started are stopped and closed again.
   */
  start?(host: PluginHost<S>): Promise<void>
  /**
   * Called first by `bus.stop()` of a bus that was started, in the reverse order. The plugin makes nothing happen by
   * itself any more. What it emits until it resolves is written; deliveries still run.
   */
  stop?(): Promise<void>
  /** Called after the last delivery, in the reverse order: closes what deliveries needed. */
  close?(): Promise<void>
}

/** What a plugin is handed when the bus starts; works until the bus has stopped. */
export interface PluginHost<S extends AnySource = AnySource> {
  /** A child of the bus's logger that names the plugin. */
  readonly log: Logger
  /** pg-boss on the bus's database, in the schema `<schema of the bus>_boss`; started when it is first asked for. */
  boss(): Promise<PgBoss>
  /** Runs one statement by itself, over all apps. */
  run<P extends readonly unknown[], Row>(statement: Statement<P, Row>, parameters: P): Promise<Row[]>
  /** One of the plugin's own sources. Throws `source.unknown` for any other. */
  source<Name extends S['name']>(name: Name): SourceHost<SourceNamed<S, Name>['events']>
}

/** Inferred from the argument alone: `NoInfer` would keep a union from being taken apart by name. */
type AsGiven<T> = [T][T extends unknown ? 0 : never]

/** Infers a plugin's types from its definition, wherever it stands; returns it unchanged. */
export function definePlugin<S extends AnySource = never, T extends AnyTarget = never>(
  plugin: Plugin<S, T>,
): Plugin<AsGiven<S>, AsGiven<T>> {
  return plugin
}

/** A plugin with whatever it brings. */
export interface AnyPlugin extends Omit<Plugin, 'start'> {
  // oxlint-disable-next-line typescript/no-explicit-any -- a host knows its plugin's own sources: `any` takes every one
  start?(host: any): Promise<void>
}

/** The sources of plugins, as a union: `Bus<SourcesOf<ReturnType<typeof kv>>>`. */
export type SourcesOf<P extends AnyPlugin> = NonNullable<P['sources']>[number]
