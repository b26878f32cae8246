import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { coreMigrations } from '@outbus/migrations'
import { loadLines } from './line.ts'

async function folder(files: Record<string, string>): Promise<URL> {
  const path = await mkdtemp(join(tmpdir(), 'outbus-line-'))
  onTestFinished(() => rm(path, { recursive: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  return pathToFileURL(path)
}

it('reads files by number, with or without a slash at the end of the URL, and passes over hidden ones', async () => {
  const directory = await folder({ '0002_b.sql': 'two', '0001_a.sql': 'one', '.DS_Store': '' })
  const [line] = await loadLines([{ name: 'core', directory }])
  expect(line?.migrations.map(({ name, number, text }) => [name, number, text])).toEqual([
    ['0001_a', 1, 'one'],
    ['0002_b', 2, 'two'],
  ])
})

it('gives a file the same sum whatever line ends the checkout made', async () => {
  const [unix] = await loadLines([{ name: 'core', directory: await folder({ '0001_a.sql': 'a\nb\n' }) }])
  const [windows] = await loadLines([{ name: 'core', directory: await folder({ '0001_a.sql': 'a\r\nb\r\n' }) }])
  expect(windows?.migrations[0]?.sha256).toBe(unix?.migrations[0]?.sha256)
})

it.each<[string, string[], string]>([
  ['a gap', ['0001_a.sql', '0003_c.sql'], '0002 is missing before 0003_c.sql'],
  ['a late start', ['0002_b.sql'], '0001 is missing before 0002_b.sql'],
  ['a number twice', ['0001_a.sql', '0001_b.sql'], '0001_a.sql and 0001_b.sql have the same number'],
  ['a short number', ['001_a.sql'], '"001_a.sql" is not a name'],
  ['capitals', ['0001_A.sql'], '"0001_A.sql" is not a name'],
  ['code', ['0001_a.sql', '0002_b.js'], '"0002_b.js" is not a name'],
  ['something else', ['0001_a.sql', 'README.md'], '"README.md" is not a name'],
  ['nothing', [], 'has no migrations'],
])('refuses a line with %s, naming it', async (_, names, message) => {
  const directory = await folder(Object.fromEntries(names.map((name) => [name, ''])))
  await expect(loadLines([{ name: 'kv', directory }])).rejects.toMatchObject({
    code: 'plugin.invalid',
    received: 'kv',
    message: expect.stringContaining(message),
  })
})

it.each<[string, string, object]>([
  ['nothing', 'create table a ();\n-- outbus: anything\n', { transaction: true, older: undefined }],
  [
    'that older processes may start',
    '-- outbus: older processes may run and start\n',
    { transaction: true, older: 'may run and start' },
  ],
  [
    'so after other comments',
    '-- Why.\n\n-- outbus: older processes may run\nselect 1;',
    { transaction: true, older: 'may run' },
  ],
  [
    'that they must stop, outside of a transaction',
    '-- outbus: no transaction\n-- outbus: older processes must stop\n',
    { transaction: false, older: 'must stop' },
  ],
])('reads what a migration says: %s', async (_, text, said) => {
  const [line] = await loadLines([{ name: 'core', directory: await folder({ '0001_a.sql': text }) }])
  expect(line?.migrations[0]?.directives).toEqual(said)
})

it.each([
  '-- outbus: older processes may start',
  '-- outbus: older processes may run.',
  '-- outbus:older process must stop',
  '-- outbus: older processes may run\n-- outbus: older processes must stop',
  '-- Not the first line.\n-- outbus: no transaction',
])('refuses a line for the bus that says nothing known, naming the file: %s', async (text) => {
  const directory = await folder({ '0001_a.sql': `${text}\nselect 1;\n` })
  await expect(loadLines([{ name: 'kv', directory }])).rejects.toMatchObject({
    code: 'plugin.invalid',
    message: expect.stringContaining('0001_a.sql: "-- outbus:'),
  })
})

it('says in each migration of core whether older processes may run beside it and start beside it', async () => {
  // Those before could not: a file that was released never changes. docs/upgrades.md says it of them.
  const FIRST_THAT_SAYS = 15
  const [core] = await loadLines([{ name: 'core', directory: coreMigrations }])
  const silent = core?.migrations.filter(
    ({ number, directives }) => number >= FIRST_THAT_SAYS && directives.older === undefined,
  )
  expect(silent?.map(({ name }) => name)).toEqual([])
})

it('refuses two lines with one name, a name that is no source name, and a folder that is not there', async () => {
  const directory = await folder({ '0001_a.sql': '' })
  const refused = (lines: Parameters<typeof loadLines>[0]) =>
    expect(loadLines(lines)).rejects.toMatchObject({ code: 'plugin.invalid' })
  await refused([
    { name: 'kv', directory },
    { name: 'kv', directory },
  ])
  await refused([{ name: "kv'; drop table x", directory }])
  await refused([{ name: 'kv', directory: new URL('no-such-folder/', import.meta.url) }])
})
