/** Which process may have been interrupted when: by a fault, by its own end, or because it got no CPU. */
import type { HistoryRecord } from '../history/records.ts'

/** What a fault broke comes to light this long after it is over: a connection that was lost, a lease that ran out. */
const GRACE_MS = 1_500

interface Span {
  readonly from: number
  to: number
  /** It ends the process, which cannot go on after it. */
  readonly kills: boolean
}

interface Life {
  readonly name: string
  readonly from: number
  to: number
  /** It ended as it was told to, and had settled all that it ran. */
  drained: boolean
}

export class Windows {
  readonly #byName = new Map<string, Span[]>()
  readonly #stalls = new Map<string, Span[]>()
  readonly #lives = new Map<string, Life>()
  readonly #open = new Map<number, Span>()

  add(record: HistoryRecord): void {
    if (record.kind === 'spawn')
      this.#lives.set(record.life, { name: record.name, from: record.at, to: Infinity, drained: false })
    else if (record.kind === 'exit') {
      const life = this.#lives.get(record.life)
      if (life === undefined) return
      life.to = record.at
      life.drained = record.code === 0
    } else if (record.kind === 'stall') {
      push(this.#stalls, record.life, { from: record.at - record.ms, to: record.at, kills: false })
    } else if (record.kind === 'open') {
      const span = { from: record.at, to: Infinity, kills: record.fault.startsWith('sigkill-') }
      this.#open.set(record.window, span)
      for (const name of record.hurt) push(this.#byName, name, span)
    } else if (record.kind === 'close') {
      const span = this.#open.get(record.window)
      if (span !== undefined) span.to = record.at
      this.#open.delete(record.window)
    }
  }

  /** Whether something may have interrupted what this life did between `from` and `to`. */
  hurt(life: string, from: number, to: number): boolean {
    const lived = this.#lives.get(life)
    if (lived === undefined) return false
    if (lived.to <= to && !lived.drained) return true
    return this.#overlaps(life, lived, from, to) !== undefined
  }

  /**
   * Whether it may have gone on with what others had taken over by then. Not by its death: whoever takes over from the dead
   * charges an attempt, so that no attempt is begun twice.
   */
  wasOutrun(life: string, from: number, to: number): boolean {
    const lived = this.#lives.get(life)
    return lived !== undefined && this.#overlaps(life, lived, from, to, ({ kills }) => !kills) !== undefined
  }

  #overlaps(life: string, lived: Life, from: number, to: number, counts = (_span: Span) => true): Span | undefined {
    const stalls = this.#stalls.get(life) ?? []
    // Not by what was over when it began.
    const since = Math.max(from, lived.from + GRACE_MS)
    return (
      stalls.findLast((span) => counts(span) && isWithin(span, from, to)) ??
      this.#byName.get(lived.name)?.findLast((span) => counts(span) && isWithin(span, since, to))
    )
  }

  /** Whether anybody who claims may have been. */
  anyDispatcherHurt(from: number, to: number): boolean {
    for (const [life, { name, to: end, drained }] of this.#lives) {
      if (name.startsWith('emitter')) continue
      if (!drained && end <= to && end + GRACE_MS >= from) return true
      if (end > from && this.hurt(life, from, to)) return true
    }
    return false
  }

  nameOf(life: string): string {
    return this.#lives.get(life)?.name ?? life
  }
}

function push(to: Map<string, Span[]>, key: string, span: Span): void {
  const spans = to.get(key)
  if (spans === undefined) to.set(key, [span])
  else spans.push(span)
}

function isWithin(span: Span, from: number, to: number): boolean {
  return span.from <= to && span.to + GRACE_MS >= from
}
