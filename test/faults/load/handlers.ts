/** The handlers of the load. Each says that it begins, and waits until that is in the history; so it does when it ends. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { reply } from '@outbus/core'
import type { Bus, DeadLetterEvent, HandlerArgs, SourcesOf, Verdict } from '@outbus/core'
import type { KvEvent } from '@outbus/kv'
import type { PubsubEvent } from '@outbus/pubsub'
import type { Begin } from '../history/records.ts'
import type { Reporter } from '../history/reporter.ts'
import type { Failpoint } from '../failpoints/names.ts'
import { fateOf } from './fate.ts'
import { emitLate, emitLoop } from './loop.ts'
import type { loadPlugins, Question } from './sources.ts'
import { OWN } from './triggers.ts'

export type LoadBus = Bus<SourcesOf<ReturnType<typeof loadPlugins>[number]>>
type Cx = ReturnType<LoadBus['context']>
type Args<Event> = HandlerArgs<Event, Cx>

export interface HandlersAround {
  readonly reporter: Reporter
  /** Where the process may be made to end. */
  pass(failpoint: Extract<Failpoint, 'in-handler' | 'after-effect'>): void
}

/** What every event of the load carries. */
export interface Carried {
  readonly op: string
  /** How many triggers are between the first emit of a loop and this one. */
  readonly hop?: number
}

/** How many executions look at the entry that every app has. */
const LOOKS_EVERY = 20

export function registerHandlers(bus: LoadBus, around: HandlersAround): void {
  let runs = 0
  const { reporter, pass } = around

  async function run(
    args: Args<unknown>,
    op: string,
    work: (ms: number) => Promise<unknown>,
    more: Pick<Begin, 'request' | 'letter'> = {},
  ): Promise<void> {
    const { attempt, deliveryId, app, cx, trigger } = args
    const run = ++runs
    const principal = cx.principal?.id
    const saw = run % LOOKS_EVERY === 0 ? await look(cx) : undefined
    await reporter.say({
      kind: 'begin',
      run,
      op,
      trigger: trigger.name,
      delivery: deliveryId,
      attempt,
      app,
      depth: cx.depth,
      ...(principal === undefined ? {} : { principal }),
      ...(saw === undefined ? {} : { saw }),
      ...more,
    })
    pass('in-handler')
    try {
      const { ms, failures } = fateOf(op, trigger.name)
      await work(ms)
      pass('after-effect')
      if (attempt <= failures) throw new Error('fails on purpose')
    } catch (error) {
      await reporter.say({ kind: 'end', run, how: 'failed' })
      throw error
    }
    await reporter.say({ kind: 'end', run, how: 'ok' })
  }

  const carried = (event: KvEvent): Carried => (event as { value?: unknown }).value as Carried

  for (const name of ['plain', 'ordered', 'late']) {
    bus.handle<KvEvent>(name, (args) => run(args, carried(args.event).op, (ms) => sleep(ms)))
  }
  bus.handle<KvEvent>('transactional', (args) =>
    run(args, carried(args.event).op, async (ms) => {
      const { tx, deliveryId, attempt, trigger, event } = args
      await tx.query('insert into faults_ledger (op, trigger, delivery, attempt) values ($1, $2, $3, $4)', [
        carried(event).op,
        trigger.name,
        deliveryId,
        attempt,
      ])
      await sleep(ms)
    }),
  )
  bus.handle<KvEvent>('loop', (args) => {
    const { op, hop = 0 } = carried(args.event)
    return run(args, op, () => emitLoop(args.cx, reporter, causedBy(op, args), hop + 1))
  })
  // Dispatchers go by triggers too, those that come and go as well.
  bus.handle<PubsubEvent>('topic', (args) => {
    const { op } = args.event.message as unknown as Carried
    return run(args, op, () => emitLate(args.cx, reporter, causedBy(op, args)))
  })
  bus.handle<Question>('answer', async (args): Promise<Verdict> => {
    await run(args, args.event.op, (ms) => sleep(ms), { request: args.eventId })
    return reply({ op: args.event.op })
  })
  bus.handle<DeadLetterEvent>('bury', (args) => {
    const { id, event } = args.event
    return run(args, carried(event as unknown as KvEvent).op, (ms) => sleep(ms), { letter: id })
  })
}

/** The id of what a handler emits. An id that comes again after commits were lost is another one's, and so may be an attempt. */
function causedBy(op: string, { deliveryId, attempt }: Args<unknown>): string {
  return `${op}>${deliveryId}.${attempt}.${randomUUID().slice(0, 8)}`
}

async function look(cx: Cx): Promise<string | undefined> {
  try {
    return (await cx.kv.get(OWN, 'name'))?.value as string | undefined
  } catch {
    // Postgres is away: nothing was seen.
    return undefined
  }
}
