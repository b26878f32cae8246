/**
 * A migration line: a folder of numbered, forward-only `.sql` files. Core has one, and so has each plugin with tables.
 */
import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { OutbusError } from '../errors.ts'
import { directivesOf } from './directives.ts'
import type { Directives } from './directives.ts'

export interface MigrationLine {
  /** `core`, or the source's name. Its bookkeeping table is `migrations_<name>`. */
  readonly name: string
  /** The folder of its files: `0001_create_outbox.sql`, `0002_…`, without gaps. Hidden files are ignored. */
  readonly directory: URL
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
  readonly path: string
  /** By number, from 1, without gaps; at least one. */
  readonly migrations: readonly Migration[]
}

/** The rule for a source's name, because it becomes part of a table's name. */
const LINE_NAME = /^[a-z][a-z0-9_]{0,39}$/
const FILE_NAME = /^(\d{4})_[a-z0-9]+(_[a-z0-9]+)*\.sql$/

export async function loadLines(lines: readonly MigrationLine[]): Promise<LoadedLine[]> {
  const seen = new Set<string>()
  for (const { name } of lines) {
    if (!LINE_NAME.test(name))
      refuse(name, 'a migration line is named like a source: lower case, at most 40 characters')
    if (seen.has(name)) refuse(name, 'two migration lines have this name')
    seen.add(name)
  }
  return Promise.all(lines.map(loadLine))
}

async function loadLine({ name, directory }: MigrationLine): Promise<LoadedLine> {
  const path = fileURLToPath(directory)
  const files = await filesIn(name, path)
  if (files.length === 0)
    refuse(name, `its folder ${path} has no migrations`, 'is it among the "files" of its package.json?')
  for (const file of files) {
    if (!FILE_NAME.test(file))
      refuse(name, `${JSON.stringify(file)} is not a name for a migration`, 'like 0001_create_outbox.sql')
  }
  const numbers = files.map((file) => Number(file.slice(0, 4)))
  for (const [index, number] of numbers.entries()) {
    if (number === index + 1) continue
    if (number === numbers[index - 1]) refuse(name, `${files[index - 1]} and ${files[index]} have the same number`)
    refuse(name, `${String(index + 1).padStart(4, '0')} is missing before ${files[index]}`)
  }
  const migrations = await Promise.all(
    files.map(async (file, index) => {
      const text = (await readFile(new URL(file, withSlash(directory)), 'utf8')).replaceAll('\r\n', '\n')
      return {
        name: file.slice(0, -'.sql'.length),
        number: index + 1,
        text,
        directives: directivesOf(text, (said) =>
          refuse(name, `${file}: ${JSON.stringify(said)} is nothing that a migration says`, 'see docs/upgrades.md'),
        ),
        sha256: createHash('sha256').update(text).digest('hex'),
      }
    }),
  )
  return { name, path, migrations }
}

async function filesIn(line: string, path: string): Promise<string[]> {
  try {
    return (await readdir(path)).filter((file) => !file.startsWith('.')).toSorted()
  } catch (cause) {
    throw new OutbusError('plugin.invalid', `migration line ${line}: its folder ${path} cannot be read`, {
      path: 'migrations',
      cause,
    })
  }
}

function withSlash(directory: URL): URL {
  return directory.pathname.endsWith('/') ? directory : new URL(`${directory.href}/`)
}

function refuse(line: string, problem: string, hint?: string): never {
  throw new OutbusError('plugin.invalid', `migration line ${line}: ${problem}`, {
    path: 'migrations',
    received: line,
    ...(hint === undefined ? {} : { hint }),
  })
}
