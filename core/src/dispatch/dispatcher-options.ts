import type { Logger } from 'pino'
import type { Sql } from '../postgres/statement.ts'
import type { DeadLetterAnnouncer } from '../dead-letters/announcer.ts'
import type { AttemptRecorder } from '../history/recorder.ts'
import type { InboxResolver } from '../inbox/resolver.ts'
import type { SetAsideRows } from '../set-aside/set-aside.ts'
import type { Withdrawals } from '../outbox/withdrawals.ts'
import type { BusClientConfig } from '../postgres/bus-client.ts'
import type { RunsAsRules } from './run/run-as.ts'
import type { AttemptRules } from './run/attempt.ts'
import type { DeliverySurroundings } from './run/delivery.ts'
import type { DispatchSettings } from './options.ts'
import type { Plans } from './run/plan.ts'
import type { Switches } from '../switches/switches.ts'
import type { AnswerRules } from './leases/request-outcome.ts'
import type { WakeUp, WakeUps } from '../wake/wake-up.ts'

export interface DispatcherOptions extends DeliverySurroundings {
  readonly sql: Sql
  readonly connection: BusClientConfig
  /** A direct connection for LISTEN. */
  readonly listenConnection: BusClientConfig
  readonly channel: string
  readonly plans: Plans
  readonly rules: AttemptRules
  readonly wakeUp: WakeUp
  /** Where the fair lane waits, which claims other apps' rows beside a backlog. */
  readonly fairWakeUp: WakeUp
  readonly orderedWakeUp: WakeUp
  readonly singleWakeUps: WakeUps
  readonly requestWakeUp: WakeUp
  readonly requestChannel: string
  readonly cancelChannel: string
  readonly withdrawals: Withdrawals
  readonly inboxes: InboxResolver
  readonly answers: AnswerRules
  readonly announcer: DeadLetterAnnouncer
  readonly aside: SetAsideRows
  readonly recorder: AttemptRecorder
  readonly principals: RunsAsRules
  readonly log: Logger
  readonly settings: DispatchSettings
  readonly switches: Switches
}
