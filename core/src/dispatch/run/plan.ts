/** What a trigger snapshot means to this process. Each text is read once. */
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
  /** Undefined if nothing of the source is redacted. */
  readonly redaction: Redaction | undefined
  /** The trigger is on the source of dead letters. */
  readonly handlesDeadLetters: boolean
  readonly target: AnyTarget | undefined
  readonly config: unknown
  /** Only for a source that binds its events to the filter. */
  readonly filter: unknown
  readonly policy: RetryPolicy
  readonly timeoutMs: number
  readonly transactional: boolean
  readonly registrant: string | null
  readonly runsAsCaller: boolean
  /** Why this process cannot run the trigger, whose every attempt fails with this. */
  readonly problem: DeliveryFailure | undefined
}

/** No target and no trigger is called so. */
const UNREADABLE = ''
const UNREADABLE_ID = '00000000-0000-0000-0000-000000000000'

/** The text that was kept first is dropped first. */
const MAX_PLANS = 10_000
/** Counts the characters of all kept texts: a foreign program may give each row its own trigger. */
const MAX_KEPT_CHARACTERS = 33_554_432
/** No bus writes a longer trigger, and reading blocks the process. */
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
    // Neighbours mostly share their trigger, and comparing texts is cheaper than hashing.
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

/** Statements about the rows of all apps carry these texts: one that Postgres refuses would fail all. */
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
  // What only a newer version knows must fail rather than run as somebody else.
  runAs: z.enum(RUN_AS).optional(),
})

function isStorable(value: string): boolean {
  return !value.includes('\0') && value.isWellFormed()
}

/** A snapshot that no bus wrote must fail its attempts, not stop the lane. */
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
    // Another version of this program wrote the policy as valid. A row must never be stuck for its policy.
    return DEFAULT_RETRY_POLICY
  }
}
