/**
 * The latest moment that the database's clock can show, by the time that goes by in this process. A lease is over only
 * when both clocks say so (docs/claim-protocol.md, "When the clock of the database jumps ahead").
 *
 *   following ──the clock is ahead of the time that went by──▶ doubting ──a lease's time later──▶ following
 *
 * A doubting clock goes on from the last answer before the jump.
 */
import { performance } from './clock.ts'

/** A corrected clock goes ahead by less. */
const AHEAD_S = 0.25

export interface Latest {
  /** Seconds since 1970: a lease that ends later is not over. -Infinity until the database was asked once. */
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

  /** `leaseMs`: the time in which a live process extends its leases. */
  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs
  }

  get isKnown(): boolean {
    return this.#followed !== undefined
  }

  get latestS(): number {
    return this.#followed === undefined ? -Infinity : latestAt(this.#followed, performance.now())
  }

  /** Takes an answer of the database. True: the clock jumped ahead since the answer before. */
  heard(clockS: number, askedAtMs: number): boolean {
    const now = performance.now()
    const heard = { clockS, askedAtMs }
    const jumped = this.#last !== undefined && clockS > latestAt(this.#last, now) + AHEAD_S
    this.#last = heard
    if (jumped) this.#doubtsUntilMs = now + this.#leaseMs
    // The earlier bound is always the better one, as after a clock that was set back.
    const isEarlier = this.#followed === undefined || latestAt(heard, now) < latestAt(this.#followed, now)
    if (isEarlier || now >= this.#doubtsUntilMs) this.#followed = heard
    return jumped
  }
}

function latestAt({ clockS, askedAtMs }: Heard, nowMs: number): number {
  return clockS + (nowMs - askedAtMs) / 1000
}
