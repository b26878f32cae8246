/** Where contestants meet: one server, a template database for each system of each commit, and a meter on the server. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTestDatabase } from '@outbus/test-kit'
import type { TestDatabase } from '@outbus/test-kit'
import { withClient } from '@outbus/test-kit/connections'
import { runStep, Worker } from './child.ts'
import type { WorkerOptions } from './child.ts'
import { SWITCHED_OFF } from './contract.ts'
import type { Amount, Scenario, SystemName } from './contract.ts'
import { ServerMeter } from './server-meter.ts'
import { loadSystem } from './systems/index.ts'
import type { MeteredSlice, WorkerTask } from './worker.ts'

/** How long one command of a worker may take. */
const LIMIT_MS = { quick: 90_000, full: 900_000 }

export interface Contestant {
  /** What it is called where progress is told: a system, or a commit. */
  readonly label: string
  readonly system: SystemName
  readonly scenario: Scenario
  readonly variant: string
  /** The folder of the benchmark's sources beside the packages that are measured. */
  readonly sources: string
  /** A switch of the bus that is off. Default none. */
  readonly off?: string
}

/** What a slice has cost, in all. */
export interface Cost {
  readonly rows: number
  readonly clientUs: number
  /** Undefined where the server's processes are not to be seen from here. */
  readonly serverUs: number | undefined
  readonly walBytes: number
}

/** How often the log was synced for so many rows, counted apart from the slices. */
export interface Syncs {
  readonly rows: number
  readonly syncs: number
}

export interface Turn {
  readonly slice: MeteredSlice
  readonly cost: Cost | undefined
  readonly syncs: Syncs | undefined
}

export class Arena {
  readonly #serverUrl: string
  readonly #quick: boolean
  readonly #signal: AbortSignal
  readonly #meter: ServerMeter
  readonly #cache = mkdtempSync(join(tmpdir(), 'outbus-bench-'))
  readonly #templates = new Map<string, Promise<TestDatabase>>()

  private constructor(serverUrl: string, quick: boolean, signal: AbortSignal, meter: ServerMeter) {
    this.#serverUrl = serverUrl
    this.#quick = quick
    this.#signal = signal
    this.#meter = meter
  }

  static async open(serverUrl: string, quick: boolean, signal: AbortSignal): Promise<Arena> {
    return new Arena(serverUrl, quick, signal, await ServerMeter.open(serverUrl))
  }

  /** Whether the processor time of the server is measured. */
  get seesServer(): boolean {
    return this.#meter.postmaster !== undefined
  }

  /** An interrupted run ends; a failed measurement does not end it. */
  throwIfInterrupted(): void {
    this.#signal.throwIfAborted()
  }

