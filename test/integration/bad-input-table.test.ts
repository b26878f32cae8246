/** The table of bad input in the documentation: each test that it names is there and speaks of the code beside it. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const document = new URL('../../docs/bad-input.md', import.meta.url)
const rows = readFileSync(document, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:entry|---) /.test(line))
  .map((line) => line.split(' | '))

test('has its rows', () => {
  expect(rows.length).toBeGreaterThan(70)
})

test.for(rows.map(([entry = '', code = '', tests = '']) => [entry.slice(2), code, tests] as const))(
  '%s: %s',
  ([, code, tests]) => {
    const files = [...tests.matchAll(/\]\(([^)]+)\)/g)].map(([, file]) =>
      readFileSync(new URL(file ?? '', document), 'utf8'),
    )
    expect(files.length).toBeGreaterThan(0)
    const [, literal = ''] = /^`(.+)`$/.exec(code) ?? []
    expect(code === 'fine' || literal !== '').toBe(true)
    for (const text of files) expect(text).toContain(literal)
  },
)
