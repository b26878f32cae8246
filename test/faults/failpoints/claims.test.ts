/** A statement that gets rows to run and is not in these lists would be passed by every failpoint and mutant. */
import { readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { CLAIMS, TAKES } from './claims.ts'

const FOLDER = new URL('../../../core/src/sql/claim/', import.meta.url)

test('the lists have every statement that claims or takes rows', async () => {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  const modules = await Promise.all(
    files.map((name) => import(new URL(name, FOLDER).href) as Promise<Record<string, unknown>>),
  )
  const names = modules
    .flatMap((exported) => Object.values(exported))
    .map((value) => (value as { readonly name?: unknown } | null)?.name)
    .filter((name): name is string => typeof name === 'string' && /^(?:claim|take)_/.test(name))
  expect(names.length).toBeGreaterThan(10)
  expect([...CLAIMS, ...TAKES].map(({ name }) => name).toSorted()).toEqual(names.toSorted())
})
