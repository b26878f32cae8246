/** A database with core's schema and that of some plugins, made once a server and copied for each test. */
import { createHash, randomBytes } from 'node:crypto'
import { createBus } from '@outbus/core'
import type { AnyPlugin } from '@outbus/core/plugin'
import { coreMigrations } from '@outbus/migrations'
import pino from 'pino'
import { withClient } from './connections.ts'

const made = new Map<string, Promise<string>>()

/**
 * Its name, which says what its migrations are: another process with the same ones uses the same template. What is wrong with the
 * plugins or their migrations is what `createBus` says of it, each time anew.
 */
export async function templateWith(serverUrl: string, plugins: readonly AnyPlugin[]): Promise<string> {
  // Whose migrations cannot be read has no template yet, and need not have one: they are createBus's to refuse.
  const hash = hashOf(plugins) ?? randomBytes(8).toString('hex')
  const name = `outbus_template_${hash}`
  let making = made.get(serverUrl + name)
  if (making === undefined) {
    making = make(serverUrl, name, hash, plugins)
    made.set(serverUrl + name, making)
    // It may be another reason the next time, or none: a server that was restarted, a migration that was mended.
    making.catch(() => made.delete(serverUrl + name))
  }
  await making
  return name
}

/** Undefined where it is no plugins. */
function hashOf(plugins: readonly AnyPlugin[]): string | undefined {
  const hash = createHash('sha256')
  try {
    const lines = [
      ['core', coreMigrations] as const,
      ...plugins.map(({ name, migrations }) => [name, migrations] as const),
    ]
    for (const [line, migrations = {}] of lines)
      for (const [name, text] of Object.entries(migrations).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        hash.update(`${line}/${name}\n`).update(text)
    return hash.digest('hex').slice(0, 16)
  } catch {
    return undefined
  }
}

async function make(serverUrl: string, name: string, hash: string, plugins: readonly AnyPlugin[]): Promise<string> {
  return withClient({ connectionString: serverUrl }, async (client) => {
    // One of several processes makes it, the others wait.
    await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [hash])
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name])
    if (rowCount === 1) return name
    const unfinished = `${name}_unfinished`
    await client.query(`drop database if exists ${unfinished}`)
    await client.query(`create database ${unfinished}`)
    const url = new URL(serverUrl)
    url.pathname = `/${unfinished}`
    try {
      const bus = await createBus({ database: url.href, plugins, migrate: true, log: pino({ level: 'silent' }) })
      await bus.stop()
    } catch (error) {
      // Nobody would ever take it up again where its name is of chance.
      await client.query(`drop database if exists ${unfinished} with (force)`)
      throw error
    }
    await client.query(`alter database ${unfinished} rename to ${name}`)
    return name
  })
}
