/** How a process under test reports to the collector. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { Said } from './records.ts'

export class Reporter {
  readonly #socket: Socket
  readonly #unheard: (() => void)[] = []

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (acks) => {
      for (const heard of this.#unheard.splice(0, acks.length)) heard()
    })
    // What it means is said by `close`.
    socket.on('error', () => undefined)
    // Once the runner is gone there is nothing to be tested any more.
    socket.on('close', () => process.kill(process.pid, 'SIGKILL'))
  }

  static async connect(path: string, hello: { readonly name: string; readonly life: string }): Promise<Reporter> {
    const socket = connect(path)
    await once(socket, 'connect')
    const reporter = new Reporter(socket)
    await reporter.say({ kind: 'hello', ...hello, pid: process.pid })
    return reporter
  }

  /** Resolves when it is in the history. */
  say(said: Said): Promise<void> {
    return new Promise((resolve) => {
      this.#unheard.push(resolve)
      this.#socket.write(`${JSON.stringify(said)}\n`)
    })
  }

  /** A last word is heard before the process goes. */
  async close(): Promise<void> {
    this.#socket.removeAllListeners('close')
    this.#socket.end()
    await once(this.#socket, 'close')
  }
}

const LOOK_EVERY_MS = 200
/** A longer stall is worth saying: others may have taken the process for dead. */
const STALL_MS = 800

/** Says when the event loop of this process stood still, so that nobody looks for another reason of what came of it. */
export function reportStalls(reporter: Reporter): void {
  let before = performance.now()
  setInterval(() => {
    const now = performance.now()
    const ms = now - before - LOOK_EVERY_MS
    before = now
    if (ms > STALL_MS) void reporter.say({ kind: 'stall', ms: Math.round(ms) })
  }, LOOK_EVERY_MS).unref()
}
