/** Small histories, written by hand. */
import type { Begin, HistoryRecord, Invoke, Noted, Said } from '../../history/records.ts'
import { MAX_TRIGGER_DEPTH } from '../../settings.ts'
import type { FinalState } from '../final-state.ts'

/** How much time passes between two records. */
const STEP_MS = 10

const EMITTER = 'emitter-1#1'

/** Records one after the other, each a little later than the one before; `pass` lets time go by. */
export class Story {
  readonly records: HistoryRecord[] = []
  final: { -readonly [K in keyof FinalState]: FinalState[K] } = {
    committed: new Set(),
    ledger: [],
    deadLetters: [],
    abandoned: [],
    left: [],
  }
  #at = 1_000
  #runs = 0
  #windows = 0

  constructor() {
    for (const name of ['emitter-1', 'dispatcher-1', 'dispatcher-2'])
      this.note({ kind: 'spawn', life: `${name}#1`, name, pid: 1 })
    this.pass(5_000)
  }

  pass(ms: number): this {
    this.#at += ms
    return this
  }

  say(life: string, said: Said): this {
    return this.#add({ ...said, life })
  }

  note(noted: Noted): this {
    return this.#add({ life: '', ...noted })
  }

  invoke(op: string, more: Partial<Invoke> = {}): this {
    return this.say(EMITTER, { kind: 'invoke', op, app: 'red', how: 'set', ...more })
  }

  ok(op: string, deliveries = 3): this {
    return this.say(EMITTER, { kind: 'ok', op, eventId: `event of ${op}`, deliveries, duplicate: false })
  }

  /** An operation that is committed. */
  emitted(op: string, more: Partial<Invoke> = {}, deliveries = 3): this {
    return this.invoke(op, more).ok(op, deliveries)
  }

  /** Answers with the run. */
  begin(op: string, trigger: string, more: Partial<Begin> & { readonly life?: string } = {}): number {
    const { life = 'dispatcher-1#1', ...rest } = more
    const run = ++this.#runs
    const principal = 'red-owner'
    const delivery = `${op} to ${trigger}`
    this.say(life, { kind: 'begin', run, op, trigger, delivery, attempt: 1, app: 'red', principal, depth: 1, ...rest })
    return run
  }

  end(run: number, how: 'ok' | 'failed' = 'ok', life = 'dispatcher-1#1'): this {
    return this.say(life, { kind: 'end', run, how })
  }

  ran(
    op: string,
    trigger: string,
    more: Partial<Begin> & { readonly life?: string; readonly how?: 'ok' | 'failed' } = {},
  ): this {
    const { how, ...begun } = more
    return this.end(this.begin(op, trigger, begun), how, more.life)
  }

  /** All that a `set` is for, with its effect. */
  done(op: string): this {
    this.final.ledger = [...this.final.ledger, { op, trigger: 'transactional', attempt: 1 }]
    return this.ran(op, 'plain').ran(op, 'ordered').ran(op, 'transactional')
  }

  outcome(op: string, trigger: string, attempt: number, outcome: string, life = 'dispatcher-1#1'): this {
    return this.say(life, { kind: 'outcome', delivery: `${op} to ${trigger}`, trigger, attempt, outcome })
  }

  open(hurt: readonly string[], fault = 'sigstop'): number {
    const window = ++this.#windows
    this.note({ kind: 'open', window, fault, hurt })
    return window
  }

  close(window: number): this {
    return this.note({ kind: 'close', window })
  }

  /** SIGKILL, as a fault does it. */
  killed(name: string): this {
    const window = this.open([name], 'sigkill-dispatcher')
    return this.note({ kind: 'exit', life: `${name}#1`, name, code: null, signal: 'SIGKILL' }).close(window)
  }

  dead(op: string, trigger: string, more: Partial<FinalState['deadLetters'][number]> = {}): this {
    const letter = {
      id: '1',
      deliveryId: `${op} to ${trigger}`,
      op,
      trigger,
      app: 'red',
      attempts: 3,
      reason: 'attempts_used_up',
      depth: MAX_TRIGGER_DEPTH - 1,
      resolution: 'handled',
      ...more,
    }
    this.final.deadLetters = [...this.final.deadLetters, letter]
    return this
  }

  #add(record: Omit<HistoryRecord, 'at'>): this {
    this.#at += STEP_MS
    this.records.push({ ...record, at: this.#at } as HistoryRecord)
    return this
  }
}
