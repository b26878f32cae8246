/** Notices that the database's clock was set back, by comparing it with the time that goes by here. */
import { performance } from './clock.ts'

/** A corrected clock goes back by less. */
const SET_BACK_S = 0.25

export class ClockWatch {
  #last: { readonly clockS: number; readonly heardAtMs: number } | undefined

  /**
   * Whether the clock was set back since the answer before. `clockS`: the database's answer, in seconds since 1970.
   * `askedAtMs`: when it was asked, by `performance.now()`. Between two answers the clock must gain the time between
   * hearing the first and asking for the second.
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
