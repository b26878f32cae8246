/** Histories in which what was emitted and what came of it do not agree. */
import { expect, test } from 'vitest'
import type { Story } from './testing/history.ts'
import { judge } from './testing/judge.ts'
import type { ViolationKind } from './violation.ts'

const BROKEN: readonly [what: string, kind: ViolationKind, tell: (story: Story) => unknown][] = [
  [
    'an operation that was rolled back runs',
    'aborted',
    (story) => {
      story.invoke('a').say('emitter-1#1', { kind: 'fail', op: 'a' })
      story.ran('a', 'plain')
    },
  ],
  [
    'an operation runs before it is known that it was rolled back',
    'aborted',
    (story) => {
      story.invoke('a').ran('a', 'plain').say('emitter-1#1', { kind: 'fail', op: 'a' })
    },
  ],
  [
    'nobody knew, and it ran and is not there',
    'aborted',
    (story) => {
      story.invoke('a').ran('a', 'plain')
    },
  ],
  [
    'an entry of a rolled back transaction is there',
    'aborted',
    (story) => {
      story.invoke('a').say('emitter-1#1', { kind: 'fail', op: 'a' })
      story.final.committed = new Set(['a'])
    },
  ],
  [
    'a trigger runs what is not for it',
    'uncalled',
    (story) => {
      story.emitted('a').done('a').ran('a', 'topic')
    },
  ],
  [
    'something runs that nobody began',
    'uncalled',
    (story) => {
      story.ran('a', 'plain')
    },
  ],
  [
    'an emit makes more rows than triggers match',
    'uncalled',
    (story) => {
      story.emitted('a', {}, 4).done('a')
    },
  ],
  [
    'an emit makes fewer rows than triggers match',
    'lost',
    (story) => {
      story.emitted('a', {}, 2).done('a')
    },
  ],
  [
    'an emit after the commit of a trigger makes no row for it (G2)',
    'lost',
    (story) => {
      story.note({ kind: 'trigger', app: 'red', state: 'there' })
      story.emitted('a', { how: 'set-late' }, 0)
    },
  ],
  [
    'a dispatcher emits more than a second after the commit of a trigger, and makes no row for it',
    'lost',
    (story) => {
      story.note({ kind: 'trigger', app: 'red', state: 'there' }).pass(1_500)
      story.say('dispatcher-1#1', { kind: 'invoke', op: 'a', app: 'red', how: 'set-late' })
      story.say('dispatcher-1#1', { kind: 'ok', op: 'a', eventId: 'e', deliveries: 0, duplicate: false })
    },
  ],
  [
    'an emit after a trigger was deleted makes a row for it',
    'uncalled',
    (story) => {
      story.note({ kind: 'trigger', app: 'red', state: 'gone' })
      story.emitted('a', { how: 'set-late' }, 1).ran('a', 'late')
    },
  ],
  [
    'one event has two rows for a trigger',
    'doubled',
    (story) => {
      story.emitted('a').done('a').ran('a', 'plain', { delivery: 'another' })
    },
  ],
  [
    'two events have one delivery',
    'doubled',
    (story) => {
      story.emitted('a').ran('a', 'plain', { delivery: '7' }).emitted('b').ran('b', 'plain', { delivery: '7' })
    },
  ],
  [
    'the effect of a transactional handler is there twice',
    'ledger',
    (story) => {
      story.emitted('a').done('a')
      story.final.ledger = [...story.final.ledger, ...story.final.ledger]
    },
  ],
  [
    'the effect of a transactional handler is not there',
    'ledger',
    (story) => {
      story.emitted('a').done('a')
      story.final.ledger = []
    },
  ],
  [
    'the effect of a transactional handler stayed although it is a dead letter',
    'ledger',
    (story) => {
      story.emitted('a').done('a').dead('a', 'transactional')
    },
  ],
  [
    'a request runs twice',
    'request',
    (story) => {
      story
        .invoke('a', { how: 'ask' })
        .ran('a', 'answer', { request: 'r' })
        .ran('a', 'answer', { request: 'r', attempt: 2 })
    },
  ],
  [
    'a caller that left finds no abandoned execution',
    'request',
    (story) => {
      story
        .invoke('a', { how: 'ask' })
        .say('emitter-1#1', { kind: 'reply', op: 'a', requestId: 'r', failure: 'timeout' })
    },
  ],
  [
    'a caller gets the reply to another request',
    'crossed',
    (story) => {
      story.invoke('a', { how: 'ask' }).ran('a', 'answer', { request: 'r' })
      story.say('emitter-1#1', { kind: 'reply', op: 'a', requestId: 'r', answered: 'b' })
    },
  ],
  [
    'a reply that was delivered is an abandoned execution too',
    'request',
    (story) => {
      story.invoke('a', { how: 'ask' }).ran('a', 'answer', { request: 'r' })
      story.say('emitter-1#1', { kind: 'reply', op: 'a', requestId: 'r' })
      story.final.abandoned = ['r']
    },
  ],
  [
    'a reply comes of what did not end',
    'request',
    (story) => {
      story.invoke('a', { how: 'ask' }).say('emitter-1#1', { kind: 'reply', op: 'a', requestId: 'r' })
    },
  ],
  [
    'a dead letter is handled twice',
    'dead-letter',
    (story) => {
      story.emitted('a').done('a').dead('a', 'plain')
      story.ran('a', 'bury', { letter: '1' }).ran('a', 'bury', { letter: '1', attempt: 2 })
    },
  ],
  [
    'nobody handles a dead letter',
    'dead-letter',
    (story) => {
      story.emitted('a').done('a').dead('a', 'plain', { resolution: null })
    },
  ],
  [
    'a dead-letter handler leaves a dead letter',
    'dead-letter',
    (story) => {
      story.emitted('a').done('a').dead('a', 'bury')
    },
  ],
  [
    'a process ends by itself',
    'died',
    (story) => {
      story.note({ kind: 'exit', life: 'dispatcher-1#1', name: 'dispatcher-1', code: 1, signal: null })
    },
  ],
  [
    'a process ends by itself when its connection is cut',
    'died',
    (story) => {
      story.open(['dispatcher-1'], 'proxy-cut-dispatchers')
      story.note({ kind: 'exit', life: 'dispatcher-1#1', name: 'dispatcher-1', code: 1, signal: null })
    },
  ],
  [
    'the bus is done with what failed, and it never ran well',
    'lost',
    (story) => {
      story.emitted('a').ran('a', 'ordered').ran('a', 'transactional')
      story.ran('a', 'plain', { how: 'failed' }).outcome('a', 'plain', 1, 'done')
    },
  ],
  [
    'it is said to be dead, and there is no dead letter',
    'lost',
    (story) => {
      story.emitted('a').ran('a', 'ordered').ran('a', 'transactional')
      for (let attempt = 1; attempt <= 3; attempt++) story.ran('a', 'plain', { attempt, how: 'failed' })
      story.outcome('a', 'plain', 3, 'dead')
    },
  ],
  [
    'it is skipped after an attempt that failed',
    'lost',
    (story) => {
      story.emitted('a').ran('a', 'ordered').ran('a', 'transactional')
      story.ran('a', 'plain', { how: 'failed' }).outcome('a', 'plain', 1, 'skipped')
    },
  ],
  [
    'it was done, and is a dead letter too',
    'overwritten',
    (story) => {
      story.emitted('a').done('a').outcome('a', 'plain', 1, 'done').dead('a', 'plain').ran('a', 'bury', { letter: '1' })
    },
  ],
  [
    'it is a dead letter for another reason than that its attempts are used up',
    'unexplained',
    (story) => {
      story.emitted('a').ran('a', 'ordered').ran('a', 'transactional')
      story.dead('a', 'plain', { reason: 'not_retryable' }).ran('a', 'bury', { letter: '1' })
    },
  ],
  [
    'one delivery leaves two dead letters',
    'dead-letter',
    (story) => {
      story.emitted('a').done('a').dead('a', 'plain').dead('a', 'plain', { id: '2' })
      story.ran('a', 'bury', { letter: '1' }).ran('a', 'bury', { letter: '2', delivery: 'another' })
    },
  ],
  [
    'a dead letter is handled, and no handler of it ran',
    'dead-letter',
    (story) => {
      story.emitted('a').done('a').dead('a', 'plain')
    },
  ],
  [
    'the effect of a transactional handler is of an attempt that failed',
    'ledger',
    (story) => {
      story.emitted('a').ran('a', 'plain').ran('a', 'ordered')
      story.ran('a', 'transactional', { how: 'failed' }).ran('a', 'transactional', { attempt: 2 })
      story.final.ledger = [{ op: 'a', trigger: 'transactional', attempt: 1 }]
    },
  ],
  [
    'the request of a caller that died leaves two abandoned executions',
    'request',
    (story) => {
      story.invoke('a', { how: 'ask' }).ran('a', 'answer', { request: 'r' }).killed('emitter-1')
      story.final.abandoned = ['r', 'r']
    },
  ],
  [
    'a process aborts while its connection is cut',
    'died',
    (story) => {
      story.open(['dispatcher-1'], 'proxy-cut-dispatchers')
      story.note({ kind: 'exit', life: 'dispatcher-1#1', name: 'dispatcher-1', code: null, signal: 'SIGABRT' })
    },
  ],
  [
    'a row is left',
    'stuck',
    (story) => {
      story.final.left = ['1']
    },
  ],
]

test.for(BROKEN)('it is noticed when %s', ([, kind, tell]) => {
  expect(judge(tell).kinds).toContain(kind)
})
