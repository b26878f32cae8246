/**
 * Calculates recurrences in a thread of its own, one after the other, within a time. A rule is anybody's text, and what calculates it
 * cannot be interrupted: in the process's own thread it would keep everybody waiting. Apps take turns, so that no app waits for more
 * than one calculation of each other app. Previews have a second thread: no change of a schedule waits for any of them.
 *
 *   none ──asked──▶ calculating ──answered──▶ waiting ──asked──▶ calculating
 *     ▲                  │ too long
 *     └──────ended◀──────┘
 */
import { Worker } from 'node:worker_threads'
import { clock } from '@outbus/core/plugin'
import { ScheduleError } from './errors.ts'
import type { HandOver, Recurrence } from './recurrence.ts'
import { Turns } from './turns.ts'

/** What the thread is asked for: a function of recurrence.ts. */
export type Question =
  | { readonly ask: 'assert'; readonly given: Recurrence; readonly now: Date }
  | { readonly ask: 'handOver'; readonly given: Recurrence; readonly now: Date }
  | { readonly ask: 'preview'; readonly given: Recurrence; readonly from: Date; readonly count: number }

/** What it says. `begun` comes before anything is calculated. */
export type Said =
  | { readonly kind: 'begun' }
  | { readonly kind: 'answer'; readonly value: unknown; readonly tookMs: number }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly details: Refusal }

export interface Refusal {
  readonly path?: string
  readonly received?: unknown
  readonly limit?: number
  readonly hint?: string
}

/** How long the thread may calculate before it is ended. */
const MOST_MS = 2_000
/** What a schedule may cost of one processor, as pg-boss calculates it in the process's own thread, again and again. */
const MOST_CPU_MS = 500

/** Previews of one app that wait: an app that asks for more without an end would fill the memory. */
const MOST_WAITING_PREVIEWS = 100

interface Asked {
  readonly question: Question
  readonly promise: PromiseWithResolvers<unknown>
}

export interface AskOptions {
  /** Whose turn it is. */
  readonly app: string
  /** Nobody waits any more once it aborts. What is calculated at that moment is calculated to its end. */
  readonly signal?: AbortSignal | undefined
}

class Calculator {
  readonly #mostWaiting: number
  readonly #waiting = new Turns<Asked>()
  #thread: Worker | undefined
  #asked: Asked | undefined
  #timer: NodeJS.Timeout | undefined

  /** `mostWaiting`: of each app; one more is refused as `schedule.busy`. */
  constructor(mostWaiting = Number.POSITIVE_INFINITY) {
    this.#mostWaiting = mostWaiting
  }

  /** Does in the thread what `assertRecurrence` does. */
  async assert(given: Recurrence, now: Date, options: AskOptions): Promise<void> {
    await this.#ask({ ask: 'assert', given, now }, options)
  }

