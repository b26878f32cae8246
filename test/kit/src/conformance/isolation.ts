/** Checks on a real Postgres: nothing crosses apps. */
import { isDeepStrictEqual } from 'node:util'
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import type { TestBus } from '../test-bus.ts'
import { differs, differsNow, shapeOf, twice } from './answers.ts'
import type { AnySamples, Call, Outcome } from './calls.ts'
import { callsOf, intercepted, outcomeOf, reasonOf, upTo, verbsAt } from './calls.ts'
import { sourceOf } from './parts.ts'
import type { Problems } from './samples.ts'
import { shown } from './samples.ts'
import { busWith, changedTables, contentsOfOthers, freshApp } from './tested.ts'

/** What one app writes, another neither gets nor sees. */
export async function checkIsolation(plugin: AnyPlugin, samples: AnySamples): Promise<Problems> {
  const source = sourceOf(plugin)
  const { bus, cx, db } = await busWith(plugin, samples)
  // Where nobody has ever written.
  const untouched = await busWith(plugin, samples)
  const other = bus.context({ app: 'other' })
  const problems = new Set<string>()
  const asks = callsOf(samples.reads).map(([read, call]) => {
    const ask = (of: TestBus['cx']) => () => answerOf(() => call(verbsAt(of, source)))
    return { read, ask: ask(other), calm: ask(untouched.bus.context({ app: 'other' })) }
  })
  const before = new Map<string, Awaited<ReturnType<typeof twice>>>()
  for (const { read, ask } of asks) before.set(read, await twice(ask))
  for (const [verb, call] of callsOf(samples.writes)) {
    await call(verbsAt(cx, source)).catch((error: unknown) => problems.add(`${verb} threw: ${reasonOf(error)}`))
    for (const { read, ask, calm } of asks) {
      const known = before.get(read) as Awaited<ReturnType<typeof twice>>
      if (differs(await ask(), known) && (await differsNow(ask, calm)))
        problems.add(`after ${verb} of one app, ${read} of another answers otherwise`)
    }
  }
  for (const event of samples.events) await cx.emit(source.name, event)
  const { rows } = await db.pool.query<{ app: string }>(
    `select distinct app_id as app from outbus.outbox where app_id <> 'test'`,
  )
  for (const { app } of rows) problems.add(`an event of the app test made a row for the app ${app}`)
  for (const event of samples.events) {
    const { deliveries } = await other.emit(source.name, event)
    if (deliveries > 0) problems.add(`an event of the app other matched triggers of the app test: ${shown(event)}`)
  }
  return [...problems]
}

/** No verb changes or shows what is another app's: where others have the same data, and where it is given what theirs is known by. */
export async function checkForeignData(plugin: AnyPlugin, samples: AnySamples): Promise<Problems> {
  const source = sourceOf(plugin)
  const shared = await busWith(plugin, samples)
  const alone = await busWith(plugin, samples)
  const problems: Problems = []
  for (const entry of callsOf(samples.writes)) problems.push(...(await writesOf(source, { shared, alone }, entry)))
  for (const entry of callsOf(samples.reads)) problems.push(...(await readsOf(source, { shared, alone }, entry)))
  return problems
}

interface Buses {
  readonly shared: TestBus
  readonly alone: TestBus
}
type Entry = readonly [verb: string, sample: Call]

async function writesOf(source: AnySource, { shared, alone }: Buses, entry: Entry): Promise<Problems> {
  const [verb, sample] = entry
  const problems: Problems = []
  const first = await runAll((await freshApp(alone, source)).verbs, entry)
  // Another app as it is when the sample is through, and one as it is when the verb is called: last, for it may be what is removed.
  await outcomeOf(async () => sample((await freshApp(shared, source)).verbs))
  const args = await argsOf((await freshApp(shared, source)).verbs, entry)
  const touched = async (what: string, work: (verbs: object) => Promise<unknown>) => {
    const { app, verbs } = await freshApp(shared, source)
    const before = await contentsOfOthers(shared.db.pool, app)
    await work(verbs)
    const changed = changedTables(before, await contentsOfOthers(shared.db.pool, app))
    if (changed.length > 0) problems.push(`${verb}${what} changed rows of another app in ${changed.join(', ')}`)
  }
  // What it answers to that, and whether it throws, is its own affair.
  if (args !== undefined)
    await touched(", given what is another app's,", (verbs) => outcomeOf(() => callOf(verbs, verb)(...args)))
  await touched('', async (verbs) => {
    const again = await runAll(verbs, entry)
    if (first.outcome.error !== undefined) return
    if (again.outcome.error !== undefined)
      problems.push(`${verb} threw where another app has the same data: ${reasonOf(again.outcome.error)}`)
    else if (!isDeepStrictEqual(shapeOf(first.answers), shapeOf(again.answers)))
      problems.push(
        `${verb} answers otherwise where another app has the same data: ${shown(first.answers)} became ${shown(again.answers)}`,
      )
  })
  return problems
}

/** An app without data, given what is another's: it answers as if there were no other. */
async function readsOf(source: AnySource, { shared, alone }: Buses, entry: Entry): Promise<Problems> {
  const [verb] = entry
  const args = await argsOf((await freshApp(shared, source)).verbs, entry)
  if (args === undefined) return []
  const empty = await freshApp(shared, source)
  const reference = await freshApp(alone, source)
  const ask = (verbs: object) => () => answerOf(() => callOf(verbs, verb)(...args))
  if (!(await differsNow(ask(empty.verbs), ask(reference.verbs)))) return []
  return [`${verb}, given what is another app's, shows it: ${shown(await ask(empty.verbs)())}`]
}

const callOf = (verbs: object, verb: string) =>
  (verbs as Record<string, (...args: readonly unknown[]) => unknown>)[verb] as (...args: readonly unknown[]) => unknown

/** What the sample gives the verb, once it has prepared it; undefined where it does not call it. */
async function argsOf(verbs: object, entry: Entry): Promise<readonly unknown[] | undefined> {
  let found: readonly unknown[] | undefined
  await upTo(verbs, entry, (_, args) => {
    found = args
  })
  return found
}

/** The whole sample, and what each call of the verb answered. */
async function runAll(verbs: object, [verb, sample]: Entry): Promise<{ outcome: Outcome; answers: unknown[] }> {
  const answers: unknown[] = []
  const at = intercepted(verbs, verb, async (call, args) => {
    const answer = await call(...args)
    answers.push(answer)
    return answer
  })
  return { outcome: await outcomeOf(() => sample(at)), answers }
}

async function answerOf(ask: () => unknown): Promise<unknown> {
  const outcome = await outcomeOf(ask)
  return outcome.error === undefined ? outcome.value : `threw ${reasonOf(outcome.error)}`
}
