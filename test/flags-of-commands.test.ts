/** Whoever mistypes a flag of one of the repository's commands gets one line that names it, and exit code 64 at once. */
import { execFile } from 'node:child_process'
import { expect, test } from 'vitest'
import { readSeconds } from '@outbus/test-kit/flags'

const COMMANDS: readonly string[] = [
  'bench/src/main.ts',
  'bench/src/worst.ts',
  'demo/src/main.ts',
  'test/faults/main.ts',
  'test/fuzz/columns.ts',
  'test/fuzz/http/main.ts',
  'test/reference/sql.ts',
]

function run(file: string): Promise<{ readonly code: unknown; readonly said: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--conditions=outbus-source', file, '--minuts'], (error, _out, said) =>
      resolve({ code: error?.code, said }),
    )
  })
}

test.for(COMMANDS)('%s says in one line what is wrong with a flag', async (file) => {
  const { code, said } = await run(file)
  expect(said).toMatch(/^[^\n]*--minuts[^\n]*\n$/)
  expect(code).toBe(64)
})

test('a run goes on for seconds or minutes, by default for one', () => {
  expect(readSeconds({})).toBe(60)
  expect(readSeconds({ minutes: '3' })).toBe(180)
  expect(readSeconds({ seconds: '7', minutes: '3' })).toBe(7)
  for (const seconds of ['0', '1e3', '-1', '2000001']) expect(() => readSeconds({ seconds })).toThrow(/seconds/)
})
