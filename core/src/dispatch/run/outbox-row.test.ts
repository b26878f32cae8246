import { expect, test } from 'vitest'
import { OutboxRow } from './outbox-row.ts'

const LEASE = '11111111-1111-4111-8111-111111111111'
const ROOT = '22222222-2222-4222-8222-222222222222'

test('a row of which nothing else is said is the first attempt at what a service emitted', () => {
  const row = new OutboxRow(['7', 'e', '{"a":1}', '{"name":"t"}', null])
  const {
    id,
    eventId,
    event,
    trigger,
    attempt,
    depth,
    eventVersion,
    priority,
    leaseToken,
    rootId,
    traceContext,
    chain,
    caller,
  } = row
  expect([id, eventId, event, trigger]).toEqual(['7', 'e', '{"a":1}', '{"name":"t"}'])
  expect([attempt, depth, eventVersion, priority]).toEqual([1, 1, 1, 1])
  expect([leaseToken, rootId, traceContext, chain, caller]).toEqual([null, 'e', null, null, null])
})

test('what is said is read, and what is left empty is not there', () => {
  const full = new OutboxRow(['7', 'e', '', '', `3\n2\n4\n0\n${LEASE}\n${ROOT}\n00-ab,cd\n["x","y"]\n=ada`])
  expect([full.attempt, full.depth, full.eventVersion, full.priority]).toEqual([3, 2, 4, 0])
  expect([full.leaseToken, full.rootId, full.traceContext, full.chain]).toEqual([LEASE, ROOT, '00-ab,cd', '["x","y"]'])
  expect(full.caller).toBe('ada')
  const bare = new OutboxRow(['7', 'e', '', '', '2\n1\n1\n2\n\n\n\n'])
  expect([bare.attempt, bare.priority]).toEqual([2, 2])
  expect([bare.leaseToken, bare.rootId, bare.traceContext, bare.chain]).toEqual([null, 'e', null, null])
  expect(bare.caller).toBeNull()
  expect(new OutboxRow(['7', 'e', '', '', '2\n1\n1\n2\n\n\n\n\n=']).caller).toBe('')
  expect(new OutboxRow(['7', 'e', '', '', `2\n1\n1\n2\n\n\n\n\n=${'x'.repeat(129)}`]).caller).toBe('')
})
