/** What one loop of an emitter does. It says `invoke` before anything is sent, and what came of it as far as it knows. */
import { isOutbusError } from '@outbus/core'
import type { EmitResult } from '@outbus/core'
import type pg from 'pg'
import type { Reporter } from '../history/reporter.ts'
import { pick } from '../random.ts'
import { APPS } from '../settings.ts'
import type { App } from '../settings.ts'
import type { LoadBus } from './handlers.ts'
import { emitLoop, wasRefused } from './loop.ts'
import { LATE, WORK } from './triggers.ts'

export interface OperationsAround {
  readonly bus: LoadBus
  /** The connections of transactions of the caller's own. */
  readonly pool: pg.Pool
  readonly reporter: Reporter
  readonly random: () => number
  /** Unique: the ids of its operations begin with it. */
  readonly name: string
}

interface Line {
  readonly key: string
  seq: number
}

/** Ordering keys that one loop writes at a time. */
const LINES = 3
/** Answers that one asks for with the same dedupe key, at most. */
const MOST_ASKED = 20
const ASK_AGAIN_MS = 150
/** How long callers wait who wait long enough, and how long those who do not. */
const PATIENT_MS = 8_000
const IMPATIENT_MS = 3
const IMPATIENT_SHARE = 0.2
/** Requests at once, now and then: more than all processes together have permits. */
const BURST = 40

export class Operations {
  readonly #around: OperationsAround
  readonly #lines = new Map<string, Line>()
  readonly #asked = new Set<Promise<void>>()
  #count = 0

  constructor(around: OperationsAround) {
    this.#around = around
  }

  /** False: it could not be done. Never rejects. */
  async next(): Promise<boolean> {
    const { random } = this.#around
    const app = pick(APPS, random)
    const op = `${this.#around.name}-${++this.#count}`
    const choice = random()
    if (choice < 0.34) return this.#set(app, op)
    if (choice < 0.58) return this.#setInTransaction(app, op, false)
    if (choice < 0.64) return this.#setInTransaction(app, op, true)
    if (choice < 0.72) return this.#once(app, op, 'set-once')
    if (choice < 0.78) return this.#once(app, op, 'publish-once')
    if (choice < 0.8) return this.#loop(app, op)
    if (choice < 0.9) return this.#setUnique(app, op)
    if (choice < 0.905) for (let i = 1; i < BURST; i++) this.#ask(app, `${op}.${i}`)
    this.#ask(app, op)
    return true
  }

  /** Resolves when every request has its answer. */
  async settled(): Promise<void> {
    await Promise.all(this.#asked)
  }

  async #set(app: App, op: string): Promise<boolean> {
    const { bus, reporter } = this.#around
    const line = this.#line(app)
    await reporter.say({ kind: 'invoke', op, app, how: 'set', line: { key: line.key, seq: ++line.seq } })
    return this.#answered(app, op, line, () => bus.context({ app }).kv.set(WORK, line.key, { op }))
  }

