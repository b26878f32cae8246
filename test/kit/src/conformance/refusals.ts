/** A verb says in words of its own what Postgres refuses: a unique violation means something, and only the plugin knows what. */
import { isOutbusError } from '@outbus/core'
import type { AnyPlugin } from '@outbus/core/plugin'
import type { AnySamples } from './calls.ts'
import { callsOf, outcomeOf, reasonOf, upTo } from './calls.ts'
import { sourceOf } from './parts.ts'
import type { Problems } from './samples.ts'
import type { TestBus } from '../test-bus.ts'
import { busWith, freshApp } from './tested.ts'

/** So many callers ask for the same at once: what each of them looks for first, none of them finds. */
const AT_ONCE = 4
/** On a busy machine one caller may be through before the others look. */
const ROUNDS = 3

/** Undefined where the error says what it means: an `OutbusError` of the bus or of a plugin, and not what Postgres refused. */
export function databaseErrorIn(error: unknown): string | undefined {
  if (!isOutbusError(error)) return reasonOf(error)
  return error.code === 'database.refused' ? `database.refused (${error.sqlState}): ${error.message}` : undefined
}

/** So that nobody who asks at once has to wait for a connection, while another one is through. */
async function openConnections({ cx }: TestBus): Promise<void> {
  await Promise.all(Array.from({ length: AT_ONCE }, () => cx.triggers.list()))
}

/** The violations of constraints, a unique one above all. What locks and isolation refuse (class 40) is no verb's to explain. */
const OF_CONSTRAINT = /^23/

/** Each verb that writes, asked for the same twice, and by several callers at once. */
export async function checkRefusals(plugin: AnyPlugin, samples: AnySamples): Promise<Problems> {
  const source = sourceOf(plugin)
  const tested = await busWith(plugin, samples)
  const problems = new Set<string>()
  for (const entry of callsOf(samples.writes)) {
    const [verb] = entry
    const look = (how: string, error: unknown) => {
      const said = databaseErrorIn(error)
      if (
        error === undefined ||
        said === undefined ||
        (isOutbusError(error) && !OF_CONSTRAINT.test(error.sqlState ?? ''))
      )
        return
      problems.add(`${verb}, asked for the same ${how}, lets out what Postgres said: ${said}`)
    }
    await upTo((await freshApp(tested, source)).verbs, entry, async (call, args) => {
      for (let times = 0; times < 2; times++) look('twice', (await outcomeOf(() => call(...args))).error)
    })
    await openConnections(tested)
    for (let round = 0; round < ROUNDS; round++)
      await upTo((await freshApp(tested, source)).verbs, entry, async (call, args) => {
        const outcomes = await Promise.all(Array.from({ length: AT_ONCE }, () => outcomeOf(() => call(...args))))
        for (const { error } of outcomes) look(`by ${AT_ONCE} at once`, error)
      })
  }
  return [...problems]
}
