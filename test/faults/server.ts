/** The Postgres under test: durable, and ours to stop, kill and start again on the same data and port. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createTestDatabase, DURABLE, postgresBinaries, smallDiskUnavailable, startServer } from '@outbus/test-kit'
import type { RunningServer } from '@outbus/test-kit'
import type { Server } from './world.ts'

/** Holds the tables that are moved there and, for another fault, all of WAL. Its memory is used only while it is full. */
const SMALL_DISK_BYTES = 512 * 1024 * 1024
/** So that all of WAL fits there; and each segment is a new file, for which there may be no room. */
const SMALL_WAL = { max_wal_size: '160MB', wal_recycle: 'off' }
const STOP_WITHIN_MS = 10_000
/** Backends that outlive their postmaster keep its memory, and no new one starts before they have noticed. */
const START_ATTEMPTS = 100
const START_PAUSE_MS = 50

export interface FaultServer extends Server, AsyncDisposable {
  /** Stops it and removes its data; so does the end of this process, whatever ends it. */
  close(): Promise<void>
}

export interface FaultServerOptions {
  /** `embedded` (18) or `system` (Debian's 15). Default: what `OUTBUS_TEST_POSTGRES` says, else `embedded`. */
  readonly kind?: 'embedded' | 'system'
  /** Server settings besides. Default 300 connections, and little enough WAL to fit the small disk. */
  readonly settings?: Readonly<Record<string, string | number>>
}

const smallDisks = new WeakMap<Server, RunningServer['smallDisk']>()

/** Where the server sees its small disk, and where we do; undefined where this machine has none. */
export function smallDiskOf(server: Server): RunningServer['smallDisk'] {
  return smallDisks.get(server)
}

/** A fresh server with a fresh database in it. */
export async function startFaultServer(options: FaultServerOptions = {}): Promise<FaultServer> {
  const kind = options.kind ?? (process.env['OUTBUS_TEST_POSTGRES'] === 'system' ? 'system' : 'embedded')
  const running = await startServer(postgresBinaries(kind), {
    settings: { max_connections: 300, ...SMALL_WAL, ...DURABLE, ...options.settings },
    ...(smallDiskUnavailable() === undefined ? { smallDiskBytes: SMALL_DISK_BYTES } : {}),
  })
  try {
    const { url } = await createTestDatabase(running.url)
    const server = faultServer(running, url)
    smallDisks.set(server, running.smallDisk)
    return server
  } catch (error) {
    await running.stop()
    throw error
  }
}

function faultServer(running: RunningServer, url: string): FaultServer {
  const signal = async (name: NodeJS.Signals) => {
    const postmaster = await postmasterOf(running.dataDirectory)
    process.kill(postmaster, name)
    // As an operator does whose fast stop does not end: seen of Postgres 18 when it was still recovering.
    const late = setTimeout(() => process.kill(postmaster, 'SIGQUIT'), STOP_WITHIN_MS)
    await running.ended()
    clearTimeout(late)
  }
  const close = () => running.stop()
  return {
    url,
    dataDirectory: running.dataDirectory,
    // What `pg_ctl stop` sends for each mode.
    stop: (mode) => signal(mode === 'immediate' ? 'SIGQUIT' : 'SIGINT'),
    killPostmaster: () => signal('SIGKILL'),
    start: () => (running.running ? Promise.resolve() : startPatiently(running)),
    killBackend: (pid) => void process.kill(pid, 'SIGKILL'),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function startPatiently(running: RunningServer): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await running.start()
      return
    } catch (error) {
      const lingering = /pre-existing shared memory block|is another postmaster|could not bind/.test(String(error))
      if (!lingering || attempt === START_ATTEMPTS) throw error
      await pause(START_PAUSE_MS)
    }
  }
}

async function postmasterOf(dataDirectory: string): Promise<number> {
  const [pid] = (await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8')).split('\n')
  return Number(pid)
}
