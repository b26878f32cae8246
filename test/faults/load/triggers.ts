/** The triggers of every app, and which of them an operation is for. */
import type { OperationKind } from '../history/records.ts'
import { MAX_TRIGGER_DEPTH, RETRY } from '../settings.ts'

export const WORK = 'work'
export const LOOPS = 'loops'
/** The collection that only {@link LATE_TRIGGER} is for. */
export const LATE = 'late'
/** The same key in every app, with the app's name as its value: who reads another one's has crossed. */
export const OWN = 'own'

interface Declared {
  readonly name: string
  readonly source: 'kv' | 'pubsub' | 'asks' | 'dead_letter'
  readonly filter: object
  readonly ordered?: boolean
  readonly transactional?: boolean
}

export const TRIGGERS: readonly Declared[] = [
  { name: 'plain', source: 'kv', filter: { collection: WORK } },
  { name: 'ordered', source: 'kv', filter: { collection: WORK }, ordered: true },
  { name: 'transactional', source: 'kv', filter: { collection: WORK }, transactional: true },
  { name: 'loop', source: 'kv', filter: { collection: LOOPS } },
  { name: 'topic', source: 'pubsub', filter: { topic: 'news.>' } },
  { name: 'answer', source: 'asks', filter: { topic: 'answers' } },
  { name: 'bury', source: 'dead_letter', filter: {} },
]

/** It comes and goes while events that match it are emitted (G2). */
export const LATE_TRIGGER: Declared = { name: 'late', source: 'kv', filter: { collection: LATE } }

/** What is created for an app: with a function of the trigger's name. */
export function triggerInput(declared: Declared) {
  const target = { type: 'function', name: declared.name }
  // A dead-letter handler runs once.
  return declared.source === 'dead_letter' ? { ...declared, target } : { ...declared, target, retry: RETRY }
}

/** Rows that an operation makes, once it is committed; of `set-late` it depends on the moment. */
export function rowsOf(how: OperationKind): readonly string[] {
  switch (how) {
    case 'set':
    case 'set-in-tx':
    case 'set-once':
      return ['plain', 'ordered', 'transactional']
    case 'loop':
      return ['loop']
    case 'publish-once':
      return ['topic']
    case 'ask':
      return ['answer']
    case 'set-late':
      return []
  }
}

/** Those of them that are to be run: what is too deep is skipped. */
export function runsOf(how: OperationKind, hop = 0): readonly string[] {
  return how === 'loop' && hop >= MAX_TRIGGER_DEPTH ? [] : rowsOf(how)
}
