/** A dispatcher in another process, as its scenario sees it. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Progress } from './dispatcher.ts'

const DISPATCHER = fileURLToPath(new URL('dispatcher.ts', import.meta.url))

export class DispatcherProcess {
  progress: Progress = { handled: 0, at: 0 }
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Resolves when it has opened its bus. */
  static async start(url: string): Promise<DispatcherProcess> {
    const child = fork(DISPATCHER, [url], { execArgv: ['--conditions=outbus-source'] })
    child.once('exit', (code) => {
      if (code !== 0 && code !== null) throw new Error(`a dispatcher process exited with ${code}`)
    })
    await once(child, 'message')
    return new DispatcherProcess(child)
  }

  go(onProgress: () => void = () => {}): void {
    this.#child.on('message', (progress) => {
      this.progress = progress as Progress
      onProgress()
    })
    this.#child.send('go')
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.disconnect()
    await exited
  }
}
