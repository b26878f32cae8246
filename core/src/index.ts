export type { AuditEntry, AuditFilter, AuditTrail } from './audit/audit.ts'
export { createBus } from './bus.ts'
export type { Bus, BusHandler, TriggerEventOf } from './bus.ts'
export type { ContextOptions } from './context/context-options.ts'
export type { BusOptions, RetentionOptions } from './options.ts'
export type { Context, CoreContext } from './context/core-context.ts'
export type { CallScope, Causality, Principal } from './contract/scope.ts'
export { REDACTED } from './plugins/redaction.ts'
export { withTransaction } from './postgres/database-calls.ts'
export { grantRoles } from './roles/grant-roles.ts'
export type { Roles } from './roles/grant-roles.ts'
export { disableRowSecurity, enableRowSecurity } from './roles/row-security.ts'

export { assertSourceName } from './plugins/plugins.ts'
export { API_VERSION, defineSource } from './contract/source.ts'
export type {
  AnySource,
  EventInput,
  EventOf,
  EventSchemas,
  EventSource,
  SourceContext,
  SourceRequests,
  SourceHost,
  Reservation,
  SharedTransaction,
  SourceChange,
  SharedWrite,
  SourceTransaction,
  TriggerEvent,
  VerbAction,
  WriteAtOnce,
} from './contract/source.ts'
export { defineTarget } from './contract/target.ts'
export type { AnyTarget, Target } from './contract/target.ts'
export { statement } from './postgres/statement.ts'
export type { Statement } from './contract/statement.ts'
export { writeStatement } from './sql/emit/write-statement.ts'
export type { WriteStatement, WrittenRow } from './sql/emit/write-statement.ts'
export type { WriteTexts } from './contract/write-texts.ts'

export { orderingKeyOf } from './validation/ordering-key.ts'
export { EMIT_OPTIONS_RESOURCE, emitOptionsSchema } from './contract/emit-options.ts'
export { emitOptionFacts } from './outbox/emit-option-facts.ts'
export type { EmitOptionFacts, EmitOptions, EmitResult } from './contract/emit-options.ts'
export type { RunAs, Trigger, TriggerInput, TriggerListOptions, TriggerPatch, Triggers } from './triggers/trigger.ts'
export type { TargetSpec } from './contract/target-spec.ts'
export type { AppQuotas, Apps, AppSummary, EraseDataOptions, ErasedApp, ErasedData, EraseOptions } from './apps/apps.ts'
export type { ErasedRows, NotCovered } from './privacy/erasure.ts'
export type { ErasureBatch, ErasedBatch, PayloadPattern } from './contract/erasure.ts'
export type { PayloadSearch } from './privacy/payload-search.ts'
export { erasedBatch, payloadMatches } from './sql/privacy/erasure.ts'
export { quotaExceeded } from './contract/quotas.ts'
export type { QuotaName, Quotas, QuotasPatch } from './contract/quotas.ts'
export type { Explanation } from './triggers/explain.ts'
export type {
  CancelManyOptions,
  CancelOptions,
  Deliveries,
  DeliveriesMeant,
  Ended,
  PendingDelivery,
  WithdrawOptions,
} from './outbox/deliveries.ts'
export type { DeliveryFilter, DeliverySelection } from './outbox/delivery-filter.ts'
export { DELIVERY_STATES } from './contract/delivery-state.ts'
export type { DeliveryState } from './contract/delivery-state.ts'
export type { Attempt, AttemptFilter, History } from './history/history.ts'
export type { RowAddress, SetAside, SetAsideFilter, SetAsideRow } from './set-aside/set-aside.ts'
export type { Removed } from './maintenance/upkeep.ts'
export { compilePattern, patternSchema } from './patterns/pattern.ts'
export { takeSteps } from './patterns/steps.ts'
export type { Pattern, PatternInput } from './patterns/pattern.ts'
export type { Priority } from './validation/priority.ts'
export type { DeadLetter, Resolution } from './dead-letters/dead-letter.ts'
export type { DeadLetterFilter, DeadLetters, DeadLetterSelection } from './dead-letters/dead-letters.ts'
export type { DeadLetterSource } from './plugins/dead-letter-source.ts'
export type { DeadLetterEvent } from './contract/dead-letter.ts'
export { decodeCursor, encodeCursor, pageLimit, pageSchema, toPage } from './validation/page.ts'
export type { Page, PageOptions } from './validation/page.ts'

