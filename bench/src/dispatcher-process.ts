/** A dispatcher in another process, as its scenario sees it. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { DispatcherMessage, Progress } from './dispatcher.ts'

const DISPATCHER = fileURLToPath(new URL('dispatcher.ts', import.meta.url))

const running = new Set<DispatcherProcess>()

/** The processor time, in µs, of all dispatcher processes that run: what belongs to a slice is the difference. */
export async function dispatchersCpu(): Promise<number> {
  const used = await Promise.all([...running].map((dispatcher) => dispatcher.cpuUs()))
  return used.reduce((sum, us) => sum + us, 0)
}

export class DispatcherProcess {
  progress: Progress = { handled: 0, at: 0 }
  readonly #child: ChildProcess
  #onProgress: () => void = () => {}
  #onCpu: (us: number) => void = () => {}

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (message) => this.#hear(message as DispatcherMessage))
  }

  /** Resolves when it has opened its bus. */
  static async start(url: string): Promise<DispatcherProcess> {
    const child = fork(DISPATCHER, [url], { execArgv: ['--conditions=outbus-source'] })
    child.once('exit', (code) => {
      if (code !== 0 && code !== null) throw new Error(`a dispatcher process exited with ${code}`)
    })
    await once(child, 'message')
    const dispatcher = new DispatcherProcess(child)
    running.add(dispatcher)
    return dispatcher
  }

  go(onProgress: () => void = () => {}): void {
    this.#onProgress = onProgress
    this.#child.send('go')
  }

  cpuUs(): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>()
    this.#onCpu = resolve
    this.#child.send('cpu')
    return promise
  }

  async stop(): Promise<void> {
    running.delete(this)
    const exited = once(this.#child, 'exit')
    this.#child.disconnect()
    await exited
  }

  #hear(message: DispatcherMessage): void {
    if (message === 'ready') return
    if ('cpuUs' in message) return this.#onCpu(message.cpuUs)
    this.progress = message
    this.#onProgress()
  }
}
