/** Starts and watches dispatcher processes. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { WorkerLine, WorkerProcess, WorkerSettings } from './protocol.ts'

const SCRIPT = fileURLToPath(new URL('dispatcher.ts', import.meta.url))

export type Started = Extract<WorkerLine, { kind: 'started' }>

export class Worker {
  readonly lines: WorkerLine[] = []
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #watching = new Set<(line: WorkerLine) => void>()

  private constructor(settings: WorkerSettings, { heapMb }: WorkerProcess) {
    const heap = heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`]
    this.#child = spawn(process.execPath, [...heap, '--conditions=outbus-source', SCRIPT, JSON.stringify(settings)], {
      stdio: ['ignore', 'pipe', heapMb === undefined ? 'inherit' : 'ignore'],
    })
    this.#exited = once(this.#child, 'close')
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (text) => {
      const line = JSON.parse(text) as WorkerLine
      this.lines.push(line)
      for (const watch of this.#watching) watch(line)
    })
  }

  /** Ready to dispatch; ended with the test, whatever becomes of it. */
  static async start(settings: WorkerSettings, how: WorkerProcess = {}): Promise<Worker> {
    const worker = new Worker(settings, how)
    onTestFinished(() => worker.kill('SIGKILL'))
    await worker.until((line) => line.kind === 'ready')
    return worker
  }

  get started(): Started[] {
    return this.lines.filter((line): line is Started => line.kind === 'started')
  }

  /** Resolves at the first line, past or to come, of which `wanted` is true; rejects when the process ends first. */
  until(wanted: (line: WorkerLine) => boolean): Promise<WorkerLine> {
    const past = this.lines.find(wanted)
    if (past !== undefined) return Promise.resolve(past)
    return new Promise((resolve, reject) => {
      const watch = (line: WorkerLine) => {
        if (!wanted(line)) return
        this.#watching.delete(watch)
        resolve(line)
      }
      this.#watching.add(watch)
      void this.#exited.then(() =>
        reject(new Error(`the worker ended before that; it said ${JSON.stringify(this.lines.slice(-5))}`)),
      )
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves when the process is gone and all that it said has been read. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal)
    await this.#exited
  }

  async exited(): Promise<void> {
    await this.#exited
  }
}
