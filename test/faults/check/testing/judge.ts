/** The checker's word on a history written by hand. */
import type { Figures } from '../checker.ts'
import type { Rules } from '../rules.ts'
import { check } from '../checker.ts'
import type { Violation, ViolationKind } from '../violation.ts'
import { Story } from './history.ts'

const RULES: Rules = {
  maxAttempts: 3,
  concurrency: 3,
  maxTriggerDepth: 4,
  deadLetterTrigger: 'bury',
  registrantOf: (app) => `${app}-owner`,
}

export function judge(tell: (story: Story) => unknown): {
  readonly kinds: readonly ViolationKind[]
  readonly violations: readonly Violation[]
  readonly figures: Figures
} {
  const story = new Story()
  tell(story)
  const { violations, figures } = check(story.records, story.final, RULES)
  return { kinds: violations.map(({ kind }) => kind), violations, figures }
}
