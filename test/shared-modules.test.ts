/** Test files that need Postgres share their modules (vitest.config.ts): what one of them mocks must be gone for the next one. */
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OF_POSTGRES = [
  'test/{integration,security}/**/*.test.ts',
  '{core,plugins/*,plugin-template/*,test/*}/src/**/*.int.test.ts',
]

test('a file that mocks modules loads them anew, and leaves none that goes by its mock', () => {
  const mocking = OF_POSTGRES.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).flatMap((file) => {
    const text = readFileSync(`${ROOT}${file}`, 'utf8')
    const mocked = [...text.matchAll(/\bvi\.mock\(('[^']+')/g)].map(([, module]) => module as string)
    return mocked.length === 0 ? [] : [{ file, text, mocked }]
  })
  expect(mocking.map(({ file }) => file)).toContain('test/security/locks-held-by-others.test.ts')
  const careless = mocking.filter(({ text, mocked }) => {
    const after = text.slice(text.indexOf('afterAll('))
    const isUndone =
      mocked.every((module) => after.includes(`vi.doUnmock(${module})`)) && after.includes('vi.resetModules()')
    return !isUndone || !text.includes('vi.hoisted(() => vi.resetModules())')
  })
  expect(careless.map(({ file }) => file)).toEqual([])
})
