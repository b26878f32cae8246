/** The check of the kit for erasure catches rows that do not say whose they are, and lets through those that go with others. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { statement } from '@outbus/core'
import type { AnySource, SourceContext } from '@outbus/core'
import { expect, onTestFinished, test } from 'vitest'
import { samples, things } from '../testing/things.ts'
import type { ThingsContext } from '../testing/things.ts'
import { checkErasure, checkErasureOfData } from './erasure.ts'

const THINGS = `create table {schema}.things (app_id text not null, name text not null, primary key (app_id, name));\n`
const addBoth = statement<[appId: string, name: string], never>(
  'testing_add_both',
  `with thing as (insert into {schema}.things (app_id, name) values ($1, $2) returning app_id, name)
insert into {schema}.notes (owner, name) select app_id, name from thing`,
)

/** What `add` writes, it writes to two tables. */
async function withNotes(notes: string): Promise<AnySource> {
  const folder = await mkdtemp(join(tmpdir(), 'outbus-erasure-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, '0001_create_things.sql'), THINGS + notes)
  const kept = things({ migrations: pathToFileURL(`${folder}/`) })
  const add = (context: ThingsContext) => (name: string) =>
    context.transaction(async (tx) => {
      await tx.run(addBoth, [context.app, name])
      await tx.emit([{ op: 'added', name, detail: null }])
    })
  return {
    ...kept,
    api: (context: SourceContext) => ({ ...(kept.api(context) as object), add: add(context as never) }),
  }
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
  const source = await withNotes(notes)
  expect(await checkErasure(source, samples)).toEqual(problems)
})

test('a table that the source says nothing of is named, and so is none that it says has no payload', async () => {
  const source = await withNotes('create table {schema}.notes (app_id text, name text);\n')
  expect(await checkErasureOfData(source, samples)).toEqual([expect.stringContaining('does not know notes')])
  const said: AnySource = { ...source, erase: { notes: 'no payload', things: 'no payload' } }
  expect(await checkErasureOfData(said, samples)).toEqual([])
})
