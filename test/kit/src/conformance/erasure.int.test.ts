/** The check of the kit for erasure catches rows that do not say whose they are, and lets through those that go with others. */
import { statement } from '@outbus/core/plugin'
import type { AnyPlugin, AnySource, SourceContext } from '@outbus/core/plugin'
import { expect, test } from 'vitest'
import { samples, things, THINGS } from '../testing/things.ts'
import type { ThingsContext } from '../testing/things.ts'
import { checkErasure, checkErasureOfData } from './erasure.ts'
import { sourceOf } from './parts.ts'

const addBoth = statement<[appId: string, name: string], never>(
  'testing_add_both',
  `with thing as (insert into {schema}.things (app_id, name) values ($1, $2) returning app_id, name)
insert into {schema}.notes (owner, name) select app_id, name from thing`,
)

/** What `add` writes, it writes to two tables. */
function withNotes(notes: string, broken: Partial<AnySource> = {}): AnyPlugin {
  const kept = sourceOf(things())
  const add = (context: ThingsContext) => (name: string) =>
    context.transaction(async (tx) => {
      await tx.run(addBoth, [context.app, name])
      await tx.emit([{ op: 'added', name, detail: null }])
    })
  const api = (context: SourceContext) => ({ ...(kept.api(context) as object), add: add(context as never) })
  return things({ api, ...broken }, { '0001_create_things': THINGS + notes })
}

test.for<[what: string, notes: string, problems: readonly unknown[]]>([
  [
    'a table that calls it otherwise is named',
    'create table {schema}.notes (owner text, name text);\n',
    [expect.stringContaining('left rows of an app in notes')],
  ],
  [
    'rows that cascade with others are gone as well',
    'create table {schema}.notes (owner text, name text, foreign key (owner, name) references {schema}.things on delete cascade);\n',
    [],
  ],
  [
    'rows that others refer to go after them, whatever the tables are called',
    `create table {schema}.notes (owner text, name text, app_id text generated always as (owner) stored, primary key (owner, name));
alter table {schema}.things add foreign key (app_id, name) references {schema}.notes (owner, name);\n`,
    [],
  ],
])('%s', async ([, notes, problems]) => {
  expect(await checkErasure(withNotes(notes), samples)).toEqual(problems)
})

test('a table that the source says nothing of is named, and so is none that it says has no payload', async () => {
  const notes = 'create table {schema}.notes (app_id text, name text);\n'
  expect(await checkErasureOfData(withNotes(notes), samples)).toEqual([expect.stringContaining('does not know notes')])
  const said = withNotes(notes, { erase: { notes: 'no payload', things: 'no payload' } })
  expect(await checkErasureOfData(said, samples)).toEqual([])
})
