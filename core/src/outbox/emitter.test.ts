import type { Logger } from 'pino'
import { expect, test } from 'vitest'
import type { AnySource } from '../contract/source.ts'
import type { Admission } from '../quotas/admission.ts'
import type { RootBudgets } from '../quotas/root-budgets.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import type { IndexCache } from '../triggers/index-cache.ts'
import { IN_BATCHES, LIMITED } from '../sql/emit/single.ts'
import { Emitter } from './emitter.ts'
import type { PreparedEvent } from './prepare.ts'
import { chooseStatement } from './choose-statement.ts'
import { bothLanes, NO_LANES } from './written.ts'

const event = (app: string): PreparedEvent => ({
  app,
  caller: null,
  source: { name: 's', version: 1 } as AnySource,
  event: { op: 'o' },
  eventId: `event of ${app}`,
  text: '{}',
  priority: null,
  delayMs: 1_000,
  runAt: null,
  depth: 1,
  rootId: 'r',
  chain: null,
  orderingKey: null,
  traceContext: null,
  dedupeKey: null,
  dedupeWindowMs: null,
  replyTo: null,
  replyTimeoutMs: null,
  requireMatch: false,
  delayedBy: null,
  given: {},
  place: undefined,
})
const trigger = (more: object) => ({
  id: 't',
  snapshot: '{}',
  priority: 0,
  ordered: false,
  single: IN_BATCHES,
  ...more,
})
/** What each app's events match. */
const TRIGGERS: Record<string, object> = {
  ordered: trigger({ ordered: true }),
  limited: trigger({ single: LIMITED }),
  plain: trigger({}),
}

test('each write says for which lanes it wrote, whoever else writes meanwhile', async () => {
  const answers: ((rows: object[]) => void)[] = []
  const sql = { run: () => new Promise<object[]>((resolve) => answers.push(resolve)) }
  const indexes = {
    latest: (app: string) => ({ epoch: '1', match: () => [TRIGGERS[app] as unknown as IndexedTrigger] }),
  }
  const emitter = new Emitter(sql as unknown as Sql, indexes as unknown as IndexCache, {
    log: { warn: () => undefined } as unknown as Logger,
    channel: 'c',
    localDispatcherIsIdle: () => false,
    choose: chooseStatement,
    roots: { charge: () => undefined } as unknown as RootBudgets,
    admission: { refusalOf: () => undefined, written: () => undefined } as unknown as Admission,
  })
  const written = ['ordered', 'limited', 'plain'].map((app) =>
    emitter.write([event(app)], {} as Queryable, { transactional: true }),
  )
  await Promise.resolve()
  // The last one is answered first, as if its caller committed while the others are still waiting for Postgres.
  for (const answer of answers.toReversed()) answer([{ stale: null, fresh: [], ids: null }])
  expect((await Promise.all(written)).map(({ lanes }) => lanes)).toEqual([
    { ordered: true, single: false },
    { ordered: false, single: true },
    NO_LANES,
  ])
})

test('two writes of one commit wake the lanes of both', () => {
  expect(bothLanes({ ordered: true, single: false }, { ordered: false, single: true })).toEqual({
    ordered: true,
    single: true,
  })
})

test('an app over a quota whose filter cannot be read is not refused from memory, and the call goes on', () => {
  const indexes = {
    latest: () => ({
      epoch: '1',
      match: () => {
        throw new Error('a filter that cannot be read')
      },
    }),
  }
  const emitter = new Emitter({} as Sql, indexes as unknown as IndexCache, {
    log: {} as Logger,
    channel: 'c',
    localDispatcherIsIdle: () => false,
    choose: chooseStatement,
    roots: {} as RootBudgets,
    admission: { isSure: () => true } as unknown as Admission,
  })
  expect(emitter.refusedAtOnce([event('shop')])).toBeUndefined()
})
