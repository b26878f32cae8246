import { coreMigrations } from '@outbus/migrations'
import { expect, it } from 'vitest'
import { loadLines } from './line.ts'

it('takes migrations by number, in whatever order they are given', () => {
  const [line] = loadLines([{ name: 'core', migrations: { '0002_b': 'two', '0001_a': 'one' } }])
  expect(line?.migrations.map(({ name, number, text }) => [name, number, text])).toEqual([
    ['0001_a', 1, 'one'],
    ['0002_b', 2, 'two'],
  ])
})

it('gives a migration the same sum whatever line ends the checkout made', () => {
  const [unix] = loadLines([{ name: 'core', migrations: { '0001_a': 'a\nb\n' } }])
  const [windows] = loadLines([{ name: 'core', migrations: { '0001_a': 'a\r\nb\r\n' } }])
  expect(windows?.migrations[0]?.sha256).toBe(unix?.migrations[0]?.sha256)
})

it.each<[string, string[], string]>([
  ['a gap', ['0001_a', '0003_c'], '0002 is missing before 0003_c'],
  ['a late start', ['0002_b'], '0001 is missing before 0002_b'],
  ['a number twice', ['0001_a', '0001_b'], '0001_a and 0001_b have the same number'],
  ['a short number', ['001_a'], '"001_a" is not a name'],
  ['capitals', ['0001_A'], '"0001_A" is not a name'],
  ['the name of a file', ['0001_a.sql'], '"0001_a.sql" is not a name'],
  ['something else', ['0001_a', 'README'], '"README" is not a name'],
  ['nothing', [], 'has no migrations'],
])('refuses a line with %s, naming it', (_, names, message) => {
  const migrations = Object.fromEntries(names.map((name) => [name, '']))
  expect(() => loadLines([{ name: 'kv', migrations }])).toThrow(
    expect.objectContaining({ code: 'plugin.invalid', received: 'kv', message: expect.stringContaining(message) }),
  )
})

it('refuses a migration that is no text, such as the URL of its file', () => {
  const migrations = { '0001_a': new URL('0001_a.sql', import.meta.url) } as never
  expect(() => loadLines([{ name: 'kv', migrations }])).toThrow(
    expect.objectContaining({ code: 'plugin.invalid', message: expect.stringContaining('0001_a is no text') }),
  )
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
])('reads what a migration says: %s', (_, text, said) => {
  const [line] = loadLines([{ name: 'core', migrations: { '0001_a': text } }])
  expect(line?.migrations[0]?.directives).toEqual(said)
})

it.each([
  '-- outbus: older processes may start',
  '-- outbus: older processes may run.',
  '-- outbus:older process must stop',
  '-- outbus: older processes may run\n-- outbus: older processes must stop',
  '-- Not the first line.\n-- outbus: no transaction',
])('refuses a line for the bus that says nothing known, naming the migration: %s', (text) => {
  expect(() => loadLines([{ name: 'kv', migrations: { '0001_a': `${text}\nselect 1;\n` } }])).toThrow(
    expect.objectContaining({ code: 'plugin.invalid', message: expect.stringContaining('0001_a: "-- outbus:') }),
  )
})

it('says in each migration of core whether older processes may run beside it and start beside it', () => {
  // Those before could not: a file that was released never changes. docs/upgrades.md says it of them.
  const FIRST_THAT_SAYS = 15
  const [core] = loadLines([{ name: 'core', migrations: coreMigrations }])
  const silent = core?.migrations.filter(
    ({ number, directives }) => number >= FIRST_THAT_SAYS && directives.older === undefined,
  )
  expect(silent?.map(({ name }) => name)).toEqual([])
})

it('refuses two lines with one name, and a name that is none', () => {
  const migrations = { '0001_a': '' }
  const refused = (...names: string[]) =>
    expect(() => loadLines(names.map((name) => ({ name, migrations })))).toThrow(
      expect.objectContaining({ code: 'plugin.invalid' }),
    )
  refused('kv', 'kv')
  refused("kv'; drop table x")
})
