/** The Postgres under test: durable, and ours to stop, kill and start again on the same data and port. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createTestDatabase, DURABLE, postgresBinaries, smallDiskUnavailable, startServer } from '@outbus/test-kit'
import type { RunningServer } from '@outbus/test-kit'
import { libfaketime } from './faketime.ts'
import { startProxy } from './proxy.ts'
import type { Address, Server, Standby } from './world.ts'

/** Holds the tables that are moved there and, for another fault, all of WAL. Its memory is used only while it is full. */
const SMALL_DISK_BYTES = 512 * 1024 * 1024
/** So that all of WAL fits there; and each segment is a new file, for which there may be no room. */
const SMALL_WAL = { max_wal_size: '160MB', wal_recycle: 'off' }
const STOP_WITHIN_MS = 10_000
/** Backends that outlive their postmaster keep its memory, and no new one starts before they have noticed. */
const START_ATTEMPTS = 100
const START_PAUSE_MS = 50

export interface FaultServer extends Server, AsyncDisposable {
  /** Calls `moved` with where the server is from now on, each time that it is another one. */
  onMoved(moved: (address: Address) => void): void
  /** Stops it and removes its data; so does the end of this process, whatever ends it. */
  close(): Promise<void>
}

export interface FaultServerOptions {
  /** `embedded` (18) or `system` (Debian's 15). Default: what `OUTBUS_TEST_POSTGRES` says, else `embedded`. */
  readonly kind?: 'embedded' | 'system'
  /** Server settings besides. Default 300 connections, and little enough WAL to fit the small disk. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** Gets what the server says, and what each standby of it says. Default: nobody. */
  readonly onLog?: (text: string) => void
}

const smallDisks = new WeakMap<Server, RunningServer['smallDisk']>()

/** Where the server sees its small disk, and where we do; undefined where this machine has none. */
export function smallDiskOf(server: Server): RunningServer['smallDisk'] {
  return smallDisks.get(server)
}

/** A fresh server with a fresh database in it. */
export async function startFaultServer(options: FaultServerOptions = {}): Promise<FaultServer> {
  const kind = options.kind ?? (process.env['OUTBUS_TEST_POSTGRES'] === 'system' ? 'system' : 'embedded')
  const bin = postgresBinaries(kind)
  const settings = { max_connections: 300, ...SMALL_WAL, ...DURABLE, ...options.settings }
  const running = await startServer(bin, {
    settings,
    ...(smallDiskUnavailable() === undefined ? { smallDiskBytes: SMALL_DISK_BYTES } : {}),
    ...(options.onLog === undefined ? {} : { onLog: options.onLog }),
  })
  try {
    const { url } = await createTestDatabase(running.url)
    const door = await startProxy(addressOf(running.url))
    const server = new RealServer({ running, url, door, bin, settings, onLog: options.onLog })
    smallDisks.set(server, running.smallDisk)
    return server
  } catch (error) {
    await running.stop()
    throw error
  }
}

interface RealServerParts {
  readonly running: RunningServer
  /** Where the database under test is. */
  readonly url: string
  /** The runner connects through it. */
  readonly door: Awaited<ReturnType<typeof startProxy>>
  readonly bin: string
  readonly settings: Readonly<Record<string, string | number>>
  readonly onLog: FaultServerOptions['onLog']
}

class RealServer implements FaultServer {
  readonly url: string
  readonly bin: string
  readonly #parts: RealServerParts
  readonly #moved: ((address: Address) => void)[] = []
  readonly #standbys = new Map<Standby, RunningServer>()
  #running: RunningServer

  constructor(parts: RealServerParts) {
    this.#parts = parts
    this.#running = parts.running
    this.url = at(parts.url, parts.door.port)
    this.bin = parts.bin
  }

  get dataDirectory(): string {
    return this.#running.dataDirectory
  }

  get address(): Address {
    return addressOf(this.#running.url)
  }

  onMoved(moved: (address: Address) => void): void {
    this.#moved.push(moved)
  }

  /** What `pg_ctl stop` sends for each mode. */
  stop(mode: 'immediate' | 'fast'): Promise<void> {
    return this.#signal(mode === 'immediate' ? 'SIGQUIT' : 'SIGINT')
  }

  killPostmaster(): Promise<void> {
    return this.#signal('SIGKILL')
  }

  async start(hoursOff = 0): Promise<void> {
    if (!this.#running.running) await startPatiently(this.#running, clockOf(hoursOff))
  }

  killBackend(pid: number): void {
    process.kill(pid, 'SIGKILL')
  }

  async standby(): Promise<Standby> {
    const { bin, settings, url, onLog } = this.#parts
    const log = onLog === undefined ? {} : { onLog }
    const running = await startServer(bin, { settings, standbyOf: this.#running.url, ...log })
    const standby: Standby = {
      address: addressOf(running.url),
      url: at(url, addressOf(running.url).port),
      close: async () => {
        if (this.#standbys.delete(standby)) await running.stop()
      },
    }
    this.#standbys.set(standby, running)
    return standby
  }

  async becomes(standby: Standby): Promise<void> {
    const next = this.#standbys.get(standby)
    if (next === undefined) throw new Error('it is no standby of this server')
    this.#standbys.delete(standby)
    const before = this.#running
    this.#running = next
    // It was on the disk of the server before.
    smallDisks.delete(this)
    for (const moved of [(address: Address) => this.#parts.door.redirect(address), ...this.#moved]) moved(this.address)
    await before.stop()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#standbys.keys()].map((standby) => standby.close()))
    await this.#parts.door.close()
    await this.#running.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #signal(name: NodeJS.Signals): Promise<void> {
    const running = this.#running
    if (!running.running) return
    const postmaster = await postmasterOf(running.dataDirectory)
    process.kill(postmaster, name)
    // As an operator does whose fast stop does not end: seen of Postgres 18 when it was still recovering.
    const late = setTimeout(() => process.kill(postmaster, 'SIGQUIT'), STOP_WITHIN_MS)
    await running.ended()
    clearTimeout(late)
  }
}

/**
 * Variables under which the clock of a server is off, by libfaketime. The offset is one of its start: read from a file at
 * each look at the clock, it allocates memory within signal handlers, of which Postgres 18 was seen to abort.
 */
function clockOf(hours: number): Record<string, string> {
  if (hours === 0) return {}
  const library = libfaketime()
  if (library === undefined) throw new Error('libfaketime is not installed')
  return {
    LD_PRELOAD: library,
    FAKETIME: `${hours < 0 ? '' : '+'}${hours}h`,
    // Timers go by the monotonic clock, which is nobody's to set.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  }
}

function addressOf(url: string): Address {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port) }
}

function at(url: string, port: number): string {
  const other = new URL(url)
  other.port = String(port)
  return other.href
}

async function startPatiently(running: RunningServer, env: Record<string, string>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await running.start(env)
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
