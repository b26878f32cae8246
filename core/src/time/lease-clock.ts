/**
 * The latest moment that the clock of the database can show, as far as the time tells that goes by in this process. A lease is over
 * when the database says so and this says so too. Otherwise a clock that jumps ahead by an hour would end every lease at once,
 * and what runs would be taken over, run again, and charged.
 *
 *   following ──the clock is ahead of the time that went by──▶ doubting ──a lease's time later──▶ following
 *
 * While it doubts, it goes on from the last answer before the jump, so that the lease of a process that died ends when it would
 * have ended anyway. Processes that live extend their leases meanwhile, by the new clock.
 */
import { performance } from './clock.ts'

/** A clock that is corrected goes ahead by less. */
const AHEAD_S = 0.25

export interface Latest {
  /** Seconds since 1970; a lease that ends later is not over. -Infinity until the database was asked once. */
  readonly latestS: number
}

interface Heard {
  /** By the database's clock, in seconds since 1970. */
  readonly clockS: number
  /** By `performance.now()`. The database read its clock no earlier. */
  readonly askedAtMs: number
}

export class LeaseClock implements Latest {
  readonly #leaseMs: number
  #last: Heard | undefined
  #followed: Heard | undefined
  #doubtsUntilMs = -Infinity

  /** `leaseMs`: whoever lives has extended its leases after this. */
  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs
  }

  /** False until the database was asked once. */
  get isKnown(): boolean {
    return this.#followed !== undefined
  }

  get latestS(): number {
    return this.#followed === undefined ? -Infinity : latestAt(this.#followed, performance.now())
  }

  /** An answer of the database. True: its clock has jumped ahead since the answer before. */
  heard(clockS: number, askedAtMs: number): boolean {
    const now = performance.now()
    const heard = { clockS, askedAtMs }
    const jumped = this.#last !== undefined && clockS > latestAt(this.#last, now) + AHEAD_S
    this.#last = heard
    if (jumped) this.#doubtsUntilMs = now + this.#leaseMs
    // An earlier bound is the better one at any time, as after a clock that was set back.
    const isEarlier = this.#followed === undefined || latestAt(heard, now) < latestAt(this.#followed, now)
    if (isEarlier || now >= this.#doubtsUntilMs) this.#followed = heard
    return jumped
  }
}

function latestAt({ clockS, askedAtMs }: Heard, nowMs: number): number {
  return clockS + (nowMs - askedAtMs) / 1000
}
