/** Every snippet of docs/plugins.md stands in the example that its tests run. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import { expect, test } from 'vitest'

const EXAMPLE = new URL('examples/bookings/', import.meta.url)
const GUIDE = new URL('../../docs/plugins.md', import.meta.url)

/** As it is whatever the indentation. */
function linesOf(code: string): string {
  return code
    .trim()
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
}

test('the guide shows what the example is, to the letter', async () => {
  const names = (await readdir(EXAMPLE, { recursive: true })).filter((name) => name.endsWith('.ts'))
  const files = await Promise.all(names.map(async (name) => linesOf(await readFile(new URL(name, EXAMPLE), 'utf8'))))
  const guide = await readFile(GUIDE, 'utf8')
  const snippets = [...guide.matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => linesOf(code))
  expect(snippets.length).toBeGreaterThan(8)
  expect(snippets.filter((snippet) => !files.some((file) => file.includes(snippet)))).toEqual([])
})

test.for(['a database of the reader', 'none'])(
  'the example does what the guide says, and ends by itself, with %s',
  async (which) => {
    const { DATABASE_URL: _, ...env } = process.env
    const given = which === 'none' ? {} : { DATABASE_URL: (await useTestDatabase()).adminUrl }
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=outbus-source', fileURLToPath(new URL('use.ts', EXAMPLE))],
      { env: { ...env, ...given } },
    )
    expect(stdout).toBe('written rooms\n')
  },
)

test('the guide names every member of the contract', async () => {
  const interfaces = [
    ['plugin.ts', 'export interface Plugin<'],
    ['source.ts', 'export interface EventSource<'],
    ['target.ts', 'export interface Target<'],
  ] as const
  const bodies = interfaces.map(async ([file, opening]) => {
    const contract = await readFile(new URL(`../../core/src/contract/${file}`, import.meta.url), 'utf8')
    const from = contract.indexOf(opening)
    return contract.slice(from, contract.indexOf('\n}\n', from))
  })
  const members = (await Promise.all(bodies)).flatMap((body) =>
    [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[(:]/gm)].map(([, name]) => name),
  )
  const guide = await readFile(GUIDE, 'utf8')
  const reference = guide.slice(guide.indexOf('## Every member of the contract'))
  expect(members.length).toBeGreaterThan(25)
  expect(members.filter((name) => !reference.includes(`\`${name}`))).toEqual([])
})
