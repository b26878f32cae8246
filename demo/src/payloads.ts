/** Real GitHub webhook deliveries: every example payload that Octokit has collected. */
import { createRequire } from 'node:module'

interface WebhookDefinition {
  readonly name: string
  readonly examples: readonly unknown[]
}

export interface Payload {
  /** The webhook event's name: `push`, `issues`. */
  readonly event: string
  /** Unique among the payloads, as GitHub's own delivery id would be. */
  readonly delivery: string
  readonly body: unknown
}

export function loadPayloads(): Payload[] {
  // The package is one JSON file, whose declared types are those of an ES module that it is not.
  const definitions = createRequire(import.meta.url)('@octokit/webhooks-examples') as readonly WebhookDefinition[]
  return definitions.flatMap(({ name, examples: bodies }) =>
    bodies.map((body, i) => ({ event: name, delivery: `${name}-${String(i + 1).padStart(3, '0')}`, body })),
  )
}

/** The payloads again, as deliveries of their own. */
export function inRound(payloads: readonly Payload[], round: number): Payload[] {
  return payloads.map((payload) => ({ ...payload, delivery: `${payload.delivery}-${round}` }))
}

/** The repository that a payload is about, if it is about one. */
export function repositoryOf(body: unknown): string | undefined {
  return textAt(body, 'repository', 'full_name')
}

export function senderOf(body: unknown): string | undefined {
  return textAt(body, 'sender', 'login')
}

function textAt(body: unknown, member: string, name: string): string | undefined {
  const inner = (body as Record<string, unknown> | null)?.[member] as Record<string, unknown> | undefined
  const text = inner?.[name]
  return typeof text === 'string' ? text : undefined
}
