import { readFileSync } from 'node:fs'
import type { JsonValue } from '../../contract/json.ts'

export interface Vector {
  readonly pattern: unknown
  readonly event: JsonValue
  readonly expect: boolean | 'invalid'
}

/** Computed by Ruler itself. */
export const vectors = readFileSync(new URL('../../../../test/fixtures/patterns.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Vector)
