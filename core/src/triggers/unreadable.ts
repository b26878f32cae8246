/**
 * Sets aside triggers whose filters this process cannot read, so that a refused emit leads to the trigger and the
 * reason. The trigger itself stays: another version of the program reads it.
 */
import type { SetAsideRows } from '../set-aside/set-aside.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { FiledTrigger } from './filed-trigger.ts'

type Unreadable = Pick<FiledTrigger, 'id' | 'name' | 'source' | 'broken'>

const KIND = 'trigger'
const NONE: ReadonlySet<string> = new Set()

export class UnreadableTriggers {
  readonly #aside: SetAsideRows
  readonly #on: () => Queryable
  /** Triggers already reported, by app. */
  readonly #said = new Map<string, ReadonlySet<string>>()

  constructor(aside: SetAsideRows, on: () => Queryable) {
    this.#aside = aside
    this.#on = on
  }

  seen(app: string, triggers: readonly Unreadable[]): void {
    const said = this.#said.get(app) ?? NONE
    if (triggers.length === 0 && said.size === 0) return
    const now = new Map(triggers.map((trigger) => [trigger.id, trigger]))
    if (now.size === 0) this.#said.delete(app)
    else this.#said.set(app, new Set(now.keys()))
    for (const trigger of triggers) if (!said.has(trigger.id)) void this.#put(app, trigger)
    for (const id of said) if (!now.has(id)) void this.#takeBack(app, id)
  }

  async #put(app: string, { id, name, source, broken }: Unreadable): Promise<void> {
    const because = broken?.because
    const why = because instanceof Error ? because.message : String(because)
    const reason = `source ${source} cannot read the filter of trigger ${JSON.stringify(name)}: ${why.replaceAll(/\s+/g, ' ')}`
    try {
      await this.#aside.put(this.#on(), { app, kind: KIND, id }, reason)
    } catch {
      // An emitter's login may not write the entry, or Postgres is away. The log and the stats have it anyway.
      this.#aside.tell({ app, kind: KIND, id }, reason)
    }
  }

  async #takeBack(app: string, id: string): Promise<void> {
    try {
      await this.#aside.takeBack(this.#on(), { app, kind: KIND, id })
    } catch {
      // Whoever may not write entries may not remove them. Retention does.
    }
  }
}
