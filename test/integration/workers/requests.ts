/** Processes that answer requests, and processes that ask them. */
import { once } from 'node:events'
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Reply } from '@outbus/core'
import { onTestFinished } from 'vitest'
import type { Instructions } from '../ask-source.ts'
import type { WorkerSettings } from './protocol.ts'

/** What a caller process is told to ask; `leaveAfterMs`: the caller goes then. */
export interface Asking {
  readonly asks: readonly (Partial<Instructions> & { readonly topic: string })[]
  readonly timeoutMs: number
  readonly leaveAfterMs?: readonly (number | null)[]
}

class RequestProcess {
  readonly messages: unknown[] = []
  protected readonly child: ChildProcess
  readonly #exited: Promise<unknown>

  protected constructor(script: URL, settings: WorkerSettings) {
    this.child = fork(fileURLToPath(script), [JSON.stringify(settings)], { execArgv: ['--conditions=outbus-source'] })
    this.#exited = once(this.child, 'exit')
    this.child.on('message', (message) => this.messages.push(message))
    onTestFinished(() => this.kill('SIGKILL'))
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
    await this.#exited
  }

  async exited(): Promise<void> {
    await this.#exited
  }
}

/** Answers what is asked of source `asks`, as each question says. */
export class Responder extends RequestProcess {
  static async start(settings: WorkerSettings): Promise<Responder> {
    const responder = new Responder(new URL('responder.ts', import.meta.url), settings)
    await once(responder.child, 'message')
    return responder
  }

  /** The requests whose handler it started. */
  get ran(): string[] {
    return this.messages.flatMap((message) =>
      typeof message === 'object' && message !== null && 'ran' in message ? [message.ran as string] : [],
    )
  }

  /** Resolves when it has started so many. */
  async hasRun(count: number): Promise<void> {
    while (this.ran.length < count) await once(this.child, 'message')
  }
}

/** Asks of its own bus, in a process of its own. */
export class CallerProcess extends RequestProcess {
  static async start(settings: WorkerSettings): Promise<CallerProcess> {
    const caller = new CallerProcess(new URL('caller.ts', import.meta.url), settings)
    await once(caller.child, 'message')
    return caller
  }

  ask(asks: Asking['asks'], { timeoutMs, leaveAfterMs }: Omit<Asking, 'asks'>): void {
    this.child.send({ asks, timeoutMs, ...(leaveAfterMs === undefined ? {} : { leaveAfterMs }) } satisfies Asking)
  }

  /** All replies, when all are there. */
  async replies(): Promise<Reply[]> {
    const [replies] = (await once(this.child, 'message')) as [Reply[]]
    return replies
  }
}
