/** What several scenarios do: drain a backlog, emit at a rate, time one event after the other. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Amount, Measure, Payload, Run, Work } from './contract.ts'
import { copySeeds } from './fill.ts'
import { quantile } from './statistics.ts'
import { connect } from './systems/raw-sql.ts'

export interface Drained {
  /** Rows a second, from the moment dispatch is started to the last handler. */
  readonly rate: number
  /** The same of the last fifth of the rows. */
  readonly lastFifth: number
}

/** Drains the rows that `prepare` made, from the start of dispatch on. */
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

/** A dispatcher that is kept between slices. */
export interface Drainer {
  /** Emits the last row of a backlog, and sees to it that dispatch goes on. */
  wake(): Promise<unknown>
  stop(): Promise<void>
}

/**
 * A backlog for each slice, and a dispatcher that was idle until it is committed: its connections, plans and code are warm.
 * All rows but one are copies of seeds, inserted in a transaction that is committed before the slice begins; the last one is
 * emitted, which wakes whoever sleeps. The rate is from the commit to the last handler that succeeds.
 */
export async function openDrain(
  { url, system }: Run,
  {
    scenario,
    note,
    start,
  }: {
    readonly scenario: string
    readonly note?: string
    /** `onDone` is called for every row that is done. */
    start(onDone: () => void): Promise<Drainer>
  },
): Promise<Work> {
  const client = await connect(url)
  let left = 0
  let done = Promise.withResolvers<void>()
  const drainer = await start(() => {
    if (--left === 0) done.resolve()
  })
  return {
    async ready({ rows }) {
      await client.query('begin')
      await copySeeds(client, system, rows - 1)
    },
    async slice({ rows }) {
      left = rows
      done = Promise.withResolvers()
      await client.query('commit')
      const startedAt = performance.now()
      await drainer.wake()
      await done.promise
      const value = (rows * 1_000) / (performance.now() - startedAt)
      return { measures: [{ scenario, unit: 'rows/s', value, ...(note === undefined ? {} : { note }) }], rows }
    },
    async close() {
      await client.end()
      await drainer.stop()
    },
  }
}

/** The dispatcher of a system's session, whose handler does nothing. */
export async function startDrainer({ url, system }: Run, last: Payload, onDone: () => void): Promise<Drainer> {
  const session = await system.open(url, { load: 'backlog', callers: 1 })
  await session.dispatch({ main: onDone })
  return {
    async wake() {
      await session.emit(last)
      session.resume?.()
    },
    stop: () => session.stop(),
  }
}

/** Counts what is emitted and what is handled, so that nothing is left for the next slice. */
export class Balance {
  emitted = 0
  #handled = 0
  #awaited: PromiseWithResolvers<void> | undefined

  /** The handler calls this when it starts. */
  readonly onStart = (): void => {
    this.#handled++
    if (this.#handled >= this.emitted) this.#awaited?.resolve()
  }

  /** Resolves when all that was emitted has been handled; call it when no emit is under way. */
  async settled(): Promise<void> {
    if (this.#handled >= this.emitted) return
    this.#awaited = Promise.withResolvers()
    await this.#awaited.promise
  }
}

/** How often `call` returns in a second, while so many callers call it one time after the other. */
export async function ratePerSecond(
  call: (caller: number) => Promise<unknown>,
  { callers = 1, ms }: { readonly callers?: number } & Pick<Amount, 'ms'>,
): Promise<number> {
  // A fifth of the time, for the groups and the connections to fill.
  const countsFrom = performance.now() + ms / 5
  const until = performance.now() + ms
  let first = 0
  let last = 0
  let returned = 0
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      // Whoever is slower than the slice is measured all the same: by at least one return after the first.
      while (performance.now() < until || returned === 0) {
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

/** Measures from the call of the emit to the start of the handler, in ms, one event after the other. */
export class LatencyProbe {
  #started = Promise.withResolvers<number>()

  /** The handler calls this when it starts. */
  readonly onStart = (): void => this.#started.resolve(performance.now())

  async sample(emit: () => Promise<unknown>): Promise<number> {
    this.#started = Promise.withResolvers<number>()
    const calledAt = performance.now()
    const [startedAt] = await Promise.all([this.#started.promise, emit()])
    return startedAt - calledAt
  }
}

/** A figure that is a quantile of times in ms. */
export function quantileOf(scenario: string, share: number, samples: readonly number[], note?: string): Measure {
  return {
    scenario,
    unit: 'ms',
    value: quantile(samples, share),
    of: { share, samples },
    ...(note === undefined ? {} : { note }),
  }
}

/** The pause differs every time, so that no sample keeps step with somebody's timer. */
export function pauseBetween(leastMs: number, mostMs: number): Promise<void> {
  return pause(leastMs + Math.random() * (mostMs - leastMs))
}
