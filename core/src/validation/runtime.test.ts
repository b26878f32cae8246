import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeClient, openPool } from '@outbus/test-kit/connections'
import { expect, onTestFinished, test } from 'vitest'
import { createBus } from '../bus.ts'
import { assertNode, assertPg } from './runtime.ts'

test.for(['22.12.0', '22.13.1', '23.0.0', '24.21.0', '100.0.0', '24.0.0-nightly2025'])('Node %s will do', (version) => {
  expect(() => assertNode(version)).not.toThrow()
})

test.for(['22.11.9', '22.2.0', '20.19.5', '18.0.0', '0.10.48'])('Node %s is refused by name', (version) => {
  expect(() => assertNode(version)).toThrow(
    expect.objectContaining({
      code: 'runtime.unsupported',
      message: `Outbus needs Node 22.12 or newer, and this is ${version} (upgrade Node)`,
    }),
  )
})

/** A pool as `pg` of before 8.17 makes it: its clients do not know the state of their transaction. */
function poolOfClients(Client: unknown) {
  return openPool({ Client } as object)
}

/** Loads a package that is called `pg`, of this version, with the layout of the real one. */
async function oldPg(version: string): Promise<unknown> {
  const folder = await mkdtemp(join(tmpdir(), 'outbus-old-pg-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'lib'))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'pg', version }))
  await writeFile(join(folder, 'lib/index.js'), 'module.exports = { Client: class Client {} }')
  return (createRequire(import.meta.url)(join(folder, 'lib/index.js')) as { Client: unknown }).Client
}

test('a pool of a pg that is too old is refused at createBus, by name and version', async () => {
  const pool = poolOfClients(await oldPg('8.16.3'))
  await expect(createBus({ database: pool })).rejects.toMatchObject({
    code: 'options.invalid',
    path: 'database',
    message:
      'createBus: the pool is one of pg older than 8.17, and this is 8.16.3 (upgrade pg to 8.17 or newer, or pass a URL)',
  })
})

test('where its version cannot be told, the one that is needed is', () => {
  expect(() => assertPg(poolOfClients(Map))).toThrow(/the pool is one of pg older than 8\.17 \(/)
})

test('a pool of any copy of pg that is new enough will do', () => {
  class Copy {
    getTransactionStatus() {
      return 'I'
    }
  }
  expect(() => assertPg(poolOfClients(Copy))).not.toThrow()
  expect(() => assertPg(poolOfClients(makeClient({}).constructor))).not.toThrow()
})
