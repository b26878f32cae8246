import type { TargetSpec } from './target-spec.ts'

/** What an outbox row carries of its trigger, so that the dispatcher never joins back. Column `trigger`. */
export interface TriggerSnapshot {
  readonly app: string
  readonly id: string
  readonly name: string
  readonly source: string
  readonly target: TargetSpec
  readonly retry: unknown
  readonly timeoutMs: number
  readonly registrant: string | null
  /** Left out: as the registrant. */
  readonly runAs?: 'caller'
  /** Its handler gets a transaction that its completion is part of. */
  readonly transactional?: boolean
  /** Of a source that binds its events to it. */
  readonly filter?: unknown
}
