import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runStep, Worker } from './child.ts'

/** Answers as worker.ts does, and fails in every way that there is. */
const WORKER = `
process.on('message', ({ name }) => {
  if (name === 'open') process.send({ ok: true, result: process.argv.slice(2, 4) })
  if (name === 'close') process.send({ ok: false, message: 'it does not close' })
  if (name === 'prepare') {
    console.error('out of luck')
    process.exit(3)
  }
})
process.once('disconnect', () => process.exit())
process.send({ ok: true, result: 'ready' })
`

let sources = ''
beforeAll(async () => {
  sources = await mkdtemp(join(tmpdir(), 'outbus-bench-test-'))
  await writeFile(join(sources, 'worker.ts'), WORKER)
})
afterAll(() => rm(sources, { recursive: true, force: true }))

const task = { url: '', variant: '', quick: true, prepared: 0, postmaster: undefined }
const optionsWith = (signal = new AbortController().signal, limitMs = 20_000) => ({
  sources,
  limitMs,
  signal,
  cache: sources,
})

test('commands are answered one after the other by the same process', async () => {
  const worker = await Worker.start('outbus', 'drain', task, optionsWith())
  expect(await worker.call({ name: 'open' })).toEqual(['outbus', 'drain'])
  expect(await worker.call({ name: 'open' })).toEqual(['outbus', 'drain'])
  worker.end()
})

test('a command that fails says why, and its process is ended', async () => {
  const worker = await Worker.start('outbus', 'drain', task, optionsWith())
  await expect(worker.call({ name: 'close' })).rejects.toThrow('it does not close')
  await expect(worker.call({ name: 'open' })).rejects.toThrow('failed')
})

test('a process that exits is reported with what it has said last', async () => {
  await expect(runStep('outbus', 'drain', task, 'prepare', optionsWith())).rejects.toThrow('out of luck')
})

test('a command that takes too long ends with its process', async () => {
  const worker = await Worker.start('outbus', 'drain', task, optionsWith())
  const hanging = runStep('outbus', 'drain', task, 'measure', optionsWith(undefined, 1_000))
  await expect(hanging).rejects.toThrow('took longer than 1 s')
  // And nobody else's does.
  expect(await worker.call({ name: 'open' })).toHaveLength(2)
  worker.end()
})

test('an interrupted run waits for nobody', async () => {
  const interrupted = new AbortController()
  const worker = await Worker.start('outbus', 'drain', task, optionsWith(interrupted.signal))
  const measuring = worker.call({ name: 'measure' })
  interrupted.abort()
  await expect(measuring).rejects.toThrow('abort')
  await expect(worker.call({ name: 'open' })).rejects.toThrow('abort')
})
