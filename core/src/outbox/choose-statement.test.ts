import { expect, test } from 'vitest'
import type { AnySource } from '../contract/source.ts'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import { IN_BATCHES, LIMITED } from '../sql/emit/single.ts'
import type { EmitStatement } from './choose-statement.ts'
import { chooserOf, chooseStatement } from './choose-statement.ts'
import type { PreparedEvent } from './prepare.ts'

const source = { name: 's', version: 1 } as AnySource
const event = (more: Partial<PreparedEvent> = {}) =>
  ({
    app: 'a',
    caller: null,
    source,
    eventId: 'e',
    priority: null,
    delayMs: 0,
    runAt: null,
    depth: 1,
    rootId: 'e',
    chain: null,
    orderingKey: null,
    traceContext: null,
    dedupeKey: null,
    dedupeWindowMs: null,
    replyTo: null,
    ...more,
  }) as PreparedEvent
const trigger = (more: object = {}) => ({ id: 't', ordered: false, single: IN_BATCHES, ...more }) as IndexedTrigger
const [t, u, line, limited] = [trigger(), trigger(), trigger({ ordered: true }), trigger({ single: LIMITED })]
const [plain, other, keyed, delayed] = [
  event(),
  event({ eventId: 'f', rootId: 'f' }),
  event({ dedupeKey: 'k', dedupeWindowMs: 1 }),
  event({ delayMs: 5 }),
]
const reserved = event({ dedupeKey: 'k' })
const request = event({ replyTo: 'i' })
const elsewhere = event({ app: 'b' })

test.for<
  [what: string, events: PreparedEvent[], matched: IndexedTrigger[][], emit: EmitStatement, withWrite: EmitStatement]
>([
  ['one event, one trigger', [plain], [[t]], 'one', 'uniform'],
  ['one event, two triggers', [plain], [[t, u]], 'uniform', 'uniform'],
  ['two events, one trigger', [plain, other], [[t], [t]], 'uniform', 'uniform'],
  ['one event, no trigger', [plain], [[]], 'epochs', 'uniform'],
  ['two events, no trigger', [plain, other], [[], []], 'epochs', 'uniform'],
  ['two events, another trigger each', [plain, other], [[t], [u]], 'rows', 'rows'],
  ['two events, only the second matches', [plain, other], [[], [t]], 'rows', 'rows'],
  ['two apps', [plain, elsewhere], [[t], [t]], 'rows', 'rows'],
  ['two apps, no trigger', [plain, elsewhere], [[], []], 'epochs', 'rows'],
  ['a delay', [delayed], [[t]], 'rows', 'rows'],
  ['a delay, no trigger', [delayed], [[]], 'epochs', 'rows'],
  ['a limited trigger', [plain], [[limited]], 'rows', 'rows'],
  ['a request', [request], [[t]], 'rows', 'rows'],
  ['a request, an ordered trigger: it has no place in line', [request], [[line]], 'rows', 'rows'],
  ['an ordered trigger', [plain], [[line]], 'rows-waiting', 'rows-waiting'],
  ['an ordered trigger beside a plain one', [plain, other], [[t], [t, line]], 'rows-waiting', 'rows-waiting'],
  ['a dedupe key', [keyed], [[t]], 'rows-waiting', 'rows-waiting'],
  ['a dedupe key, no trigger: the key is taken', [keyed], [[]], 'rows-waiting', 'rows-waiting'],
  ['a dedupe key that was taken before', [reserved], [[t]], 'rows-waiting', 'rows-waiting'],
])('%s', ([, events, matched, emit, withWrite]) => {
  expect(chooseStatement(events, matched, false)).toBe(emit)
  expect(chooseStatement(events, matched, true)).toBe(withWrite)
})

test.for<[off: object, one: EmitStatement, uniform: EmitStatement]>([
  [{}, 'one', 'uniform'],
  [{ oneRow: false }, 'uniform', 'uniform'],
  [{ uniform: false }, 'one', 'rows'],
  [{ oneRow: false, uniform: false }, 'rows', 'rows'],
])('with %o, another statement that can write the same rows is chosen', ([off, one, uniform]) => {
  const choose = chooserOf({ oneRow: true, uniform: true, ...off })
  expect(choose([plain], [[t]], false)).toBe(one)
  expect(choose([plain, other], [[t], [t]], false)).toBe(uniform)
  expect(choose([keyed], [[t]], false)).toBe('rows-waiting')
})
