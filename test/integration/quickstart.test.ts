/** The README's quickstart is this file, and it runs. */
import { execFile } from 'node:child_process'
import { glob, readFile } from 'node:fs/promises'
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

test('no example in a document makes a pool that ends its process when Postgres ends an idle connection', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const careless: string[] = []
  let examples = 0
  for await (const document of glob('**/*.md', { cwd: root, exclude: ['**/node_modules/**', '**/dist/**'] })) {
    const text = await readFile(`${root}/${document}`, 'utf8')
    for (const [, code = ''] of text.matchAll(/^```[jt]s\n(.*?)^```/gms)) {
      examples++
      if (/new (\w+\.)?(Pool|Client)\(/.test(code) && !code.includes(".on('error'")) careless.push(document)
    }
  }
  expect(examples).toBeGreaterThan(10)
  expect(careless).toEqual([])
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
  expect(stdout).toBe('mailed a receipt for {"id":"o1","total":9} at attempt 1\n')
  const { rows } = await db.pool.query('select id, total from orders')
  expect(rows).toEqual([{ id: 'o1', total: 9 }])
})
