/** `@outbus/core/plugin`: what authors of plugins need beside `@outbus/core`. */
export { API_VERSION, definePlugin } from './contract/plugin.ts'
export type { AnyPlugin, Migrations, Plugin, PluginHost } from './contract/plugin.ts'
export { defineSource } from './contract/source.ts'
export type {
  AnySource,
  EventInput,
  EventOf,
  EventSchemas,
  EventSource,
  Reservation,
  SharedPart,
  SharedResult,
  SharedWrite,
  SourceChange,
  SourceContext,
  SourceHost,
  SourceRequests,
  SourceTransaction,
  TriggerEvent,
  VerbAction,
} from './contract/source.ts'
export { defineTarget } from './contract/target.ts'
export type { AnyTarget, Target } from './contract/target.ts'
export type { CallScope } from './contract/scope.ts'
export { assertSourceName } from './plugins/assert-plugin.ts'
export { statement } from './postgres/statement.ts'
export type { Statement } from './contract/statement.ts'
export { writeStatement } from './sql/emit/write-statement.ts'
export type { WriteStatement, WriteTexts, WrittenRow } from './contract/write-statement.ts'
export { orderingKeyOf } from './validation/ordering-key.ts'
export { EMIT_OPTIONS_RESOURCE, emitOptionsSchema } from './contract/emit-options.ts'
export type { EmitOptionFacts } from './contract/emit-options.ts'
export { emitOptionFacts } from './outbox/emit-option-facts.ts'
export type { ErasedBatch, ErasureBatch, PayloadPattern } from './contract/erasure.ts'
export { erasedBatch, payloadMatches } from './sql/privacy/erasure.ts'
export { quotaExceeded } from './contract/quotas.ts'
export { compilePattern, patternSchema } from './patterns/pattern.ts'
export type { Pattern } from './patterns/pattern.ts'
export { takeSteps } from './patterns/steps.ts'
export { decodeCursor, encodeCursor, pageLimit, pageSchema, toPage } from './validation/page.ts'
export type { PageOptions } from './validation/page.ts'
export type { Delivery } from './contract/delivery.ts'
export { audienceSchema, readAudiences } from './contract/audience.ts'
export type { SourceAudiences } from './contract/audience.ts'
export type { OutbusErrorDetails } from './errors.ts'
export { defineErrors } from './plugins/plugin-errors.ts'
export type { CodeOf, PluginErrors } from './plugins/plugin-errors.ts'
export { encodeJson, readJson } from './validation/json.ts'
export { assertSaysSomething } from './validation/given.ts'
export { parseWith } from './validation/zod-error.ts'
export { abortSignalSchema, dateSchema, isPlainObject } from './validation/kinds.ts'
export { assertKey, assertName, keySchema, nameSchema } from './validation/names.ts'
export type { JsonObject, JsonValue } from './contract/json.ts'
export * as clock from './time/clock.ts'
