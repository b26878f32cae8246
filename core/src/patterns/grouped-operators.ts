/**
 * Operators of one leaf that are looked up together: prefixes, suffixes, texts without regard to case, numeric
 * intervals and blocks of addresses. One lookup costs less than a test of each.
 */
import type { Interval, ValueTest } from './value-tests.ts'
import { isMany, oneOfAffixes, oneOfFolded, oneOfIntervals } from './value-tests.ts'
import { blockOf, compileOperator, intervalOf, oneOfBlocks } from './values.ts'

export class GroupedOperators {
  readonly #affixes = { prefix: [] as string[], suffix: [] as string[] }
  readonly #folded: string[] = []
  readonly #intervals: Interval[] = []
  readonly #blocks: Interval[] = []

  /** Adds the operator. False if it has to be tested by itself. */
  add(operator: string, operand: unknown, path: string): boolean {
    const block = operator === 'cidr' ? blockOf(operand, path) : undefined
    if (block !== undefined) return this.#blocks.push(block) > 0
    if (operator === 'numeric') return this.#intervals.push(intervalOf(operand, path)) > 0
    if (typeof operand !== 'string') return false
    if (operator === 'prefix' || operator === 'suffix') return this.#affixes[operator].push(operand) > 0
    return operator === 'equals-ignore-case' && this.#folded.push(operand) > 0
  }

  tests(): ValueTest[] {
    const tests: ValueTest[] = []
    for (const side of ['prefix', 'suffix'] as const) {
      const affixes = this.#affixes[side]
      if (isMany(affixes.length)) tests.push(oneOfAffixes(affixes, side))
      else for (const text of affixes) tests.push(compileOperator(side, text, ''))
    }
    if (this.#folded.length > 0) tests.push(oneOfFolded(this.#folded))
    if (this.#intervals.length > 0) tests.push(oneOfIntervals(this.#intervals))
    if (this.#blocks.length > 0) tests.push(oneOfBlocks(this.#blocks))
    return tests
  }
}
