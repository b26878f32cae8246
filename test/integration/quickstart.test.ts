/** The README's quickstart is this file, and it runs. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import { expect, test } from 'vitest'

const example = new URL('examples/quickstart.ts', import.meta.url)
const readme = new URL('../../README.md', import.meta.url)

test('the quickstart in the README is the example that is run here, to the letter', async () => {
  const [code, text] = await Promise.all([readFile(example, 'utf8'), readFile(readme, 'utf8')])
  expect(text).toContain(`\`\`\`ts\n${code}\`\`\`\n`)
})

test('the quickstart does what it says, and ends by itself', async () => {
  const db = await useTestDatabase()
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=outbus-source', fileURLToPath(example)],
    {
      env: { ...process.env, DATABASE_URL: db.adminUrl },
    },
  )
  expect(stdout).toBe('welcomed ada at attempt 1\n')
  const { rows } = await db.pool.query('select name from signups')
  expect(rows).toEqual([{ name: 'ada' }])
})