export type { AttemptError } from './contract/attempt-error.ts'
export type { Delivery, HandlerArgs } from './contract/delivery.ts'
export { DeliveryFailure } from './contract/delivery-failure.ts'
export type { DispatchOptions } from './dispatch/options.ts'
export { OUTCOME_CHANNEL } from './dispatch/report.ts'
export type { OutcomeMessage } from './dispatch/report.ts'
export type { Outcome } from './contract/outcome.ts'
export type { OutcomeCounts } from './dispatch/stats.ts'
export { deadLetter, discard, reply, retryAfter } from './contract/verdict.ts'
export type { ReplyOptions, Verdict } from './contract/verdict.ts'

export { memoryInboxes } from './inbox/memory-inboxes.ts'
export type { Reply } from './contract/reply.ts'
export type { AbandonedExecution, Requests, RequestState } from './inbox/requests.ts'
export type { RequestOptions, SubmitOptions, SubmittedRequest } from './contract/request-options.ts'
export type { InboxListener, InboxResolver, OpenInbox } from './inbox/resolver.ts'

export { CORE_ACTIONS } from './contract/actions.ts'
export type {
  Action,
  ActionResources,
  ActionRow,
  CoreAction,
  Default,
  RowFacts,
  SourceAction,
  TriggerFacts,
} from './contract/actions.ts'
export { audienceSchema, readAudiences } from './contract/audience.ts'
export type { Audience, SourceAudiences } from './contract/audience.ts'
export { isAbout, ownerAndAdmin } from './principals/authorizer.ts'
export type { AccessRequest, Authorizer } from './principals/authorizer.ts'
export type { PrincipalPatch, Principals } from './principals/principals.ts'
export type { PrincipalKey, PrincipalResolver } from './principals/resolver.ts'
export type { ResolvedPrincipal } from './contract/principal.ts'

export { FAILURE_KINDS } from './contract/failure-kinds.ts'
export type { FailureKind } from './contract/failure-kinds.ts'
export { fromPgBoss } from './retry/pg-boss.ts'
export { parseRetryPolicy } from './retry/policy.ts'
export type { RetryPolicy, RetryPolicyInput } from './retry/policy.ts'
export type { CustomStrategies, CustomStrategy } from './retry/next-attempt.ts'
export { previewRetry } from './retry/preview.ts'
export type { RetryPreviewOptions, RetryPreviewStep } from './retry/preview.ts'

export * as clock from './time/clock.ts'
export { isOutbusError, OutbusError } from './errors.ts'
export type { ErrorCode, OutbusErrorDetails, OutbusErrorJson, PluginErrorCode } from './errors.ts'
export { defineErrors } from './plugins/plugin-errors.ts'
export type { CodeOf, PluginErrors } from './plugins/plugin-errors.ts'
export { encodeJson, readJson } from './validation/json.ts'
export { assertSaysSomething } from './validation/given.ts'
export { parseWith } from './validation/zod-error.ts'
export { memberPattern, writeMember } from './validation/json-path.ts'
export { abortSignalSchema, dateSchema, isPlainObject } from './validation/kinds.ts'
export { assertKey, assertName, keySchema, nameSchema } from './validation/names.ts'
export { isCalendarDay } from './validation/time.ts'
export type { JsonObject, JsonPrimitive, JsonValue } from './contract/json.ts'
