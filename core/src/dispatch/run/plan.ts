/** What a row's trigger snapshot means to this process. Many rows share one text, so each text is read once. */
import { z } from 'zod'
import { DEAD_LETTER_SOURCE } from '../../contract/dead-letter.ts'
import type { Plugins } from '../../plugins/plugins.ts'
import type { Redaction } from '../../plugins/redaction.ts'
import { DEFAULT_RETRY_POLICY, parseRetryPolicy } from '../../retry/policy.ts'
import type { RetryPolicy } from '../../retry/policy.ts'
import type { AnySource } from '../../contract/source.ts'
import type { AnyTarget } from '../../contract/target.ts'
import type { TriggerSnapshot } from '../../contract/trigger-snapshot.ts'
import { DEFAULT_TIMEOUT_MS, RUN_AS } from '../../triggers/trigger.ts'
import { DeliveryFailure } from '../../contract/delivery-failure.ts'

export interface Plan {
  readonly app: string
  readonly triggerId: string
  readonly name: string
  readonly sourceName: string
  readonly source: AnySource | undefined
  /** Of what its events carry. Undefined for a source of which nothing is redacted. */
  readonly redaction: Redaction | undefined
  /** Its trigger is on the source of dead letters. */
  readonly handlesDeadLetters: boolean
  readonly target: AnyTarget | undefined
  readonly config: unknown
  /** Of a source that binds its events to the trigger's filter. */
  readonly filter: unknown
  readonly policy: RetryPolicy
  readonly timeoutMs: number
  readonly transactional: boolean
  readonly registrant: string | null
  readonly runsAsCaller: boolean
  /** Why this process cannot run it; it fails each attempt with this. */
  readonly problem: DeliveryFailure | undefined
}

/** No target's type and no trigger's id. */
const UNREADABLE = ''
const UNREADABLE_ID = '00000000-0000-0000-0000-000000000000'

/** Texts of triggers that changed long ago go first. */
const MAX_PLANS = 10_000
/** Of all texts that are kept: whoever writes rows past the bus may give each a trigger of its own. */
const MAX_KEPT_CHARACTERS = 33_554_432
/** No bus writes a longer one: a trigger is read while nothing else runs. */
const MAX_TRIGGER_CHARACTERS = 1_000_000
/** The most that a timer takes, in ms. */
const MAX_TIMEOUT_MS = 2_147_483_647

export class Plans {
  readonly #plugins: Plugins
  readonly #byText = new Map<string, Plan>()
  #keptCharacters = 0
  #last: { readonly text: string; readonly plan: Plan } | undefined

  constructor(plugins: Plugins) {
    this.#plugins = plugins
  }

  of(text: string): Plan {
    // Neighbours mostly share their trigger, and comparing two texts costs less than hashing one.
    const last = this.#last
    if (last !== undefined && last.text === text) return last.plan
    const plan = this.#find(text)
    this.#last = { text, plan }
    return plan
  }

  #find(text: string): Plan {
    let plan = this.#byText.get(text)
    if (plan === undefined) {
      plan = readPlan(this.#plugins, text)
      this.#keep(text, plan)
    }
    return plan
  }

  #keep(text: string, plan: Plan): void {
    this.#byText.set(text, plan)
    this.#keptCharacters += text.length
    while (this.#byText.size > MAX_PLANS || this.#keptCharacters > MAX_KEPT_CHARACTERS) {
      const oldest = this.#byText.keys().next().value as string
      this.#byText.delete(oldest)
      this.#keptCharacters -= oldest.length
    }
  }
}

function readPlan(plugins: Plugins, text: string): Plan {
  const snapshot = readSnapshot(text)
  const { type, ...rest } = snapshot.target
  const target = plugins.targets.get(type)
  let problem: DeliveryFailure | undefined
  let config: unknown
  if (type === UNREADABLE)
    problem = new DeliveryFailure('payload_invalid', 'the trigger that the row carries cannot be read')
  else if (target === undefined)
    problem = new DeliveryFailure('not_found', `no target of type ${JSON.stringify(type)} is installed here`)
  else {
    const parsed = target.config.safeParse(rest)
    if (parsed.success) config = parsed.data
    else
      problem = new DeliveryFailure('payload_invalid', `target ${type} refuses the stored configuration`, {
        cause: parsed.error,
      })
  }
  const source = plugins.sources.get(snapshot.source)
  const filter = source?.bind === undefined ? undefined : source.filter.safeParse(snapshot.filter)
  if (filter?.success === false) {
    problem ??= new DeliveryFailure('payload_invalid', `source ${snapshot.source} refuses the stored filter`, {
      cause: filter.error,
    })
  }
  return {
    app: snapshot.app,
    triggerId: snapshot.id,
    name: snapshot.name,
    sourceName: snapshot.source,
    source,
    redaction: plugins.redactionOf(snapshot.source),
    handlesDeadLetters: snapshot.source === DEAD_LETTER_SOURCE,
    target,
    config,
    filter: filter?.data,
    policy: readPolicy(snapshot.retry),
    timeoutMs: Math.min(snapshot.timeoutMs ?? DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS),
    transactional: snapshot.transactional ?? false,
    registrant: snapshot.registrant ?? null,
    runsAsCaller: snapshot.runAs === 'caller',
    problem,
  }
}

/** These go into statements about the rows of all apps: one that Postgres does not take would fail all of them. */
const text = z.string().max(255).refine(isStorable)

const readable = z.looseObject({
  app: text,
  id: z.guid(),
  name: text,
  source: text,
  target: z.looseObject({ type: text }),
  timeoutMs: z.number().min(1).optional(),
  transactional: z.boolean().optional(),
  registrant: text.nullish(),
  // Of a newer version that knows more than these, it fails rather than run as somebody else.
  runAs: z.enum(RUN_AS).optional(),
})

function isStorable(value: string): boolean {
  return !value.includes('\0') && value.isWellFormed()
}

/** Of a row that no emit of a bus has written, something that ends as a failed attempt: it must not stop the lane that claims it. */
function readSnapshot(snapshot: string): TriggerSnapshot {
  const value: unknown = snapshot.length > MAX_TRIGGER_CHARACTERS ? undefined : JSON.parse(snapshot)
  const read = readable.safeParse(value)
  if (read.success) return value as TriggerSnapshot
  const app = text.safeParse((value as { app?: unknown } | null | undefined)?.app)
  return {
    app: app.success ? app.data : '',
    id: UNREADABLE_ID,
    name: 'unreadable',
    source: '',
    target: { type: UNREADABLE },
    retry: undefined,
    timeoutMs: DEFAULT_TIMEOUT_MS,
    registrant: null,
  }
}

function readPolicy(stored: unknown): RetryPolicy {
  try {
    return parseRetryPolicy(stored)
  } catch {
    // It was valid when it was written, by another version of this program. A row must never be stuck for its policy.
    return DEFAULT_RETRY_POLICY
  }
}
