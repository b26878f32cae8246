/** The demo's triggers: what each wants, what its handler does, and how it misbehaves on purpose. */
import { retryAfter } from '@outbus/core'
import type { Bus, SourcesOf } from '@outbus/core'
import type { kv, KvEvent } from '@outbus/kv'
import type pg from 'pg'
import { applyEffect } from './ledger.ts'
import { repositoryOf, senderOf } from './payloads.ts'
import type { Payload } from './payloads.ts'

export type DemoBus = Bus<SourcesOf<ReturnType<typeof kv>>>

export interface DemoTrigger {
  readonly name: string
  readonly filter: { readonly collection: string }
  /** What the filter should match, said a second time and in another way: the books are checked against it. */
  wants(payload: Payload): boolean
}

export const TRIGGERS: readonly DemoTrigger[] = [
  { name: 'count-repository', filter: { collection: '*' }, wants: () => true },
  { name: 'count-sender', filter: { collection: '*' }, wants: () => true },
  { name: 'notify-issue', filter: { collection: 'issue*' }, wants: ({ event }) => event.startsWith('issue') },
  { name: 'deploy-push', filter: { collection: 'push' }, wants: ({ event }) => event === 'push' },
]

/** Fails each first attempt. */
const FLAKY = 'notify-issue'
/** Fails always, until it is repaired. */
export const BROKEN = 'deploy-push'

export interface HandlerState {
  readonly runId: string
  readonly pool: pg.Pool
  /** When the transaction of each delivery that is timed committed, by `performance.now()`; undefined until it has. */
  readonly committedAt: Map<string, number | undefined>
  /** From that commit to the first start of a handler, once for each pair of delivery and trigger. */
  readonly latenciesMs: number[]
}

export async function registerTriggers(bus: DemoBus, state: HandlerState): Promise<void> {
  const { triggers } = bus.context({ app: state.runId, principal: { id: 'demo' } })
  for (const { name, filter } of TRIGGERS) {
    handle(bus, state, name, name === BROKEN)
    await triggers.create({
      name,
      source: 'kv',
      filter,
      target: { type: 'function', name },
      retry: { strategy: 'exponential', maxAttempts: 3, baseDelayMs: 20, maxDelayMs: 1_000, jitter: 0.2 },
    })
  }
}

export function repair(bus: DemoBus, state: HandlerState): void {
  handle(bus, state, BROKEN, false)
}

function handle(bus: DemoBus, state: HandlerState, name: string, broken: boolean): void {
  bus.handle<KvEvent & { op: 'set' }>(
    name,
    async ({ event, attempt }) => {
      if (attempt === 1) time(state, event.key)
      if (broken) throw new Error('the deployment target is down')
      if (name === FLAKY && attempt === 1) throw retryAfter(25)
      await applyEffect(state.pool, {
        runId: state.runId,
        trigger: name,
        delivery: event.key,
        counted: countedBy(name, event),
      })
    },
    { triggerableBy: 'everyone' },
  )
}

function time({ committedAt, latenciesMs }: HandlerState, delivery: string): void {
  if (!committedAt.has(delivery)) return
  const startedAt = performance.now()
  // A handler may start before the caller's COMMIT has been answered.
  latenciesMs.push(Math.max(0, startedAt - (committedAt.get(delivery) ?? startedAt)))
}

function countedBy(
  name: string,
  { value, collection }: { value: unknown; collection: string },
): { kind: string; name: string } {
  if (name === 'count-repository') return { kind: 'repository', name: repositoryOf(value) ?? '(none)' }
  if (name === 'count-sender') return { kind: 'sender', name: senderOf(value) ?? '(none)' }
  return { kind: name, name: collection }
}
