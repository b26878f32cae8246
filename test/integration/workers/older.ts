/**
 * Processes of an earlier version of this repository, beside the present schema: its files as a commit has them, with the modules that
 * are installed here. The commit is the last one before docs/upgrades.md; each release takes the place of the one before.
 */
import { execFileSync, fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { OLDER_COMMIT } from './older-commit.ts'

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))
const PACKAGES = ['core', 'migrations', 'plugins/kv'] as const

/** What the process is told by its parent: the name of a call and what it takes. Its answer is `result`, or `error`. */
const PROCESS = `
import { createBus, withTransaction } from '@outbus/core'
import { kv } from '@outbus/kv'
import pg from 'pg'
import pino from 'pino'

const [url, migrate] = JSON.parse(process.argv[2])
let bus
const calls = {
  open: async () => {
    bus = await createBus({ database: url, sources: [kv()], migrate, app: 'shop', log: pino({ level: 'silent' }) })
    bus.handle('f', ({ trigger, event, attempt }) => void process.send({ ran: { trigger: trigger.name, key: event.key, attempt } }))
  },
  start: () => bus.start(),
  stop: () => bus.stop({ graceMs: 1_000 }),
  trigger: async (input) => (await bus.context().triggers.create(input)).id,
  update: async (id, patch) => void (await bus.context().triggers.update(id, patch)),
  remove: (id) => bus.context().triggers.delete(id),
  emit: async (event, options) => (await bus.context().emit('kv', event, options)).deliveries,
  set: async (collection, key, value) => (await bus.context().kv.set(collection, key, value)).deliveries,
}
process.on('message', async ({ id, call, args }) => {
  try {
    process.send({ id, result: await calls[call](...args) })
  } catch (error) {
    process.send({ id, error: { code: error.code, message: error.message } })
  }
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })
`

interface Ran {
  readonly trigger: string
  readonly key: string
  readonly attempt: number
}

type Message =
  | { readonly ready: true }
  | { readonly ran: Ran }
  | { readonly id: number; readonly result?: unknown; readonly error?: { code?: string; message: string } }

/** The files of the commit in a folder of their own, removed with the test. */
export async function checkOutOlder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'outbus-older-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const archive = execFileSync('git', ['archive', OLDER_COMMIT, ...PACKAGES], {
    cwd: REPOSITORY,
    maxBuffer: 64 * 2 ** 20,
  })
  execFileSync('tar', ['--extract', '--directory', folder], { input: archive })
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, '@outbus'), { recursive: true })
  for (const name of await readdir(join(REPOSITORY, 'node_modules'))) {
    if (name === '@outbus' || name.startsWith('.')) continue
    await symlink(join(REPOSITORY, 'node_modules', name), join(modules, name))
  }
  for (const path of PACKAGES) await symlink(join(folder, path), join(modules, '@outbus', path.replace('plugins/', '')))
  await writeFile(join(folder, 'process.ts'), PROCESS)
  return folder
}

/** A process of that version; ended with the test. */
export async function startOlder(folder: string, url: string, options: { readonly migrate?: boolean } = {}) {
  const child = fork(join(folder, 'process.ts'), [JSON.stringify([url, options.migrate ?? false])], {
    execArgv: ['--conditions=outbus-source'],
  })
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const older = new OlderProcess(child)
  await older.ready
  return older
}

class OlderProcess {
  readonly ready: Promise<void>
  readonly ran: Ran[] = []
  readonly #child: ChildProcess
  readonly #answers = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #waiting = new Set<() => void>()
  #calls = 0

  constructor(child: ChildProcess) {
    this.#child = child
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ready = promise
    child.once('exit', (code) => {
      const gone = new Error(`the older process ended with ${code}`)
      reject(gone)
      for (const answer of this.#answers.values()) answer.reject(gone)
    })
    child.on('message', (message) => {
      const said = message as Message
      if ('ready' in said) resolve()
      else if ('ran' in said) {
        this.ran.push(said.ran)
        for (const check of this.#waiting) check()
      } else {
        const answer = this.#answers.get(said.id)
        this.#answers.delete(said.id)
        if (said.error === undefined) answer?.resolve(said.result)
        else answer?.reject(Object.assign(new Error(said.error.message), { code: said.error.code }))
      }
    })
  }

  call<Result = undefined>(call: string, ...args: unknown[]): Promise<Result> {
    const id = ++this.#calls
    const answer = Promise.withResolvers<unknown>()
    this.#answers.set(id, answer)
    this.#child.send({ id, call, args })
    return answer.promise as Promise<Result>
  }

  /** Resolves when what its handlers ran is enough. */
  until(enough: (ran: readonly Ran[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!enough(this.ran)) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
      check()
    })
  }
}
