import type { Logger } from 'pino'
import { expect, test } from 'vitest'
import type { PreparedEvent } from './prepare.ts'
import { Unmatched } from './unmatched.ts'

test('a million apps are counted, and what is remembered of them is bounded', () => {
  let lines = 0
  const unmatched = new Unmatched({ warn: () => void lines++ } as unknown as Logger)
  for (let i = 0; i < 30_000; i++)
    unmatched.note({ app: `a${i}`, source: { name: 's' }, event: { op: 'o' }, replyTo: null } as PreparedEvent)
  expect(unmatched.count).toBe(30_000)
  // One for each that is remembered, and one that says that no more are.
  expect(lines).toBe(10_001)
})
