/** A migration line: numbered, forward-only SQL. Core has one, and so has each plugin with tables. */
import { createHash } from 'node:crypto'
import type { Migrations } from '../contract/plugin.ts'
import { OutbusError } from '../errors.ts'
import { directivesOf } from './directives.ts'
import type { Directives } from './directives.ts'

export interface MigrationLine {
  /** `core`, or the plugin's name. Its bookkeeping table is `migrations_<name>`. */
  readonly name: string
  /** `0001_create_outbox`, `0002_…`, without gaps. */
  readonly migrations: Migrations
}

export interface Migration {
  /** The file's name without `.sql`. */
  readonly name: string
  readonly number: number
  /** With `{schema}` still in it, and `\n` line ends in any checkout. */
  readonly text: string
  readonly directives: Directives
  /** The hash of `text`. An applied file must match the one in the database. */
  readonly sha256: string
}

export interface LoadedLine {
  readonly name: string
  /** By number, from 1, without gaps; at least one. */
  readonly migrations: readonly Migration[]
}

/** The rule for a plugin's name, because it becomes part of a table's name. */
const LINE_NAME = /^[a-z][a-z0-9_]{0,39}$/
const MIGRATION_NAME = /^(\d{4})_[a-z0-9]+(_[a-z0-9]+)*$/

export function loadLines(lines: readonly MigrationLine[]): LoadedLine[] {
  const seen = new Set<string>()
  for (const { name } of lines) {
    if (!LINE_NAME.test(name))
      refuse(name, 'a migration line is named in lower case, with at most 40 of a-z, 0-9 and _', 'rename the plugin')
    if (seen.has(name)) refuse(name, 'two migration lines have this name')
    seen.add(name)
  }
  return lines.map(loadLine)
}

function loadLine({ name, migrations }: MigrationLine): LoadedLine {
  const names = Object.keys(migrations).toSorted()
  if (names.length === 0) refuse(name, 'it has no migrations', 'leave migrations out where there are none')
  for (const each of names) {
    if (!MIGRATION_NAME.test(each))
      refuse(name, `${JSON.stringify(each)} is not a name for a migration`, 'like 0001_create_outbox')
  }
  const numbers = names.map((each) => Number(each.slice(0, 4)))
  for (const [index, number] of numbers.entries()) {
    if (number === index + 1) continue
    if (number === numbers[index - 1]) refuse(name, `${names[index - 1]} and ${names[index]} have the same number`)
    refuse(name, `${String(index + 1).padStart(4, '0')} is missing before ${names[index]}`)
  }
  return { name, migrations: names.map((each, index) => loadMigration(name, each, index + 1, migrations[each])) }
}

function loadMigration(line: string, name: string, number: number, given: string | undefined): Migration {
  if (typeof given !== 'string') refuse(line, `${name} is no text`, 'migrations are SQL by name')
  const text = given.replaceAll('\r\n', '\n')
  const directives = directivesOf(text, (said) =>
    refuse(line, `${name}: ${JSON.stringify(said)} is nothing that a migration says`, 'see docs/upgrades.md'),
  )
  return { name, number, text, directives, sha256: createHash('sha256').update(text).digest('hex') }
}

function refuse(line: string, problem: string, hint?: string): never {
  throw new OutbusError('plugin.invalid', `migration line ${line}: ${problem}`, {
    path: 'migrations',
    received: line,
    ...(hint === undefined ? {} : { hint }),
  })
}
