/** How long a connection may answer nothing: one timer for all that is asked on it, where `pg` would take one for each statement. */
import { clearTimeout, setTimeout } from '../time/clock.ts'

export class AnswerTimer {
  readonly #timer: NodeJS.Timeout
  #waiting = 0

  /** `giveUp` is called where something has waited for longer than that, and nothing else was answered meanwhile. */
  constructor(limitMs: number, giveUp: (reason: Error) => void) {
    this.#timer = setTimeout(() => {
      if (this.#waiting > 0) giveUp(new Error(`Postgres has answered nothing for ${limitMs} ms`))
    }, limitMs)
    // Whatever waits holds the process itself.
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
