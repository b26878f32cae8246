/** What a fault may touch, and how it says when it struck. The runner makes a world; `nemesis/` changes it. */
import type pg from 'pg'
import type { Failpoint } from './failpoints/names.ts'
import type { Noted } from './history/records.ts'

/** One process under test. Whoever dies is started again by the runner, unless the fault holds it. */
export interface Subject {
  readonly kind: 'dispatcher' | 'emitter'
  /** The same over all lives of the process, such as `dispatcher-1`. */
  readonly name: string
  readonly pid: number
  readonly alive: boolean
  signal(signal: NodeJS.Signals): void
  /** Resolves when this life of it has ended and all that it told the collector is in the history. */
  readonly exited: Promise<void>
  /** Its process ends itself by SIGKILL when it next passes there. Dispatchers only. */
  arm(failpoint: Failpoint): void
  /** The process is not started again until it is released. Its next life may get other variables (libfaketime). */
  hold(): { release(env?: Readonly<Record<string, string>>): void }
  /** Resolves once the present life, or the next, is at work. */
  ready(): Promise<void>
}

export interface Address {
  readonly host: string
  readonly port: number
}

/** An asynchronous standby of the server under test, which can be read. */
export interface Standby {
  readonly address: Address
  /** Leads to the database under test, as superuser. */
  readonly url: string
  /** Stops it and removes its data, unless it was promoted. */
  close(): Promise<void>
}

/** The Postgres under test. Everything waits until it is so. */
export interface Server {
  /** Leads to the database under test, as superuser. It is the same when another server takes its place. */
  readonly url: string
  /** Where it listens itself. */
  readonly address: Address
  /** Where its programs are, such as `pg_dump`. */
  readonly bin: string
  /** Made of a copy of it. */
  standby(): Promise<Standby>
  /** The standby is the server under test from now on, and whoever comes by way of a proxy is led to it. What was there before has ended. */
  becomes(standby: Standby): Promise<void>
  readonly dataDirectory: string
  /** `pg_ctl stop -m immediate` or SIGTERM (fast) to the postmaster. */
  stop(mode: 'immediate' | 'fast'): Promise<void>
  /** SIGKILL to the postmaster; its backends notice and end. */
  killPostmaster(): Promise<void>
  /**
   * Starts the server on its data and port again. It accepts connections when this resolves. Its clock is off by so many hours
   * (default 0) until it is started again. That takes libfaketime, under which a server that is ahead loses its timers.
   */
  start(hoursOff?: number): Promise<void>
  /** SIGKILL to one backend, after which the postmaster ends all of them. */
  killBackend(pid: number): void
}

/** TCP between every process under test and the server. Each kind of process has its own, so that one can be hurt. */
export interface Proxy {
  readonly port: number
  /** Ends every connection by RST. New ones are accepted. */
  cut(): void
  /** Half-open: nothing passes any more, no end is told, new connections hang; until `heal`. */
  stall(): void
  /** Each chunk is held this long, in ms, until `heal`. */
  delay(ms: number): void
  /** New connections are refused and the present ones cut, until `heal`. */
  refuse(): void
  heal(): void
  /** Leads to another server from now on. The present connections are cut, unless they are to be kept. */
  redirect(target: Address, options?: { readonly keep: boolean }): void
  close(): Promise<void>
}

export interface World {
  readonly server: Server
  readonly proxies: Readonly<Record<Subject['kind'], Proxy>>
  readonly schema: string
  readonly dispatchers: readonly Subject[]
  readonly emitters: readonly Subject[]
  /** Straight to the server as superuser; survives its restarts (each query may fail meanwhile). */
  readonly admin: pg.Pool
  /** Seeded, in [0, 1). */
  random(): number
  /** Aborted when the run is over: a fault heals what it hurt and returns. */
  readonly over: AbortSignal
  readonly history: {
    /** The time by the history's clock, in ms. */
    now(): number
    note(noted: Noted): void
  }
  /** Which options the buses run with that a fault has to know, in ms. */
  readonly frozenAfterMs: number
  readonly leaseMs: number
}

/** While it is open, what it names may be interrupted; the checker explains extra attempts by it. */
export interface FaultWindow {
  /** The history says so, by the collector's clock. */
  close(): void
}

export interface Fault {
  /** In the report: `sigkill-after-claim`, `postmaster-sigkill`, … */
  readonly name: string
  /** Why it cannot run on this machine, or undefined: a missing package, no root. Said in the report, never silent. */
  unavailable?(): string | undefined
  /** Which Postgres it needs: the system's, for the programs that come with it, or for JIT. Default: any. */
  readonly server?: 'system'
  /** Why it strikes only where `--fault` names it: what it shows is known and not mended. Default: it strikes like any other. */
  readonly known?: string
  /** Commits are lost by it: what the server has then is noted. */
  readonly rewinds?: true
  /** Hurts, waits for what it set out to see, heals. `open` says what may be interrupted from now on. */
  strike(world: World, open: (hurt: readonly Subject[]) => FaultWindow): Promise<void>
}
