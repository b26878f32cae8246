/** `npm run sql` knows every statement, and says of each what Postgres gets and who asks for it. */
import { UsageError } from '@outbus/test-kit/flags'
import { expect, test } from 'vitest'
import { describe, usersOf } from './described.ts'
import { sqlCommand } from './sql.ts'
import { readSource } from './source-files.ts'
import { findStatements, MAKERS, STATEMENT_FILES } from './statements.ts'

test('the statements are found, each by a name of its own', async () => {
  const found = await findStatements()
  expect(found.length).toBeGreaterThan(150)
  // A plugin is made of one template; the templates have some statements in common.
  const names = found.filter(({ file }) => !file.startsWith('plugin-template/')).map(({ name }) => name)
  // A bus keeps what it has bound by name: of two that share one, the second would never be sent.
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
})

test('each function that makes a statement is called for each of its forms', () => {
  const makers = STATEMENT_FILES.flatMap((file) =>
    readSource(file)
      .split(/^export function /m)
      .slice(1)
      .map((declared) => declared.slice(0, declared.indexOf(' {\n')))
      .filter((head) => /\): \w*Statement</.test(head))
      .map((head) => head.slice(0, head.search(/\W/))),
  )
  expect(makers.filter((maker) => maker !== 'writeStatement').toSorted()).toEqual(MAKERS.toSorted())
})

test('each says who calls it, and is imported by somebody', async () => {
  const found = await findStatements()
  expect(found.filter((each) => describe(each).caller === '').map(({ name }) => name)).toEqual([])
  expect(found.filter((each) => usersOf(each).length === 0).map(({ name }) => name)).toEqual([])
})

test('each has a parameter for each place in its text', async () => {
  const wrong = (await findStatements()).filter((statement) => {
    const { parameters } = describe(statement)
    const places = Math.max(0, ...[...statement.text.matchAll(/\$(\d+)/g)].map(([, place]) => Number(place)))
    // What a write takes beside its emit is the write's own to say.
    const isOpen = parameters.at(-1)?.name.startsWith('...') === true
    return isOpen ? places < parameters.length : places !== parameters.length
  })
  expect(wrong.map(({ name }) => name)).toEqual([])
})

test('a statement is shown as Postgres gets it', async () => {
  const shown = await sqlCommand(['take_back', '--schema=shop'])
  expect(shown).toContain('-- take_back, prepared as shop.take_back\n')
  expect(shown).toContain('-- core/src/sql/set-aside/take-back.ts, takeBack\n')
  expect(shown).toContain('Caller: SetAsideRows')
  expect(shown).toContain('core/src/set-aside/set-aside.ts')
  expect(shown).toContain('"shop".')
  expect(shown).not.toContain('{schema}')
  const catalogued = await sqlCommand(['countDeliveries'])
  expect(catalogued).toMatch(/pg_catalog\.count\(/)
})

test('the forms of what a function makes are shown together', async () => {
  const shown = await sqlCommand(['eraseCallers'])
  expect(shown.match(/^-- erase_callers_of_\w+, prepared as/gm)).toHaveLength(5)
  expect(shown).toContain("Made by eraseCallers('outbox')")
})

test('without a name each statement has one line', async () => {
  const lines = (await sqlCommand([])).trimEnd().split('\n')
  expect(lines).toHaveLength((await findStatements()).length)
  expect(lines.filter((line) => line.length > 120)).toEqual([])
})

test('a wrong name says what is near', async () => {
  await expect(sqlCommand(['clam_batch'])).rejects.toThrow(
    new UsageError('no statement is named "clam_batch"; near: claim_batch'),
  )
  await expect(sqlCommand(['take_si'])).rejects.toThrow(/near: .*take_singles/)
  await expect(sqlCommand(['zzzzzz'])).rejects.toThrow(/npm run sql lists them/)
  await expect(sqlCommand(['--schema=Shop'])).rejects.toThrow(UsageError)
})
