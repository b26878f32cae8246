/** What the server has spent so far: processor time, write-ahead log, syncs of it. Differences belong to whoever was at work. */
import { setTimeout as pause } from 'node:timers/promises'
import { openClient } from '@outbus/test-kit/connections'
import type pg from 'pg'
import { postmasterOf, processTreeCpuNs } from './process-cpu.ts'

export interface Reading {
  readonly cpuNs: number | undefined
  readonly walBytes: number
}

const CLOSING_MS = 10_000

/** Postgres 18 counts them by backend type and context, earlier ones (15 on) in one row. */
const SYNCS_18 = `select coalesce(sum(fsyncs), 0)::float8 as syncs from pg_stat_io where object = 'wal'`
const SYNCS_BEFORE = `select wal_sync::float8 as syncs from pg_stat_wal`

export class ServerMeter {
  /** The server's process id, where its processes are seen on this machine. */
  readonly postmaster: number | undefined
  readonly #client: pg.Client
  readonly #major: number

  private constructor(client: pg.Client, major: number, postmaster: number | undefined) {
    this.#client = client
    this.#major = major
    this.postmaster = postmaster
  }

  static async open(url: string): Promise<ServerMeter> {
    const client = await openClient({ connectionString: url })
    const { rows } = await client.query<{ pid: number; port: number; major: number }>(
      `select pg_backend_pid() as pid, inet_client_port() as port,
        current_setting('server_version_num')::integer / 10000 as major`,
    )
    const { pid, port, major } = rows[0] as { pid: number; port: number; major: number }
    return new ServerMeter(client, major, postmasterOf(pid, port))
  }

  async read(): Promise<Reading> {
    const { rows } = await this.#client.query<{ bytes: number }>(
      `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 as bytes`,
    )
    const cpuNs = this.postmaster === undefined ? undefined : processTreeCpuNs(this.postmaster)
    return { cpuNs, walBytes: rows[0]?.bytes as number }
  }

  /** Complete only of backends that have ended: see bench/README.md. */
  async readSyncs(): Promise<number | undefined> {
    if (this.#major < 15) return undefined
    const { rows } = await this.#client.query<{ syncs: number }>(this.#major < 18 ? SYNCS_BEFORE : SYNCS_18)
    return rows[0]?.syncs
  }

  /**
   * Connections of processes that were killed are there for a moment longer. Resolves with whether all of them have gone
   * within ten seconds: a system that leaves one open is not waited for.
   */
  async nobodyIsConnectedTo(database: string): Promise<boolean> {
    const deadline = performance.now() + CLOSING_MS
    for (;;) {
      const { rowCount } = await this.#client.query(`select from pg_stat_activity where datname = $1`, [database])
      if (rowCount === 0) return true
      if (performance.now() > deadline) return false
      await pause(20)
    }
  }

  async close(): Promise<void> {
    await this.#client.end()
  }
}
