/** Histories in which something ran as it must not. */
import { expect, test } from 'vitest'
import type { Story } from './testing/history.ts'
import { judge } from './testing/judge.ts'
import type { ViolationKind } from './violation.ts'

const BROKEN: readonly [what: string, kind: ViolationKind, tell: (story: Story) => unknown][] = [
  [
    'a process lacks a right, and all goes well without',
    'forbidden',
    (story) => {
      story
        .emitted('a')
        .done('a')
        .say('dispatcher-1#1', { kind: 'forbidden', text: 'permission denied for table outbox' })
    },
  ],
  [
    'there are more attempts than there may be',
    'attempts',
    (story) => {
      story.emitted('a').done('a')
      for (let attempt = 2; attempt <= 4; attempt++) story.ran('a', 'plain', { attempt, how: 'failed' })
    },
  ],
  [
    'an attempt is begun twice',
    'attempt-twice',
    (story) => {
      story.emitted('a').done('a').ran('a', 'plain')
    },
  ],
  [
    'a death does not explain that an attempt is begun twice',
    'attempt-twice',
    (story) => {
      story.emitted('a').ran('a', 'ordered').ran('a', 'transactional')
      story.final.ledger = [{ op: 'a', trigger: 'transactional', attempt: 1 }]
      story.begin('a', 'plain')
      story.killed('dispatcher-1').ran('a', 'plain', { life: 'dispatcher-2#1' })
    },
  ],
  [
    'what ended well runs again',
    'unexplained',
    (story) => {
      story.emitted('a').done('a').ran('a', 'plain', { attempt: 2 })
    },
  ],
  [
    'what ended well runs again, and only another process was hurt',
    'unexplained',
    (story) => {
      story.emitted('a').done('a')
      story.close(story.open(['dispatcher-2'])).ran('a', 'plain', { attempt: 2 })
    },
  ],
  [
    'what ended well runs again, and the fault was over long before',
    'unexplained',
    (story) => {
      story
        .close(story.open(['dispatcher-1']))
        .pass(3_000)
        .emitted('a')
        .done('a')
        .ran('a', 'plain', { attempt: 2 })
    },
  ],
  [
    'what ended well runs again after its process was drained',
    'unexplained',
    (story) => {
      story.emitted('a').done('a')
      story.note({ kind: 'exit', life: 'dispatcher-1#1', name: 'dispatcher-1', code: 0, signal: null })
      story.ran('a', 'plain', { attempt: 2, life: 'dispatcher-2#1' })
    },
  ],
  [
    'an attempt is charged that nobody began, and only an emitter died',
    'unexplained',
    (story) => {
      story.emitted('a').ran('a', 'ordered').ran('a', 'transactional').killed('emitter-1')
      story.ran('a', 'plain', { attempt: 2 })
      story.final.ledger = [{ op: 'a', trigger: 'transactional', attempt: 1 }]
    },
  ],
  [
    'an attempt is charged that nobody began, in peace',
    'unexplained',
    (story) => {
      story.emitted('a').ran('a', 'ordered').ran('a', 'transactional').ran('a', 'plain', { attempt: 2 })
      story.final.ledger = [{ op: 'a', trigger: 'transactional', attempt: 1 }]
    },
  ],
  [
    'a dead letter had attempts left',
    'unexplained',
    (story) => {
      story.emitted('a').done('a').dead('a', 'plain', { attempts: 2 })
    },
  ],
  [
    'something begins after its outcome',
    'late',
    (story) => {
      story.emitted('a').done('a').outcome('a', 'plain', 1, 'done').pass(4_000).ran('a', 'plain')
    },
  ],
  [
    'two outcomes',
    'overwritten',
    (story) => {
      story.emitted('a').done('a').outcome('a', 'plain', 1, 'done').outcome('a', 'plain', 1, 'dead')
    },
  ],
  [
    'an outcome of an attempt that had been taken over',
    'overwritten',
    (story) => {
      story.emitted('a').ran('a', 'ordered').ran('a', 'transactional')
      story.final.ledger = [{ op: 'a', trigger: 'transactional', attempt: 1 }]
      const window = story.open(['dispatcher-1'])
      const late = story.begin('a', 'plain')
      story
        .ran('a', 'plain', { attempt: 2, life: 'dispatcher-2#1' })
        .end(late)
        .outcome('a', 'plain', 1, 'done')
        .close(window)
    },
  ],
  [
    'another attempt, asked for by one that had been taken over',
    'overwritten',
    (story) => {
      story.emitted('a').ran('a', 'ordered').ran('a', 'transactional')
      story.final.ledger = [{ op: 'a', trigger: 'transactional', attempt: 1 }]
      const window = story.open(['dispatcher-1'])
      const late = story.begin('a', 'plain')
      story
        .ran('a', 'plain', { attempt: 2, life: 'dispatcher-2#1' })
        .end(late, 'failed')
        .outcome('a', 'plain', 1, 'retry')
        .close(window)
    },
  ],
  [
    'two of one ordering key run at a time',
    'overlap',
    (story) => {
      story.emitted('a', { line: { key: 'k', seq: 1 } }).emitted('b', { line: { key: 'k', seq: 2 } })
      const first = story.begin('a', 'ordered')
      story.ran('b', 'ordered', { life: 'dispatcher-2#1' }).end(first)
    },
  ],
  [
    'a later one of an ordering key runs before an earlier one',
    'inversion',
    (story) => {
      story.emitted('a', { line: { key: 'k', seq: 1 } }).emitted('b', { line: { key: 'k', seq: 2 } })
      story.ran('b', 'ordered').ran('a', 'ordered')
    },
  ],
  [
    'an earlier one of an ordering key is retried after a later one',
    'inversion',
    (story) => {
      story.emitted('a', { line: { key: 'k', seq: 1 } }).emitted('b', { line: { key: 'k', seq: 2 } })
      story.ran('a', 'ordered', { how: 'failed' }).ran('b', 'ordered').ran('a', 'ordered', { attempt: 2 })
    },
  ],
  [
    'a process runs more than it has permits for',
    'gate',
    (story) => {
      story.emitted('a').emitted('b')
      for (const op of ['a', 'b']) for (const trigger of ['plain', 'ordered']) story.begin(op, trigger)
    },
  ],
  [
    'another app runs it',
    'crossed',
    (story) => {
      story.emitted('a').ran('a', 'plain', { app: 'blue' })
    },
  ],
  [
    'it runs as somebody else',
    'crossed',
    (story) => {
      story.emitted('a').ran('a', 'plain', { principal: 'blue-owner' })
    },
  ],
  [
    'it sees an entry of another app',
    'crossed',
    (story) => {
      story.emitted('a').ran('a', 'plain', { saw: 'blue' })
    },
  ],
  [
    'something runs too deep',
    'depth',
    (story) => {
      story.emitted('a', { how: 'loop', hop: 3 }, 1).ran('a', 'loop', { depth: 5 })
    },
  ],
]

test.for(BROKEN)('it is noticed when %s', ([, kind, tell]) => {
  expect(judge(tell).kinds).toContain(kind)
})
