/** What travels: a note of 200 bytes, or what GitHub really sent. */
import { createRequire } from 'node:module'
import type { JsonObject } from '@outbus/core/plugin'
import type { Payload } from './contract.ts'

/** 200 bytes as JSON. */
export const NOTE: Payload = { kind: 'note', data: { text: 'a'.repeat(178), number: 1 } }

export function notes(count: number): Payload[] {
  return Array.from({ length: count }, () => NOTE)
}

/** Every example that Octokit has collected, 5 to 30 kB each. */
export function webhooks(): Payload[] {
  // The package is one JSON file, whose declared types are those of an ES module that it is not.
  const definitions = createRequire(import.meta.url)('@octokit/webhooks-examples') as readonly {
    readonly examples: readonly JsonObject[]
  }[]
  return definitions.flatMap(({ examples }) => examples.map((data): Payload => ({ kind: 'webhook', data })))
}