  /** Does in the thread what `handOver` does. */
  async handOver(given: Recurrence, now: Date, options: AskOptions): Promise<HandOver | undefined> {
    return (await this.#ask({ ask: 'handOver', given, now }, options)) as HandOver | undefined
  }

  /** Does in the thread what `preview` does. `schedule.cancelled` where the signal aborts first. */
  async preview(given: Recurrence, from: Date, count: number, options: AskOptions): Promise<Date[]> {
    return (await this.#ask({ ask: 'preview', given, from, count }, options)) as Date[]
  }

  async #ask({ given, ...rest }: Question, { app, signal }: AskOptions): Promise<unknown> {
    if (signal?.aborted === true) throw cancelled(signal)
    if (this.#waiting.countOf(app) >= this.#mostWaiting) throw busy(this.#mostWaiting)
    // The two alone: of a row there is more.
    const plain = { recurrence: given.recurrence, timezone: given.timezone }
    const asked = { question: { ...rest, given: plain } as Question, promise: promised() }
    const leave = () => {
      this.#waiting.delete(app, asked)
      asked.promise.reject(cancelled(signal))
    }
    signal?.addEventListener('abort', leave, { once: true })
    this.#waiting.add(app, asked)
    this.#next()
    try {
      return await asked.promise.promise
    } finally {
      signal?.removeEventListener('abort', leave)
    }
  }

  #next(): void {
    if (this.#asked !== undefined) return
    this.#asked = this.#waiting.next()
    if (this.#asked === undefined) {
      // It is kept for the next one, and keeps no process from ending.
      this.#thread?.unref()
      return
    }
    this.#thread ??= this.#begin()
    this.#thread.ref()
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    this.#thread.postMessage(this.#asked.question)
  }

  #begin(): Worker {
    const isSource = import.meta.url.endsWith('.ts')
    const thread = new Worker(new URL(`./calculator-thread.${isSource ? 'ts' : 'js'}`, import.meta.url), {
      // The workspaces run from source; a published package does not.
      execArgv: isSource ? ['--conditions=outbus-source'] : [],
    })
    thread.on('message', (said: Said) => this.#hear(thread, said))
    thread.on('error', (error) => this.#end(thread, error))
    thread.on('exit', () => this.#end(thread, new Error('the thread that calculates recurrences has ended')))
    return thread
  }

  #hear(thread: Worker, said: Said): void {
    if (thread !== this.#thread) return
    if (said.kind === 'begun') {
      this.#timer = clock.setTimeout(() => {
        const asked = this.#asked
        void thread.terminate()
        this.#end(thread, asked && tooLong(asked.question, `more than ${MOST_MS} ms`, MOST_MS))
      }, MOST_MS)
      return
    }
    clock.clearTimeout(this.#timer)
    const asked = this.#asked
    this.#asked = undefined
    if (asked !== undefined) settle(asked, said)
    this.#next()
  }

  /** Whoever waits is asked for again, by another thread. */
  #end(thread: Worker, error: unknown): void {
    if (thread !== this.#thread) return
    clock.clearTimeout(this.#timer)
    this.#thread = undefined
    const asked = this.#asked
    this.#asked = undefined
    asked?.promise.reject(error)
    this.#next()
  }
}

/** Not by `Promise.withResolvers`, which the application's own `Promise` may not have. */
function promised(): PromiseWithResolvers<unknown> {
  let settled!: Pick<PromiseWithResolvers<unknown>, 'resolve' | 'reject'>
  const promise = new Promise<unknown>((resolve, reject) => (settled = { resolve, reject }))
  return { promise, ...settled }
}

function settle({ question, promise }: Asked, said: Exclude<Said, { readonly kind: 'begun' }>): void {
  if (said.kind === 'refused')
    promise.reject(new ScheduleError(said.code as 'schedule.invalid', said.message, said.details))
  else if (question.ask === 'assert' && said.tookMs > MOST_CPU_MS)
    promise.reject(tooLong(question, `${Math.round(said.tookMs)} ms`, MOST_CPU_MS))
  else promise.resolve(said.value)
}

function tooLong({ given }: Question, took: string, limit: number): Error {
  return new ScheduleError('schedule.too_complex', `to calculate when it occurs took ${took}`, {
    path: 'recurrence',
    received: given.recurrence,
    limit,
    hint: 'name fewer days and times, or a shorter period',
  })
}

function cancelled(signal: AbortSignal | undefined): Error {
  return new ScheduleError('schedule.cancelled', 'nobody waits for the preview any more: its signal has aborted', {
    path: 'signal',
    cause: signal?.reason,
  })
}

function busy(limit: number): Error {
  return new ScheduleError('schedule.busy', `${limit} previews of the app wait to be calculated`, {
    path: 'recurrence',
    limit,
    hint: 'ask for the next one when one of them is answered',
  })
}

/**
 * Calculates what is set, handed over and fired. All buses of this process share it: a thread is dear to begin, and there is little to
 * calculate.
 */
export const calculator = new Calculator()

/** Calculates previews, also of all buses of this process. Its thread begins with the first one. */
export const previews = new Calculator(MOST_WAITING_PREVIEWS)
