/** Migrations under duress, on schemas of their own beside the load: they check themselves. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createBus } from '@outbus/core'
import { urlAs } from '@outbus/test-kit'
import type { Fault, World } from '../world.ts'
import { migratingOptions } from './migrating.ts'
import type { MigratingSettings } from './migrating.ts'
import { migratedAs } from './migrated-schema.ts'
import { between } from './tools.ts'

const run = promisify(execFile)
const SCRIPT = fileURLToPath(new URL('migrating-process.ts', import.meta.url))
const AT_ONCE = 10
/** How many statements are killed in a strike. Which ones is drawn anew each time. */
const KILLS_A_STRIKE = 6

export const MIGRATION_FAULTS: readonly Fault[] = [
  { name: 'migration-by-ten', strike: (world, open) => undisturbed(open, () => migrateByTen(world)) },
  {
    name: 'migration-killed',
    strike: (world, open) => undisturbed(open, () => killAtStatements(world, KILLS_A_STRIKE)),
  },
]

/** Nobody of the load may notice. */
async function undisturbed(open: Parameters<Fault['strike']>[1], work: () => Promise<void>): Promise<void> {
  const window = open([])
  try {
    await work()
  } finally {
    window.close()
  }
}

/** All start on a database that has no schema yet; none may fail. */
function migrateByTen(world: World): Promise<void> {
  return withSchemas(world, async (schemaOf) => {
    const [expected, schema] = [schemaOf(), schemaOf()]
    await migrate(world, { schema: expected })
    await Promise.all(Array.from({ length: AT_ONCE }, () => migrate(world, { schema })))
    await assertAlike(world, schema, expected, `migrated by ${AT_ONCE} at once`)
  })
}

/** Killed at each of some statements, drawn from all (all of them where `kills` is infinite), and migrated to the end by the next. */
function killAtStatements(world: World, kills: number): Promise<void> {
  return withSchemas(world, async (schemaOf) => {
    const expected = schemaOf()
    const statements = await migrate(world, { schema: expected })
    const left = Array.from({ length: statements }, (_, i) => i + 1)
    for (let kill = 0; kill < kills && left.length > 0 && !world.over.aborted; kill++) {
      const [killedAt] = left.splice(kills === Infinity ? 0 : between(world, 0, left.length - 1), 1)
      if (killedAt === undefined) return
      const sent = world.random() < 0.5
      const schema = schemaOf()
      await assertKilled(world, { schema, killedAt, sent })
      await migrateHere(world, schema)
      await assertAlike(
        world,
        schema,
        expected,
        `killed ${sent ? 'in' : 'before'} statement ${killedAt} of ${statements}`,
      )
    }
  })
}

async function migrateHere(world: World, schema: string): Promise<void> {
  const bus = await createBus(migratingOptions(migratorOf(world), schema))
  await bus.stop()
}

/** It owns what it makes, and may do no more. */
function migratorOf({ server }: World): string {
  return urlAs(server.url, 'outbus_migrator')
}

/** Migrates in a process of its own, and answers with how many statements it took. */
async function migrate(world: World, settings: Omit<MigratingSettings, 'url'>): Promise<number> {
  const whole: MigratingSettings = { url: migratorOf(world), ...settings }
  const { stdout } = await run(process.execPath, ['--conditions=outbus-source', SCRIPT, JSON.stringify(whole)])
  return Number(stdout)
}

async function assertKilled(world: World, settings: Omit<MigratingSettings, 'url'>): Promise<void> {
  try {
    await migrate(world, settings)
  } catch (error) {
    if ((error as { signal?: string }).signal === 'SIGKILL') return
    throw error
  }
  throw new Error(`a process that migrates was to be killed at statement ${settings.killedAt}, and ended in peace`)
}

async function assertAlike(world: World, schema: string, expected: string, how: string): Promise<void> {
  const [is, should] = [await migratedAs(world.admin, schema), await migratedAs(world.admin, expected)]
  const missing = should.filter((line) => !is.includes(line))
  const besides = is.filter((line) => !should.includes(line))
  if (missing.length === 0 && besides.length === 0 && is.length === should.length) return
  throw new Error(
    `the schema ${how} is not that of an untroubled migration: ${JSON.stringify({ missing, besides }, undefined, 1)}`,
  )
}

/** Names of schemas that are dropped afterwards. */
async function withSchemas(world: World, work: (schemaOf: () => string) => Promise<void>): Promise<void> {
  const schemas: string[] = []
  try {
    await work(() => {
      const schema = `migrated_${randomUUID().replaceAll('-', '').slice(0, 12)}`
      schemas.push(schema)
      return schema
    })
  } finally {
    for (const schema of schemas) await world.admin.query(`drop schema if exists ${schema} cascade`)
  }
}
