/** Runs a step in a process group of its own, so that whatever it starts ends with it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { WorkerTask } from './worker.ts'

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))
/** Of what a failed step has said on standard error. */
const LAST_LINES = 15

export interface StepOptions {
  readonly limitMs: number
  readonly signal: AbortSignal
  /** A folder where compiled code is kept from process to process, as it would be of a program that was built. */
  readonly cache: string
  /** For Node itself. */
  readonly nodeOptions?: readonly string[]
}

export async function runStep(
  system: string,
  scenario: string,
  task: WorkerTask,
  { limitMs, signal, cache, nodeOptions = [] }: StepOptions,
): Promise<unknown> {
  signal.throwIfAborted()
  const child = spawn(
    process.execPath,
    ['--conditions=outbus-source', ...nodeOptions, WORKER, system, scenario, JSON.stringify(task)],
    { detached: true, stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, NODE_COMPILE_CACHE: cache } },
  )
  const { pid } = child
  let late = false
  const end = () => {
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL')
    } catch (error) {
      // Nobody is left of the group.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  const timer = setTimeout(() => {
    late = true
    end()
  }, limitMs)
  signal.addEventListener('abort', end, { once: true })
  try {
    const [[code], said, complained] = (await Promise.all([
      once(child, 'exit'),
      text(child.stdout),
      text(child.stderr),
    ])) as [[number | null], string, string]
    signal.throwIfAborted()
    if (late) throw new Error(`took longer than ${limitMs / 1_000} s and was ended`)
    if (code !== 0) throw new Error(`failed: ${complained.trim().split('\n').slice(-LAST_LINES).join('\n')}`)
    return JSON.parse(said.trim().split('\n').at(-1) ?? '')
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
    // Whatever it has left behind.
    end()
  }
}
