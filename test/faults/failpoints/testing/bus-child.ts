/** Starts and watches bus processes. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { BusLine, BusProcessSettings, EmitCommand } from './protocol.ts'

const SCRIPT = fileURLToPath(new URL('bus-process.ts', import.meta.url))

export type Started = Extract<BusLine, { kind: 'started' | 'ended' }>

export class BusChild {
  readonly lines: BusLine[] = []
  /** Resolves with the signal that ended it, once all that it said has been read. */
  readonly ended: Promise<NodeJS.Signals | null>
  readonly #child: ChildProcess
  readonly #watching = new Set<() => void>()

  private constructor(settings: BusProcessSettings) {
    this.#child = spawn(process.execPath, ['--conditions=outbus-source', SCRIPT, JSON.stringify(settings)], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    })
    this.ended = once(this.#child, 'close').then(([, signal]) => signal as NodeJS.Signals | null)
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (text) => {
      this.lines.push(JSON.parse(text) as BusLine)
      for (const look of this.#watching) look()
    })
  }

  /** Resolves when the process is at work. It ends with the test, whatever becomes of it. */
  static async start(settings: BusProcessSettings): Promise<BusChild> {
    const child = new BusChild(settings)
    onTestFinished(async () => {
      child.signal('SIGKILL')
      await child.ended
    })
    await child.until((lines) => lines.some(({ kind }) => kind === 'ready'))
    return child
  }

  get started(): Started[] {
    return this.lines.filter((line): line is Started => line.kind === 'started')
  }

  /** Resolves as soon as `enough` is true of what it has said; rejects when it ends before. */
  until(enough: (lines: readonly BusLine[]) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!enough(this.lines)) return
        this.#watching.delete(look)
        resolve()
      }
      this.#watching.add(look)
      look()
      void this.ended.then(() =>
        reject(new Error(`it ended before that; it said ${JSON.stringify(this.lines.slice(-5))}`)),
      )
    })
  }

  /** Answers with the number of rows that the emit wrote. */
  async emit(command: EmitCommand): Promise<number> {
    const before = this.lines.length
    this.#child.send(command)
    const answer = () => this.lines.slice(before).find((line) => line.kind === 'emitted' && line.key === command.key)
    await this.until(() => answer() !== undefined)
    return (answer() as Extract<BusLine, { kind: 'emitted' }>).deliveries
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal)
  }
}
