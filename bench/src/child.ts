/** A worker process as its parent sees it: in a process group of its own, so that whatever it starts ends with it. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Answer, Command, WorkerTask } from './worker.ts'

export const OWN_SOURCES = fileURLToPath(new URL('.', import.meta.url))
/** How much is kept of what a failed process has said on standard error. */
const LAST_CHARACTERS = 2_000

export interface WorkerOptions {
  /** The folder whose `worker.ts` is run; the packages that it imports are found from there. */
  readonly sources: string
  /** How long one command may take. */
  readonly limitMs: number
  readonly signal: AbortSignal
  /** A folder where compiled code is kept from process to process, as it would be of a program that was built. */
  readonly cache: string
  /** Variables of its environment. */
  readonly env?: NodeJS.ProcessEnv
  /** Options of Node itself. Default none. */
  readonly nodeOptions?: readonly string[]
}

export class Worker {
  readonly #child: ChildProcess
  readonly #options: WorkerOptions
  #complaints = ''

  private constructor(child: ChildProcess, options: WorkerOptions) {
    this.#child = child
    this.#options = options
    child.stderr?.setEncoding('utf8').on('data', (said: string) => {
      this.#complaints = (this.#complaints + said).slice(-LAST_CHARACTERS)
    })
    // What a peer prints is not of interest, and must not fill the pipe.
    child.stdout?.resume()
    // A process that cannot be started, or is gone when it is told something: each command hears of its exit.
    child.on('error', () => {})
  }

  static async start(system: string, scenario: string, task: WorkerTask, options: WorkerOptions): Promise<Worker> {
    options.signal.throwIfAborted()
    const { sources, cache, env, nodeOptions = [] } = options
    const child = spawn(
      process.execPath,
      ['--conditions=outbus-source', ...nodeOptions, 'worker.ts', system, scenario, JSON.stringify(task)],
      {
        cwd: sources,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: { ...process.env, ...env, NODE_COMPILE_CACHE: cache },
      },
    )
    const worker = new Worker(child, options)
    await worker.#answer()
    return worker
  }

  async call(command: Command): Promise<unknown> {
    this.#options.signal.throwIfAborted()
    const answered = this.#answer()
    // The answer, or the exit, says whether it arrived.
    this.#child.send(command, () => {})
    return answered
  }

  /** Ends the process and whatever it has started; a second call does nothing. */
  end(): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL')
    } catch (error) {
      // Nobody is left of the group.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  async #answer(): Promise<unknown> {
    const { limitMs, signal } = this.#options
    const settled = new AbortController()
    try {
      const answer = await Promise.race([
        once(this.#child, 'message', settled).then(([message]) => message as Answer),
        once(this.#child, 'exit', settled).then(() => 'exited' as const),
        once(AbortSignal.any([signal, AbortSignal.timeout(limitMs)]), 'abort', settled).then(() => 'ended' as const),
      ])
      if (typeof answer === 'object') {
        if (answer.ok) return answer.result
        throw new Error(`failed: ${answer.message}`, { cause: answer.stack })
      }
      signal.throwIfAborted()
      if (answer === 'ended') throw new Error(`took longer than ${limitMs / 1_000} s and was ended`)
      throw new Error(`failed: ${this.#complaints.trim() || 'its process exited without a word'}`)
    } catch (error) {
      this.end()
      throw error
    } finally {
      settled.abort()
    }
  }
}

/** A process for one command. */
export async function runStep(
  system: string,
  scenario: string,
  task: WorkerTask,
  name: 'install' | 'prepare' | 'measure',
  options: WorkerOptions,
): Promise<unknown> {
  const worker = await Worker.start(system, scenario, task, options)
  try {
    return await worker.call({ name })
  } finally {
    worker.end()
  }
}