  /** Emits what the trigger that comes and goes is for. */
  async #setUnique(app: App, op: string): Promise<boolean> {
    const { bus, reporter } = this.#around
    await reporter.say({ kind: 'invoke', op, app, how: 'set-late' })
    return this.#answered(app, op, undefined, () => bus.context({ app }).kv.set(LATE, op, { op }))
  }

  async #answered(app: App, op: string, line: Line | undefined, write: () => Promise<EmitResult>): Promise<boolean> {
    const { reporter } = this.#around
    try {
      const { eventId, deliveries, duplicate } = await write()
      await reporter.say({ kind: 'ok', op, eventId, deliveries, duplicate })
      return true
    } catch (error) {
      if (wasRefused(error)) await reporter.say({ kind: 'fail', op })
      else await this.#unknown(app, op, line, error)
      return false
    }
  }

  /** It may commit later than what is written next: so nothing more is written to its key. */
  async #unknown(app: App, op: string, line: Line | undefined, error: unknown): Promise<void> {
    if (line !== undefined) for (const [slot, of] of this.#lines) if (of === line) this.#lines.delete(slot)
    await this.#around.reporter.say({ kind: 'info', op, error: `${app}: ${String(error)}` })
  }

  async #setInTransaction(app: App, op: string, rollBack: boolean): Promise<boolean> {
    const { bus, pool, reporter } = this.#around
    const line = this.#line(app)
    await reporter.say({ kind: 'invoke', op, app, how: 'set-in-tx', line: { key: line.key, seq: ++line.seq } })
    let client: pg.PoolClient | undefined
    let committing = false
    let broken = true
    try {
      client = await pool.connect()
      await client.query('begin')
      await client.query('insert into faults_marks (op) values ($1)', [op])
      const { eventId, deliveries, duplicate } = await bus.context({ app }).with(client).kv.set(WORK, line.key, { op })
      if (rollBack) {
        await client.query('rollback')
        broken = false
        await reporter.say({ kind: 'fail', op })
        return true
      }
      committing = true
      const { command } = await client.query('commit')
      broken = false
      if (command === 'COMMIT') await reporter.say({ kind: 'ok', op, eventId, deliveries, duplicate })
      else await reporter.say({ kind: 'fail', op })
      return true
    } catch (error) {
      // Nothing of it is there before a COMMIT, whatever went wrong.
      if (!committing || wasRefused(error)) await reporter.say({ kind: 'fail', op })
      else await this.#unknown(app, op, line, error)
      return false
    } finally {
      client?.release(broken)
    }
  }

  async #once(app: App, op: string, how: 'set-once' | 'publish-once'): Promise<boolean> {
    const { bus, reporter, random } = this.#around
    const cx = bus.context({ app })
    const write = () =>
      how === 'set-once'
        ? cx.kv.set(WORK, op, { op }, { dedupeKey: op })
        : cx.pubsub.publish(`news.${app}`, { op }, { dedupeKey: op })
    await reporter.say({ kind: 'invoke', op, app, how })
    for (let asked = 1; asked <= MOST_ASKED; asked++) {
      try {
        const { eventId, deliveries, duplicate } = await write()
        await reporter.say({ kind: 'ok', op, eventId, deliveries, duplicate })
        // Some ask again although they have been answered.
        if (random() < 0.2) await write().catch(() => undefined)
        return true
      } catch (error) {
        await reporter.say({ kind: 'info', op, error: String(error) })
        await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS))
      }
    }
    return false
  }

  async #loop(app: App, op: string): Promise<boolean> {
    const { bus, reporter } = this.#around
    try {
      await emitLoop(bus.context({ app }), reporter, op, 0)
      return true
    } catch {
      // It has said so.
      return false
    }
  }

  /** Nobody waits for it: the loop goes on. */
  #ask(app: App, op: string): void {
    const asked = this.#askAndSay(app, op).finally(() => this.#asked.delete(asked))
    this.#asked.add(asked)
  }

  async #askAndSay(app: App, op: string): Promise<void> {
    const { bus, reporter, random } = this.#around
    const timeoutMs = random() < IMPATIENT_SHARE ? IMPATIENT_MS : PATIENT_MS
    await reporter.say({ kind: 'invoke', op, app, how: 'ask' })
    try {
      const question = { topic: 'answers', op }
      const answer = await bus
        .context({ app })
        .request('asks', { op: 'ask', topic: 'answers', question }, { timeoutMs })
      const { requestId } = answer
      const came = answer.ok
        ? { answered: (answer.value as { readonly op?: string } | null)?.op ?? 'nothing' }
        : { failure: answer.failure }
      await reporter.say({ kind: 'reply', op, requestId, ...came })
    } catch (error) {
      if (isOutbusError(error) && wasRefused(error)) await reporter.say({ kind: 'fail', op })
      else await reporter.say({ kind: 'info', op, error: String(error) })
    }
  }

  #line(app: App): Line {
    const slot = `${app}/${Math.floor(this.#around.random() * LINES)}`
    let line = this.#lines.get(slot)
    if (line === undefined)
      this.#lines.set(slot, (line = { key: `${app}-${this.#around.name}-${++this.#count}`, seq: 0 }))
    return line
  }
}
