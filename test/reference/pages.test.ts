/** docs/reference says what the code says. */
import { expect, test } from 'vitest'
import { DEFAULT_QUOTAS } from '../../core/src/contract/quotas.ts'
import { checkedPages } from './main.ts'
import { OPTION_SHAPES, optionsWithinReach } from './pages.ts'
import { shapeOf, splitDefault } from './shapes.ts'

test('docs/reference is made of types, schemas and docstrings: npm run docs:reference', async () => {
  for (const { file, is, shouldBe } of await checkedPages())
    expect(is, `docs/reference/${file}: npm run docs:reference`).toBe(shouldBe)
})

test('every options type of core is on the page of options', () => {
  expect(optionsWithinReach().length).toBeGreaterThan(15)
  expect(optionsWithinReach().filter((name) => !OPTION_SHAPES.includes(name))).toEqual([])
})

test('a docstring whose default is not the one of the code is refused', () => {
  expect(shapeOf('Quotas', 'core/src', { defaults: DEFAULT_QUOTAS })).toContain('| `triggers` |')
  expect(() => shapeOf('Quotas', 'core/src', { defaults: { ...DEFAULT_QUOTAS, triggers: 20_000 } })).toThrow(
    'the docstring of triggers says that its default is 10,000, and the code says 20000',
  )
})

test.for<[doc: string, byDefault: string | undefined, says: string]>([
  ['Rows a claim takes. Default 500.', '500', 'Rows a claim takes.'],
  ['Default: `database`.', '`database`', ''],
  ['Jitter. Default 0.2; for `custom` none. Else more.', '0.2; for `custom` none', 'Jitter. Else more.'],
  ['A limit. Default, and null: no limit.', 'no limit, as null says', 'A limit.'],
  ['0 to 1023, by default 30.', undefined, '0 to 1023, by default 30.'],
])('the default of %j is found', ([doc, byDefault, says]) => {
  expect(splitDefault(doc)).toEqual({ byDefault, says })
})
