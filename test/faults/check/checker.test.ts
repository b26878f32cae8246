import { expect, test } from 'vitest'
import type { Story } from './testing/history.ts'
import { judge } from './testing/judge.ts'

test('a history in which everything is as it should be has no violation, and its figures', () => {
  const { violations, figures } = judge((story) => {
    story.emitted('a').done('a')
    // Rolled back, and unknown to its emitter: one is there and one is not.
    story.invoke('b').say('emitter-1#1', { kind: 'fail', op: 'b' })
    story.invoke('c').say('emitter-1#1', { kind: 'info', op: 'c', error: 'lost' }).done('c')
    story.invoke('d')
    story.final.committed = new Set(['a', 'c'])
    // Fails, and runs again.
    story.emitted('e').ran('e', 'plain', { how: 'failed' }).ran('e', 'plain', { attempt: 2 }).ran('e', 'ordered')
    story.ran('e', 'transactional')
    story.final.ledger = [...story.final.ledger, { op: 'e', trigger: 'transactional', attempt: 1 }]
    // Interrupted by a death, and run again by somebody else.
    story.emitted('f').ran('f', 'ordered').ran('f', 'transactional')
    story.final.ledger = [...story.final.ledger, { op: 'f', trigger: 'transactional', attempt: 1 }]
    story.begin('f', 'plain')
    story.killed('dispatcher-1').ran('f', 'plain', { attempt: 2, life: 'dispatcher-2#1' })
  })
  expect(violations).toEqual([])
  expect(figures).toMatchObject({
    events: 4,
    pairs: 12,
    rolledBack: 2,
    failures: 1,
    duplicates: 1,
    fencedOverwrites: 0,
  })
  expect(figures.faults).toEqual({ 'sigkill-dispatcher': 1 })
  expect(figures.recovery.get('sigkill-dispatcher')).toEqual([expect.any(Number)])
})

test('what is lost is told apart: before all that ran, after it, between', () => {
  const { kinds, violations } = judge((story) => {
    for (const op of ['a', 'b', 'c', 'd', 'e']) story.emitted(op)
    for (const op of ['b', 'd']) story.done(op)
    story.final.ledger = [
      ...story.final.ledger,
      ...['a', 'c', 'e'].map((op) => ({ op, trigger: 'transactional', attempt: 1 })),
    ]
  })
  expect(kinds).toEqual(Array.from({ length: 9 }, () => 'lost'))
  const places = violations.map(({ about }) => about.split(' ')[0])
  expect([places[0], places[3], places[6]]).toEqual(['prefix', 'middle', 'suffix'])
})

const EXPLAINED: readonly [what: string, tell: (story: Story) => unknown][] = [
  [
    'a process stood still while others took over, and goes on',
    (story) => {
      story.emitted('a').ran('a', 'ordered').ran('a', 'transactional')
      story.final.ledger = [{ op: 'a', trigger: 'transactional', attempt: 1 }]
      const window = story.open(['dispatcher-1'])
      const frozen = story.begin('a', 'plain')
      story.ran('a', 'plain', { attempt: 2, life: 'dispatcher-2#1' }).outcome('a', 'plain', 2, 'done', 'dispatcher-2#1')
      story.close(window).end(frozen)
    },
  ],
  [
    'a process got no CPU, and says so afterwards',
    (story) => {
      story.emitted('a').ran('a', 'ordered').ran('a', 'transactional')
      story.final.ledger = [{ op: 'a', trigger: 'transactional', attempt: 1 }]
      const slow = story.begin('a', 'plain')
      story.pass(2_600).ran('a', 'plain', { attempt: 2, life: 'dispatcher-2#1' })
      story.say('dispatcher-1#1', { kind: 'stall', ms: 2_600 }).end(slow)
    },
  ],
  [
    'attempts are used up',
    (story) => {
      story.emitted('a').ran('a', 'ordered').ran('a', 'transactional')
      story.final.ledger = [{ op: 'a', trigger: 'transactional', attempt: 1 }]
      for (let attempt = 1; attempt <= 3; attempt++) story.ran('a', 'plain', { attempt, how: 'failed' })
      story.dead('a', 'plain').ran('a', 'bury', { letter: '1' })
    },
  ],
  [
    'a trigger comes while the event is emitted',
    (story) => {
      story.note({ kind: 'trigger', app: 'red', state: 'changing' }).invoke('a', { how: 'set-late' })
      story.note({ kind: 'trigger', app: 'red', state: 'there' }).ok('a', 0)
    },
  ],
  [
    'a caller leaves, and the reply is an abandoned execution',
    (story) => {
      story
        .invoke('a', { how: 'ask' })
        .say('emitter-1#1', { kind: 'reply', op: 'a', requestId: 'r', failure: 'timeout' })
      story.final.abandoned = ['r']
    },
  ],
  [
    'a loop ends where it is too deep',
    (story) => {
      story.emitted('a', { how: 'loop', hop: 4 }, 1)
    },
  ],
  [
    'a process that is killed leaves its key to others',
    (story) => {
      story
        .emitted('a', { line: { key: 'k', seq: 1 } })
        .ran('a', 'plain')
        .ran('a', 'transactional')
      story.final.ledger = [{ op: 'a', trigger: 'transactional', attempt: 1 }]
      story.begin('a', 'ordered')
      story.killed('dispatcher-1').ran('a', 'ordered', { attempt: 2, life: 'dispatcher-2#1' })
    },
  ],
]

test.for(EXPLAINED)('it is no violation when %s', ([, tell]) => {
  expect(judge(tell).violations).toEqual([])
})

test('the greatest delay is how long after the change of a trigger an emit still went by what was before', () => {
  const { figures } = judge((story) => {
    const late = (op: string, deliveries: number, life: string) => {
      story.say(life, { kind: 'invoke', op, app: 'red', how: 'set-late' })
      story.say(life, { kind: 'ok', op, eventId: op, deliveries, duplicate: false })
    }
    story.note({ kind: 'trigger', app: 'red', state: 'changing' })
    late('unjudged', 0, 'emitter-1#1')
    story.note({ kind: 'trigger', app: 'red', state: 'there' })
    late('soon', 1, 'emitter-1#1')
    story.pass(1_500)
    late('too late', 0, 'dispatcher-1#1')
    story.pass(500)
    late('at last', 1, 'dispatcher-1#1')
  })
  expect(figures.triggers).toEqual({
    judged: 3,
    judgedAfterASecond: 2,
    soonestMs: 10,
    greatestDelayMs: 1_530,
    overASecond: 1,
    byProcess: { 'dispatcher-1': 2, 'emitter-1': 1 },
    byProcessAfterLoss: undefined,
  })
})
