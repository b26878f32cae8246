/**
 * Calculates recurrences in a thread of its own, one after the other, within a time. A rule is anybody's text, and what calculates it
 * cannot be interrupted: in the process's own thread it would keep everybody waiting.
 *
 *   none ──asked──▶ calculating ──answered──▶ waiting ──asked──▶ calculating
 *     ▲                  │ too long
 *     └──────ended◀──────┘
 */
import { Worker } from 'node:worker_threads'
import { clock } from '@outbus/core'
import { ScheduleError } from './errors.ts'
import type { HandOver, Recurrence } from './recurrence.ts'

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

interface Asked {
  readonly question: Question
  readonly promise: PromiseWithResolvers<unknown>
}

class Calculator {
  readonly #waiting: Asked[] = []
  #thread: Worker | undefined
  #asked: Asked | undefined
  #timer: NodeJS.Timeout | undefined

  /** Does in the thread what `assertRecurrence` does. */
  async assert(given: Recurrence, now: Date): Promise<void> {
    await this.#ask({ ask: 'assert', given, now })
  }

  /** Does in the thread what `handOver` does. */
  async handOver(given: Recurrence, now: Date): Promise<HandOver | undefined> {
    return (await this.#ask({ ask: 'handOver', given, now })) as HandOver | undefined
  }

  /** As `preview`. */
  async preview(given: Recurrence, from: Date, count: number): Promise<Date[]> {
    return (await this.#ask({ ask: 'preview', given, from, count })) as Date[]
  }

  #ask({ given, ...rest }: Question): Promise<unknown> {
    // The two alone: of a row there is more.
    const plain = { recurrence: given.recurrence, timezone: given.timezone }
    const asked = { question: { ...rest, given: plain } as Question, promise: Promise.withResolvers<unknown>() }
    this.#waiting.push(asked)
    this.#next()
    return asked.promise.promise
  }

  #next(): void {
    if (this.#asked !== undefined) return
    this.#asked = this.#waiting.shift()
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
        this.#end(thread, asked && tooLong(asked.question, `more than ${MOST_MS} ms`))
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

function settle({ question, promise }: Asked, said: Exclude<Said, { readonly kind: 'begun' }>): void {
  if (said.kind === 'refused')
    promise.reject(new ScheduleError(said.code as 'schedule.invalid', said.message, said.details))
  else if (question.ask === 'assert' && said.tookMs > MOST_CPU_MS)
    promise.reject(tooLong(question, `${Math.round(said.tookMs)} ms`))
  else promise.resolve(said.value)
}

function tooLong({ given }: Question, took: string): Error {
  return new ScheduleError('schedule.too_complex', `to calculate when it occurs took ${took}`, {
    path: 'recurrence',
    received: given.recurrence,
    limit: MOST_CPU_MS,
    hint: 'name fewer days and times, or a shorter period',
  })
}

/** All buses of this process share it: a thread is dear to begin, and there is little to calculate. */
export const calculator = new Calculator()
