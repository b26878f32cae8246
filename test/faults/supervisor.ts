/** Starts the processes under test, and starts again whoever dies. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Failpoint } from './failpoints/names.ts'
import type { Collector } from './history/collector.ts'
import type { SubjectSettings } from './settings.ts'
import type { Mutant } from './mutants/names.ts'
import type { Subject } from './world.ts'

export interface SupervisedOptions {
  readonly kind: Subject['kind']
  readonly name: string
  readonly url: string
  readonly seed: number
  readonly mutant: Mutant | undefined
  readonly collector: Collector
}

const SCRIPTS = { dispatcher: 'load/dispatcher.ts', emitter: 'load/emitter.ts' } as const
/** How many lines of a life's standard error are kept, to find out why it ended. */
const LINES_KEPT = 60
/** A process that dies at once is not started again and again without a rest. */
const RESTART_MS = 1_500
/** While Postgres is away a process may fail to begin, again and again; not for ever. */
const LIVES_BEFORE_READY = 30

/** What a process under test is told. */
export interface Order {
  readonly arm: Failpoint
}

interface Life {
  readonly id: string
  readonly child: ChildProcess
  readonly exited: Promise<void>
  readonly ready: PromiseWithResolvers<void>
  readonly stderr: string[]
}

/**
 * One process over all its lives.
 *
 *   started ──exit──▶ started again, unless held or stopping
 */
export class Supervised implements Subject {
  readonly kind: Subject['kind']
  readonly name: string
  readonly #options: SupervisedOptions
  #life: Life
  #lives = 0
  #held = 0
  #stopping = false
  /** Resolves with the next life, and is replaced then. */
  #next = Promise.withResolvers<Life>()
  #env: Readonly<Record<string, string>> = {}

  constructor(options: SupervisedOptions) {
    this.kind = options.kind
    this.name = options.name
    this.#options = options
    this.#life = this.#start()
  }

  get pid(): number {
    return this.#life.child.pid ?? 0
  }

  get alive(): boolean {
    return isRunning(this.#life.child)
  }

  get exited(): Promise<void> {
    return this.#life.exited
  }

  /** What the present life, or the last one, wrote to standard error. */
  get lastWords(): readonly string[] {
    return this.#life.stderr
  }

  signal(signal: NodeJS.Signals): void {
    if (this.alive) this.#life.child.kill(signal)
  }

  arm(failpoint: Failpoint): void {
    if (this.#life.child.connected) this.#life.child.send({ arm: failpoint } satisfies Order)
  }

  hold(): { release(env?: Readonly<Record<string, string>>): void } {
    this.#held++
    let released = false
    return {
      release: (env = {}) => {
        if (released) return
        released = true
        this.#held--
        this.#env = env
        if (!this.alive) this.#restart()
      },
    }
  }

  async ready(): Promise<void> {
    for (let lives = 0; lives < LIVES_BEFORE_READY; lives++) {
      const life = this.alive ? this.#life : await this.#next.promise
      const isReady = await Promise.race([life.ready.promise.then(() => true), life.exited.then(() => false)])
      if (isReady) return
    }
    throw new Error(`${this.name} ended ${LIVES_BEFORE_READY} times before it was at work`)
  }

  /** The collector calls this when a life has said that it is at work. */
  said(life: string): void {
    if (life === this.#life.id) this.#life.ready.resolve()
  }

  /** SIGTERM, and SIGKILL for whoever does not end by it in time: false then. */
  async stop(graceMs: number): Promise<boolean> {
    let inTime = true
    const timer = setTimeout(() => {
      inTime = false
      this.#stopping = true
      this.signal('SIGKILL')
    }, graceMs)
    // Before it is at work it knows no SIGTERM.
    await Promise.race([this.ready(), this.exited])
    this.#stopping = true
    this.signal('SIGTERM')
    if (this.alive) await this.exited
    clearTimeout(timer)
    return inTime
  }

  async kill(): Promise<void> {
    this.#stopping = true
    this.signal('SIGKILL')
    if (this.alive) await this.exited
  }

  #start(): Life {
    const { name, url, seed, mutant, collector } = this.#options
    const id = `${name}#${++this.#lives}`
    const settings: SubjectSettings = {
      url,
      socket: collector.socket,
      name,
      life: id,
      seed,
      ...(mutant === undefined ? {} : { mutant }),
    }
    const script = fileURLToPath(new URL(SCRIPTS[this.kind], import.meta.url))
    const child = spawn(process.execPath, ['--conditions=outbus-source', script, JSON.stringify(settings)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, NODE_COMPILE_CACHE: join(dirname(collector.file), 'compiled'), ...this.#env },
    })
    const stderr: string[] = []
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      stderr.push(line.slice(0, 2_000))
      if (stderr.length > LINES_KEPT) stderr.shift()
    })
    // The channel to a process that is just ending: its exit says so. (And `once` would reject by it.)
    child.on('error', () => undefined)
    const exit = Promise.withResolvers<{ code: number | null; signal: string | null }>()
    child.on('exit', (code, signal) => exit.resolve({ code, signal }))
    const exited = exit.promise.then(async (end) => {
      await collector.heardAll(id)
      const words = end.code === 0 || end.signal === 'SIGKILL' ? {} : { words: stderr.join('\n') }
      collector.note({ kind: 'exit', life: id, name, ...end, ...words })
      setTimeout(() => this.#restart(), RESTART_MS)
    })
    collector.note({ kind: 'spawn', life: id, name, pid: child.pid ?? 0 })
    const life = { id, child, exited, ready: Promise.withResolvers<void>(), stderr }
    // Nobody may wait for it.
    life.ready.promise.catch(() => undefined)
    return life
  }

  #restart(): void {
    if (this.#stopping || this.#held > 0 || this.alive) return
    this.#life = this.#start()
    this.#next.resolve(this.#life)
    this.#next = Promise.withResolvers()
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}
