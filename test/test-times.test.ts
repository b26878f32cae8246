import { expect, it } from 'vitest'
import { reportOf } from './test-times.ts'

const files = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    project: i % 2 === 0 ? 'unit' : 'postgres-18',
    file: `file-${i}.test.ts`,
    ms: i * 1000,
  }))

it('names the ten longest files, longest first, the sum of each project and the time that npm test should take', () => {
  const lines = reportOf(files(12), 250_000).split('\n')
  expect(lines.slice(0, 6)).toEqual([
    'Test time by project, over all workers:',
    '   30.0 s  unit, 6 files',
    '   36.0 s  postgres-18, 6 files',
    '  250.0 s  by the clock; npm test has 240 s on two quiet cores',
    'The 10 longest files:',
    '   11.0 s  postgres-18  file-11.test.ts',
  ])
  expect(lines.slice(5, -1)).toHaveLength(10)
  expect(lines.at(-2)).toBe('    2.0 s  unit  file-2.test.ts')
})

it('says nothing of a run of a few files', () => {
  expect(reportOf(files(10), 1)).toBe('')
})
