/** Limits the silence of a connection with one timer, where `pg` would take a timer for each statement. */
import { clearTimeout, setTimeout } from '../time/clock.ts'

export class AnswerTimer {
  readonly #timer: NodeJS.Timeout
  #waiting = 0

  /** `giveUp` is called when something has waited for `limitMs` and nothing was answered meanwhile. */
  constructor(limitMs: number, giveUp: (reason: Error) => void) {
    this.#timer = setTimeout(() => {
      if (this.#waiting > 0) giveUp(new Error(`Postgres has answered nothing for ${limitMs} ms`))
    }, limitMs)
    // The waiting call keeps the process alive by itself.
    this.#timer.unref()
  }

  async during<T>(answer: Promise<T>): Promise<T> {
    if (this.#waiting++ === 0) this.#timer.refresh()
    try {
      return await answer
    } finally {
      if (--this.#waiting > 0) this.#timer.refresh()
    }
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}
