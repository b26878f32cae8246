/** What several scenarios do: drain a backlog, emit at a rate, time one event after the other. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Run } from './contract.ts'

export interface Drained {
  /** Rows a second, from the moment dispatch is started to the last handler. */
  readonly rate: number
  /** The same of the last fifth of the rows. */
  readonly lastFifth: number
}

/** Drains the rows that `prepare` made. */
export async function drain({ url, system, prepared: rows }: Run): Promise<Drained> {
  const session = await system.open(url, { load: 'backlog', callers: 1 })
  const done = Promise.withResolvers<void>()
  const lastFifthFrom = rows - Math.floor(rows / 5)
  let handled = 0
  let lastFifthAt = 0
  const startedAt = performance.now()
  await session.dispatch({
    main: () => {
      handled++
      if (handled === lastFifthFrom) lastFifthAt = performance.now()
      if (handled === rows) done.resolve()
    },
  })
  await done.promise
  const endedAt = performance.now()
  await session.stop()
  return {
    rate: (rows * 1_000) / (endedAt - startedAt),
    lastFifth: ((rows - lastFifthFrom) * 1_000) / (endedAt - lastFifthAt),
  }
}

/** How often `call` returns in a second, while so many callers call it one time after the other. */
export async function ratePerSecond(
  call: (caller: number) => Promise<unknown>,
  { callers = 1, warmMs = 500, ms }: { readonly callers?: number; readonly warmMs?: number; readonly ms: number },
): Promise<number> {
  const startedAt = performance.now()
  const countsFrom = startedAt + warmMs
  let first = 0
  let last = 0
  let returned = 0
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      while (performance.now() < countsFrom + ms) {
        await call(caller)
        const now = performance.now()
        if (now < countsFrom) continue
        // The first return within the window begins it.
        if (first === 0) first = now
        else returned++
        last = now
      }
    }),
  )
  return (returned * 1_000) / (last - first)
}

/** From the call of the emit to the start of the handler, in ms, for one event after the other. */
export class LatencyProbe {
  #started = Promise.withResolvers<number>()

  /** For the handler. */
  readonly onStart = (): void => this.#started.resolve(performance.now())

  async sample(emit: () => Promise<unknown>): Promise<number> {
    this.#started = Promise.withResolvers<number>()
    const calledAt = performance.now()
    const [startedAt] = await Promise.all([this.#started.promise, emit()])
    return startedAt - calledAt
  }
}

/** Not the same every time, so that no sample keeps step with somebody's timer. */
export function pauseBetween(leastMs: number, mostMs: number): Promise<void> {
  return pause(leastMs + Math.random() * (mostMs - leastMs))
}
