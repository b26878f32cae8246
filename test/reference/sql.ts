/**
 * `npm run sql -- <statement>` prints a statement of core or of a plugin as Postgres gets it, and who calls it. Without a name it
 * lists all of them. The name may be that of the statement (`claim_batch`) or of what its file exports (`claimBatch`).
 */
import { parseFlags, runCommand, UsageError } from '@outbus/test-kit/flags'
import { isOutbusError } from '../../core/src/errors.ts'
import { assertSchemaName } from '../../core/src/migrate/schema-name.ts'
import { boundTo } from '../../core/src/postgres/statement.ts'
import { nearest } from '../../core/src/validation/nearest.ts'
import { describe, usersOf } from './described.ts'
import type { FoundStatement } from './statements.ts'
import { findStatements } from './statements.ts'

const COLUMNS = 120
const MOST_NEAR = 8

/** What the command prints. A wrong name or flag is a `UsageError`. */
export async function sqlCommand(args: readonly string[]): Promise<string> {
  const { schema = 'outbus' } = parseFlags(
    { schema: { type: 'string' } },
    'a name and --schema=NAME',
    args.filter((arg) => arg.startsWith('-')),
  )
  assertSchema(schema)
  const names = args.filter((arg) => !arg.startsWith('-'))
  const found = await findStatements()
  if (names.length === 0) return listed(found)
  return names
    .flatMap((name) => named(found, name))
    .map((statement) => shown(statement, schema))
    .join('\n')
}

function assertSchema(schema: string): void {
  try {
    assertSchemaName(schema)
  } catch (error) {
    if (!isOutbusError(error)) throw error
    throw new UsageError(`--schema: ${error.message}`, { cause: error })
  }
}

/** One by its name; or all that the function of this name makes. */
function named(found: readonly FoundStatement[], asked: string): readonly FoundStatement[] {
  const name = snakeCase(asked)
  const exact = found.filter((each) => each.name === name)
  const chosen = exact.length > 0 ? exact : found.filter(({ exported }) => snakeCase(exported) === name)
  if (chosen.length > 0) return chosen
  const known = [...new Set(found.flatMap((each) => [each.name, snakeCase(each.exported)]))].toSorted()
  const near = [...new Set([nearest(name, known) ?? [], known.filter((each) => each.includes(name))].flat())]
  const hint = near.length === 0 ? 'npm run sql lists them' : `near: ${near.slice(0, MOST_NEAR).join(', ')}`
  throw new UsageError(`no statement is named ${JSON.stringify(asked)}; ${hint}`)
}

function snakeCase(name: string): string {
  return name
    .replaceAll(/(?<=[a-z\d])(?=[A-Z])/g, '_')
    .replaceAll('-', '_')
    .toLowerCase()
}

function listed(found: readonly FoundStatement[]): string {
  const sorted = found.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const width = Math.max(...sorted.map(({ name }) => name.length))
  return sorted
    .map((statement) => {
      const line = `${statement.name.padEnd(width)}  ${roomOf(statement).padEnd(12)}  ${describe(statement).caller}`
      return `${line.length > COLUMNS ? `${line.slice(0, COLUMNS - 1)}…` : line}\n`
    })
    .join('')
}

/** `claim` of core, or the name of a plugin. */
function roomOf({ file }: FoundStatement): string {
  const [, plugin, room] = /^(?:plugins\/(\w+)|core|plugin-template\/\w+)\/src\/sql\/(\w[\w-]*)?/.exec(file) ?? []
  return plugin ?? (file.startsWith('core/') ? (room ?? '') : 'template')
}

/** As comments of SQL and its text, so that all of it can be pasted into psql. */
function shown(statement: FoundStatement, schema: string): string {
  const { name, text } = boundTo(schema, statement)
  const { says, caller, parameters, row, signature } = describe(statement)
  const users = usersOf(statement)
  const comments = [
    `${statement.name}, prepared as ${name}`,
    `${statement.file}, ${statement.exported}`,
    ...(statement.madeBy === undefined
      ? []
      : [`Made by ${statement.madeBy}. The statement is another one for each argument of ${signature}.`]),
    ...(says === '' ? [] : [says]),
    ...(says.includes(caller) ? [] : [`Caller: ${caller}.`]),
    `Used in: ${users.length === 0 ? 'no other file' : users.join(', ')}`,
    ...table(parameters.map(({ name: of, type, cast, says: what }, i) => [`$${i + 1}`, of, cast ?? '', type, what])),
    row === 'never'
      ? 'Answers with no row.'
      : `Each row: ${row}${statement.raw ? ', unparsed, as an array of texts' : ''}`,
  ]
  return `${comments.map(asComment).join('')}${text};\n`
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)))
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Lines of at most 120 columns, but for one that is a single word. What follows the first is indented as that is. */
function asComment(text: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/(?<=\S)(?= )/)) {
    if (line !== '' && `-- ${line}${word}`.length > COLUMNS) {
      lines.push(line)
      line = `  ${word.trimStart()}`
    } else line += word
  }
  return [...lines, line].map((each) => `-- ${each}\n`).join('')
}

if (import.meta.main)
  await runCommand('sql', async () => {
    process.stdout.write(await sqlCommand(process.argv.slice(2)))
    return 0
  })
