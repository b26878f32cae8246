/** Histories in which the database became an older one: what it has then is what counts, and no more is excused than that. */
import { expect, test } from 'vitest'
import type { Story } from './testing/history.ts'
import { judge } from './testing/judge.ts'
import type { ViolationKind } from './violation.ts'

const EVERYBODY = ['emitter-1', 'dispatcher-1', 'dispatcher-2']

/** All that is told by `before` was acknowledged before; `lost` comes after that. Then the server has the rows of `has`. */
function rewound(story: Story, has: readonly string[], before: () => unknown, lost: () => unknown): void {
  before()
  story.pass(5_000)
  const since = (story.records.at(-1)?.at ?? 0) + 4_000
  lost()
  const window = story.open(EVERYBODY, 'standby-promoted')
  story.note({ kind: 'rewinding' })
  story.note({ kind: 'rewound', since, has })
  story.close(window)
}

const FINE: readonly [what: string, tell: (story: Story) => unknown][] = [
  [
    'what was acknowledged last is lost with the server, run or not',
    (story) =>
      rewound(
        story,
        ['a'],
        () => story.emitted('a').done('a'),
        () => story.emitted('b').emitted('c').ran('c', 'plain').outcome('c', 'plain', 1, 'done'),
      ),
  ],
  [
    'what had run runs again, since its outcome is lost',
    (story) => {
      rewound(
        story,
        ['a'],
        () => undefined,
        () => story.emitted('a').done('a').outcome('a', 'plain', 1, 'done').outcome('a', 'ordered', 1, 'done'),
      )
      story.ran('a', 'plain').outcome('a', 'plain', 1, 'done').ran('a', 'ordered')
    },
  ],
  [
    'an id that was given to a lost delivery is given to another one',
    (story) => {
      rewound(
        story,
        [],
        () => undefined,
        () => story.emitted('a').ran('a', 'plain', { delivery: '7' }),
      )
      story.emitted('b').ran('b', 'plain', { delivery: '7' }).ran('b', 'ordered').ran('b', 'transactional')
      story.final.ledger = [{ op: 'b', trigger: 'transactional', attempt: 1 }]
    },
  ],
  [
    'an id that a request had is given to another delivery',
    (story) => {
      rewound(
        story,
        [],
        () => undefined,
        () => {
          story.invoke('a', { how: 'ask' })
          story.begin('a', 'answer', { delivery: '7', request: 'r' })
        },
      )
      story.emitted('b').ran('b', 'plain', { delivery: '7' }).ran('b', 'ordered').ran('b', 'transactional')
      story.final.ledger = [{ op: 'b', trigger: 'transactional', attempt: 1 }]
    },
  ],
  [
    'a dead letter is lost with what its handler did, comes again, and is handled under another id',
    (story) => {
      rewound(
        story,
        ['a'],
        () => {
          story.emitted('a').ran('a', 'ordered').ran('a', 'transactional')
          for (const trigger of ['ordered', 'transactional']) story.outcome('a', trigger, 1, 'done')
          story.final.ledger = [{ op: 'a', trigger: 'transactional', attempt: 1 }]
          for (let attempt = 1; attempt <= 2; attempt++) story.ran('a', 'plain', { attempt, how: 'failed' })
        },
        () => {
          story.ran('a', 'plain', { attempt: 3, how: 'failed' }).outcome('a', 'plain', 3, 'dead')
          story.ran('a', 'bury', { letter: '1', delivery: '8' })
          story.say('dispatcher-1#1', {
            kind: 'outcome',
            delivery: '8',
            trigger: 'bury',
            attempt: 1,
            outcome: 'handled',
          })
        },
      )
      story.ran('a', 'plain', { attempt: 3, how: 'failed' })
      story.dead('a', 'plain').ran('a', 'bury', { letter: '1', delivery: '9' })
    },
  ],
  [
    'whoever has a dedupe key asks again, and it is committed after all',
    (story) => {
      rewound(
        story,
        [],
        () => undefined,
        () => story.emitted('a', { how: 'set-once' }).ran('a', 'plain'),
      )
      story.done('a')
      story.final.committed = new Set(['a'])
    },
  ],
  [
    'a request is lost with its answer',
    (story) => {
      story.invoke('a', { how: 'ask' })
      rewound(
        story,
        [],
        () => undefined,
        () => story.ran('a', 'answer', { request: 'r' }),
      )
      story.say('emitter-1#1', { kind: 'reply', op: 'a', requestId: 'r', failure: 'timeout' })
    },
  ],
]

test.for(FINE)('it is fine when %s', ([, tell]) => {
  expect(judge(tell).violations).toEqual([])
})

test('a trigger that was made just before it may be lost with the server', () => {
  const { violations } = judge((story) => {
    rewound(
      story,
      [],
      () => undefined,
      () => story.note({ kind: 'trigger', app: 'red', state: 'there' }).pass(5_000),
    )
    story.invoke('a', { how: 'set-late' }).ok('a', 0)
  })
  expect(violations).toEqual([])
})

const BROKEN: readonly [what: string, kind: ViolationKind, tell: (story: Story) => unknown][] = [
  [
    'the server has an event, and nobody runs it',
    'lost',
    (story) =>
      rewound(
        story,
        ['a'],
        () => undefined,
        () => story.emitted('a'),
      ),
  ],
  [
    'an event that was acknowledged long before does not run',
    'lost',
    (story) =>
      rewound(
        story,
        [],
        () => story.emitted('a'),
        () => undefined,
      ),
  ],
  [
    'what the server does not have is run on it',
    'aborted',
    (story) => {
      rewound(
        story,
        [],
        () => undefined,
        () => story.emitted('a'),
      )
      story.pass(5_000).ran('a', 'plain')
    },
  ],
  [
    'what had come to its outcome long before runs again',
    'overwritten',
    (story) => {
      rewound(
        story,
        ['a'],
        () => {
          story.emitted('a').done('a')
          for (const trigger of ['plain', 'ordered', 'transactional']) story.outcome('a', trigger, 1, 'done')
        },
        () => undefined,
      )
      story.pass(5_000).ran('a', 'plain', { attempt: 2 })
    },
  ],
  [
    'an emit that comes after it goes by the triggers of the server before',
    'lost',
    (story) => {
      rewound(
        story,
        [],
        () => story.note({ kind: 'trigger', app: 'red', state: 'gone' }),
        () => undefined,
      )
      story
        .note({ kind: 'trigger', app: 'red', state: 'changing' })
        .note({ kind: 'trigger', app: 'red', state: 'there' })
      story.invoke('a', { how: 'set-late' }).ok('a', 0)
    },
  ],
  [
    'a trigger that was made long before is not gone by after it',
    'lost',
    (story) => {
      rewound(
        story,
        [],
        () => story.note({ kind: 'trigger', app: 'red', state: 'there' }),
        () => undefined,
      )
      story.invoke('a', { how: 'set-late' }).ok('a', 0)
    },
  ],
  [
    'the effect of a transaction is there twice after it',
    'ledger',
    (story) => {
      rewound(
        story,
        ['a'],
        () => undefined,
        () => story.emitted('a').done('a'),
      )
      story.ran('a', 'transactional')
      story.final.ledger = [...story.final.ledger, { op: 'a', trigger: 'transactional', attempt: 1 }]
    },
  ],
]

test.for(BROKEN)('it is noticed when %s', ([, kind, tell]) => {
  expect(judge(tell).kinds).toContain(kind)
})
