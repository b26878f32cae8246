/** What each door of core offers, by name. Whoever adds a name, or takes one away, sees it here. */
import { readFileSync } from 'node:fs'
import * as services from '@outbus/core'
import * as authors from '@outbus/core/plugin'
import { expect, test } from 'vitest'

const DOORS = { 'index.ts': services, 'plugin.ts': authors }

type Door = keyof typeof DOORS

interface Names {
  readonly values: readonly string[]
  readonly types: readonly string[]
}

/** Values are asked of the module, types of its text. */
function namesAt(door: Door): Names {
  const text = readFileSync(new URL(`../core/src/${door}`, import.meta.url), 'utf8')
  const types = [...text.matchAll(/^export type \{([^}]*)\}/gm)]
    .flatMap(([, names = '']) => names.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '')
  return { values: Object.keys(DOORS[door]).toSorted(), types: types.toSorted() }
}

/** As many as fit on a line. */
function listed(names: readonly string[]): string {
  const lines: string[] = []
  for (const name of names) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + name.length < 100) lines[lines.length - 1] = `${last} ${name}`
    else lines.push(name)
  }
  return [`${names.length}:`, ...lines].join('\n')
}

test('@outbus/core, for services: values', () => {
  expect(listed(namesAt('index.ts').values)).toMatchInlineSnapshot(`
    "21:
    DeliveryFailure FAILURE_KINDS OUTCOME_CHANNEL OutbusError REDACTED createBus deadLetter
    disableRowSecurity discard enableRowSecurity fromPgBoss grantRoles isAbout isOutbusError
    memoryInboxes ownerAndAdmin parseRetryPolicy previewRetry reply retryAfter withTransaction"
  `)
})

test('@outbus/core, for services: types', () => {
  expect(listed(namesAt('index.ts').types)).toMatchInlineSnapshot(`
    "66:
    AbandonedExecution AccessRequest ActionResources AppQuotas AppSummary Apps Attempt Audience
    AuditEntry AuditTrail Authorizer Bus BusOptions Causality Context ContextOptions CoreAction
    CustomStrategies DeadLetter DeadLetterEvent DeadLetters Deliveries DeliveryFilter DispatchOptions
    EmitOptions EmitResult ErasedApp ErasedData ErrorCode Explanation FailureKind HandlerArgs History
    InboxResolver Outcome OutcomeMessage Page PatternInput PendingDelivery Principal PrincipalResolver
    Principals Priority Quotas QuotasPatch Reply RequestOptions RequestState Requests ResolvedPrincipal
    RetentionOptions RetryPolicy RetryPolicyInput RetryPreviewStep Roles SetAside SetAsideRow SourcesOf
    SubmitOptions SubmittedRequest TargetSpec Trigger TriggerEventOf TriggerInput Triggers Verdict"
  `)
})

test('@outbus/core/plugin, for authors of plugins: values', () => {
  expect(listed(namesAt('plugin.ts').values)).toMatchInlineSnapshot(`
    "37:
    API_VERSION EMIT_OPTIONS_RESOURCE abortSignalSchema assertKey assertName assertSaysSomething
    assertSourceName audienceSchema clock compilePattern dateSchema decodeCursor defineErrors
    definePlugin defineSource defineTarget emitOptionFacts emitOptionsSchema encodeCursor encodeJson
    erasedBatch isPlainObject keySchema nameSchema orderingKeyOf pageLimit pageSchema parseWith
    patternSchema payloadMatches quotaExceeded readAudiences readJson statement takeSteps toPage
    writeStatement"
  `)
})

test('@outbus/core/plugin, for authors of plugins: types', () => {
  expect(listed(namesAt('plugin.ts').types)).toMatchInlineSnapshot(`
    "40:
    AnyPlugin AnySource AnyTarget CallScope CodeOf Delivery EmitOptionFacts ErasedBatch ErasureBatch
    EventInput EventOf EventSchemas EventSource JsonObject JsonValue Migrations OutbusErrorDetails
    PageOptions Pattern PayloadPattern Plugin PluginErrors PluginHost Reservation SharedPart
    SharedResult SharedWrite SourceAudiences SourceChange SourceContext SourceHost SourceRequests
    SourceTransaction Statement Target TriggerEvent VerbAction WriteStatement WriteTexts WrittenRow"
  `)
})

test('no name is at both doors: what authors need beside the door of services is at theirs', () => {
  const all = (door: Door) => Object.values(namesAt(door)).flat()
  const atServices = new Set(all('index.ts'))
  expect(all('plugin.ts').filter((name) => atServices.has(name))).toEqual([])
})
