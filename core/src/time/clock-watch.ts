/** Notices that the clock of the database was set back, by comparing it with the time that goes by here. */
import { performance } from './clock.ts'

/** A clock that is corrected goes back by less. */
const SET_BACK_S = 0.25

export class ClockWatch {
  #last: { readonly clockS: number; readonly heardAtMs: number } | undefined

  /**
   * Whether the clock was set back since the answer before. `clockS`: what the database answered, in seconds since 1970. `askedAtMs`:
   * when it was asked, by `performance.now()`. Between two answers the clock goes on by no less than the time between
   * hearing the one and asking for the other.
   */
  wasSetBack(clockS: number, askedAtMs: number): boolean {
    const last = this.#last
    this.#last = { clockS, heardAtMs: performance.now() }
    if (last === undefined) return false
    return clockS - last.clockS < (askedAtMs - last.heardAtMs) / 1000 - SET_BACK_S
  }

  /** Another server may answer next. */
  forget(): void {
    this.#last = undefined
  }
}
