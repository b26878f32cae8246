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
