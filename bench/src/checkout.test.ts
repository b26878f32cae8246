import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { checkOut, linkPackages } from './checkout.ts'
import { UsageError } from '@outbus/test-kit/flags'

const root = await mkdtemp(join(tmpdir(), 'outbus-checkout-test-'))
afterAll(() => rm(root, { recursive: true, force: true }))

async function write(path: string, content: string): Promise<void> {
  await mkdir(join(root, path, '..'), { recursive: true })
  await writeFile(join(root, path), content)
}

test('with linked packages each tree imports its own workspaces, and the same third parties', async () => {
  await write('new/node_modules/pg/index.js', 'pg')
  await write('new/node_modules/@types/pg/index.d.ts', 'types')
  await write('new/core/index.ts', 'new core')
  await write('old/core/index.ts', 'old core')
  await mkdir(join(root, 'new/node_modules/@outbus'))
  await symlink('../../core', join(root, 'new/node_modules/@outbus/core'))

  await linkPackages(join(root, 'new/node_modules'), join(root, 'old/node_modules'))

  const read = (path: string) => readFile(join(root, 'old/node_modules', path), 'utf8')
  expect(await read('@outbus/core/index.ts')).toBe('old core')
  expect(await read('pg/index.js')).toBe('pg')
  expect(await read('@types/pg/index.d.ts')).toBe('types')
})

test.for(['no-such-commit', '--help', 'HEAD:README.md'])('%j is refused as no commit', async (commit) => {
  await expect(checkOut(commit, new AbortController().signal)).rejects.toThrow(UsageError)
})