  async close(): Promise<void> {
    rmSync(this.#cache, { recursive: true, force: true })
    for (const template of await Promise.allSettled(this.#templates.values()))
      if (template.status === 'fulfilled') await template.value.drop()
    await this.#meter.close()
  }

  /** A database of the contestant's own, filled by its `prepare`. */
  async #stage(contestant: Contestant): Promise<{ database: TestDatabase; task: WorkerTask }> {
    const { system, scenario, variant } = contestant
    const template = await this.#template(contestant)
    const database = await createTestDatabase(this.#serverUrl, { template: template.name })
    const task = { url: database.url, variant, quick: this.#quick, prepared: 0, postmaster: this.#meter.postmaster }
    if (scenario.prepare === undefined) return { database, task }
    try {
      const options = this.#optionsFor(contestant)
      const prepared = (await runStep(system, scenario.name, task, 'prepare', options)) as number
      return { database, task: { ...task, prepared } }
    } catch (error) {
      await database.drop()
      throw error
    }
  }

  /** One run of work that cannot be cut, in a process and a database of its own. */
  async runWhole(contestant: Contestant): Promise<Turn> {
    const { system, scenario } = contestant
    const { database, task } = await this.#stage(contestant)
    try {
      const { table } = await loadSystem(system)
      await once(database.url, `analyze ${table.name}`)
      await this.#settle(database.url, contestant)
      const worker = await Worker.start(system, scenario.name, task, this.#optionsFor(contestant, true))
      try {
        const syncsBefore = await this.#meter.readSyncs()
        const { slice, cost } = await this.#metered(
          async () => (await worker.call({ name: 'measure' })) as MeteredSlice,
        )
        worker.end()
        return { slice, cost, syncs: await this.#syncsSince(syncsBefore, database, slice.rows) }
      } finally {
        worker.end()
      }
    } finally {
      await database.drop()
    }
  }

  /** Begins the life of a contestant whose work can be cut. */
  async beginLife(contestant: Contestant): Promise<Life> {
    const { system, scenario } = contestant
    const { database, task } = await this.#stage(contestant)
    let worker: Worker | undefined
    try {
      worker = await Worker.start(system, scenario.name, task, this.#optionsFor(contestant, true))
      await worker.call({ name: 'open' })
    } catch (error) {
      worker?.end()
      await database.drop()
      throw error
    }
    const present = worker
    const slice = async (amount: Amount) => (await present.call({ name: 'slice', amount })) as MeteredSlice
    const fills = scenario.cut === 'rows'
    return {
      contestant,
      turn: async (amount) => {
        // What the slice before has left is vacuumed, and nobody's slice pays for what was written before it.
        if (fills) await this.#settle(database.url, contestant)
        await present.call({ name: 'ready', amount })
        const turn = await this.#metered(() => slice(amount))
        return { ...turn, syncs: undefined }
      },
      rest: async () => void (await present.call({ name: 'close' })),
      countSyncs: async (amount) => {
        await present.call({ name: 'open' })
        await present.call({ name: 'ready', amount })
        const before = await this.#meter.readSyncs()
        const { rows } = await slice(amount)
        await present.call({ name: 'close' })
        return this.#syncsSince(before, database, rows)
      },
      end: async () => {
        present.end()
        await database.drop()
      },
    }
  }

  async #settle(url: string, { system }: Contestant): Promise<void> {
    const { table } = await loadSystem(system)
    await once(url, `vacuum ${table.name}`)
    await once(url, 'checkpoint')
  }

  async #metered(measure: () => Promise<MeteredSlice>): Promise<{ slice: MeteredSlice; cost: Cost | undefined }> {
    const before = await this.#meter.read()
    const slice = await measure()
    const after = await this.#meter.read()
    if (slice.rows === undefined) return { slice, cost: undefined }
    const hasCpu = before.cpuNs !== undefined && after.cpuNs !== undefined
    const cost = {
      rows: slice.rows,
      clientUs: slice.cpuUs,
      serverUs: hasCpu ? (after.cpuNs - before.cpuNs) / 1_000 : undefined,
      walBytes: after.walBytes - before.walBytes,
    }
    return { slice, cost }
  }

  /** A backend reports what it has counted at most once a second, and in full when it ends: its end is waited for. */
  async #syncsSince(
    before: number | undefined,
    database: TestDatabase,
    rows: number | undefined,
  ): Promise<Syncs | undefined> {
    if (before === undefined || rows === undefined) return undefined
    if (!(await this.#meter.nobodyIsConnectedTo(database.name))) return undefined
    const after = await this.#meter.readSyncs()
    return after === undefined ? undefined : { rows, syncs: after - before }
  }

  /** A database in which a system was installed, to be copied for every life. */
  #template(contestant: Contestant, system: SystemName = contestant.system): Promise<TestDatabase> {
    const key = `${contestant.sources}\n${system}`
    const template = this.#templates.get(key) ?? this.#install(contestant, system)
    this.#templates.set(key, template)
    return template
  }

  async #install(contestant: Contestant, system: SystemName): Promise<TestDatabase> {
    const { builtOn } = await loadSystem(system)
    const base = builtOn === undefined ? undefined : await this.#template(contestant, builtOn)
    const template = await createTestDatabase(this.#serverUrl, base === undefined ? {} : { template: base.name })
    try {
      const task = { url: template.url, variant: '', quick: this.#quick, prepared: 0, postmaster: undefined }
      await runStep(system, 'install', task, 'install', this.#optionsFor(contestant))
      await this.#meter.nobodyIsConnectedTo(template.name)
      return template
    } catch (error) {
      await template.drop()
      throw error
    }
  }

  #optionsFor({ scenario, variant, sources, off }: Contestant, measuring = false): WorkerOptions {
    return {
      sources,
      env: off === undefined ? {} : { [SWITCHED_OFF]: off },
      limitMs: this.#quick ? LIMIT_MS.quick : LIMIT_MS.full,
      signal: this.#signal,
      cache: this.#cache,
      nodeOptions: measuring ? (scenario.nodeOptions?.[variant] ?? []) : [],
    }
  }
}

/** A process and a database in which slices follow each other. */
export interface Life {
  readonly contestant: Contestant
  turn(amount: Amount): Promise<Turn>
  /** Closes what is open, so that nothing of it runs under somebody else. */
  rest(): Promise<void>
  /** One more slice on connections of its own, for nothing but to count the syncs of the log. */
  countSyncs(amount: Amount): Promise<Syncs | undefined>
  end(): Promise<void>
}

async function once(url: string, sql: string): Promise<void> {
  await withClient({ connectionString: url }, (client) => client.query(sql))
}
