/** A verb that writes does all of it or nothing, and says what it did: by an event. */
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import type { AnySamples, Call } from './calls.ts'
import { callsOf, intercepted, outcomeOf, reasonOf, upTo } from './calls.ts'
import { sourceOf } from './parts.ts'
import type { Problems } from './samples.ts'
import { Spy, watchedBy } from './spy.ts'
import { busWith, changedTables, contents, freshApp } from './tested.ts'
import type { TestBus } from '../test-bus.ts'

/** More statements than this a verb may have; those after it are not made to fail. */
const MAX_STEPS = 20

/** Each verb that writes, without a caller's transaction: it emits, and when any step of it fails nothing is left. */
export async function checkAtomicity(plugin: AnyPlugin, samples: AnySamples): Promise<Problems> {
  const spy = new Spy()
  const watching = watchedBy(spy, plugin)
  const watched = sourceOf(watching)
  const tested = await busWith(watching, samples)
  const problems: Problems = []
  const quiet = new Set<string>(samples.quiet ?? [])
  for (const verb of quiet)
    if (!Object.hasOwn(samples.writes ?? {}, verb)) problems.push(`quiet names ${verb}, and writes does not`)
  for (const entry of callsOf(samples.writes)) {
    const [verb, sample] = entry
    const { verbs } = await freshApp(tested, watched, samples.filters)
    const { outcome, steps, emitted } = await asUsual(spy, verbs, verb, sample)
    if (outcome.error !== undefined) {
      problems.push(`${verb} threw: ${reasonOf(outcome.error)}`)
      continue
    }
    if (emitted === 0 && !quiet.has(verb))
      problems.push(`${verb} emitted no event: whoever waits for what it does never hears of it; see quiet`)
    if (emitted > 0 && quiet.has(verb)) problems.push(`quiet names ${verb}, which emitted ${emitted} events`)
    for (let step = 1; step <= Math.min(steps, MAX_STEPS); step++)
      problems.push(...(await failing({ spy, tested, watched, samples }, entry, step)))
  }
  return problems
}

/** The whole sample: how many steps the first call of the verb took, and how many events all of its calls emitted. */
async function asUsual(spy: Spy, verbs: object, verb: string, sample: Call) {
  let steps: number | undefined
  let emitted = 0
  const at = intercepted(verbs, verb, async (call, args) => {
    spy.watch()
    const result = await call(...args)
    steps ??= spy.steps.length
    emitted += spy.emitted
    return result
  })
  const outcome = await outcomeOf(() => sample(at))
  return { outcome, steps: steps ?? 0, emitted }
}

interface Stage {
  readonly spy: Spy
  readonly tested: TestBus
  readonly watched: AnySource
  readonly samples: AnySamples
}

async function failing(stage: Stage, entry: readonly [string, Call], step: number): Promise<Problems> {
  const { spy, tested, watched, samples } = stage
  const problems: Problems = []
  const { verbs } = await freshApp(tested, watched, samples.filters)
  const [verb] = entry
  await upTo(verbs, entry, async (call, args) => {
    const before = await contents(tested.db.pool)
    spy.watch(step)
    const outcome = await outcomeOf(() => call(...args))
    const { steps, emitted } = spy
    spy.watch()
    const failed = steps[step - 1]
    const changed = changedTables(before, await contents(tested.db.pool))
    const what = `step ${step} (${steps.slice(0, step).join(', ')})`
    if (outcome.error !== undefined && changed.length > 0)
      problems.push(
        `${verb} left something behind in ${changed.join(', ')} when ${what} failed: one context.transaction around all of it undoes it`,
      )
    // Whoever tries it again, and emits then, has not swallowed it.
    if (outcome.error === undefined && failed === 'emit' && emitted === 0 && changed.length > 0)
      problems.push(`${verb} resolved, and left something behind in ${changed.join(', ')}, though its emit failed`)
  })
  return problems
}
