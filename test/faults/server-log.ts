/** What the Postgres under test said: beside the history of a run, and of a backend that died also in the report. */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'

const DIED = /was terminated by signal|PANIC: /

export class ServerLog {
  readonly file: string
  /** Lines about processes that died. A fault may have asked for it: the report says at what time it struck. */
  readonly deaths: string[] = []
  #open = true

  constructor(directory: string) {
    this.file = join(directory, 'postgres.log')
  }

  add(text: string): void {
    if (!this.#open) return
    // The log of a run is some hundred kilobytes, and has to be there whatever ends this process.
    appendFileSync(this.file, text)
    this.deaths.push(...text.split('\n').filter((line) => DIED.test(line)))
  }

  /** What comes later is not kept: the folder may be gone. */
  close(): void {
    this.#open = false
  }
}
