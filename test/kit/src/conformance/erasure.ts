/** Check on a real Postgres: an app that is erased has left nothing in the tables of the source. */
import { createBus } from '@outbus/core'
import type { AnyPlugin } from '@outbus/core/plugin'
import pino from 'pino'
import type { AnySamples } from './calls.ts'
import { callsOf, outcomeOf } from './calls.ts'
import { sourceOf } from './parts.ts'
import type { Problems } from './samples.ts'
import { busWith, changedTables, contents, freshApp } from './tested.ts'

/** The audit tells who did what in an app, also in one that is gone. */
const OUTLIVES = 'audit'

/** Two apps call every verb that writes; one is erased; the tables are as the other one left them. */
export async function checkErasure(plugin: AnyPlugin, samples: AnySamples): Promise<Problems> {
  const source = sourceOf(plugin)
  const tested = await busWith(plugin, samples)
  const { pool, adminUrl } = tested.db
  const write = async ({ verbs }: Awaited<ReturnType<typeof freshApp>>) => {
    // Another check tells what a verb throws.
    for (const [, call] of callsOf(samples.writes)) await outcomeOf(async () => call(verbs))
  }
  await write(await freshApp(tested, source))
  const before = await contents(pool)
  const erased = await freshApp(tested, source, samples.filters)
  await write(erased)
  // As the owner of the tables, who may.
  await using owner = await createBus({ database: adminUrl, plugins: [plugin], log: pino({ level: 'silent' }) })
  await owner.apps.erase(erased.app)
  return changedTables(before, await contents(pool))
    .filter((table) => table !== OUTLIVES)
    .map(
      (table) =>
        `bus.apps.erase left rows of an app in ${table}: each row needs an app_id, or cascades with one that has it`,
    )
}

/** A bus with the source alone says of each of its tables how an erasure of somebody's data goes through it. */
export async function checkErasureOfData(plugin: AnyPlugin, samples: AnySamples): Promise<Problems> {
  const source = sourceOf(plugin)
  const tested = await busWith(plugin, samples)
  await using owner = await createBus({
    database: tested.db.adminUrl,
    plugins: [plugin],
    log: pino({ level: 'silent' }),
  })
  const where = { contains: { outbus: 'nobody is called so' } }
  const { app } = await freshApp(tested, source)
  const { notCovered } = await owner.apps.eraseData(app, { where })
  return notCovered.tables.map(
    (table) => `bus.apps.eraseData does not know ${table}: \`erase\` of the source has to say how its rows are erased`,
  )
}
