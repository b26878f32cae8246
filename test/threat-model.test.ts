/** The page of threats names every exploit that is kept as a test, and no test that is not there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const PAGE = new URL('../docs/threat-model.md', import.meta.url)
const TESTS = new URL('security/', import.meta.url)
const page = readFileSync(PAGE, 'utf8')
const linked = [...page.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, path = '']) => path)

test('each test of test/security is named in docs/threat-model.md: add a row for the threat that a new one tries', () => {
  const files = readdirSync(TESTS).filter((file) => file.endsWith('.test.ts'))
  expect(files.length).toBeGreaterThan(20)
  expect(files.filter((file) => !linked.includes(`../test/security/${file}`))).toEqual([])
})

test('each file that docs/threat-model.md names exists', () => {
  expect(linked.filter((path) => !existsSync(new URL(path, PAGE)))).toEqual([])
})

test('each threat names the test that proves its defence', () => {
  const [, section = ''] = page.split('## Threats, and the test that proves each defence')
  const rows = (section.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| threat'))
  expect(rows.length).toBeGreaterThan(20)
  expect(rows.filter((row) => !/\]\(\.\.\/[^)]+\.test\.ts\)/.test(row))).toEqual([])
})
