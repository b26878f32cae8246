/** The clock of a process is an hour off; that of Postgres is right. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Fault, Subject, World } from '../world.ts'
import { last } from './tools.ts'

/** Where Debian's package `faketime` puts it, and where it is when built by hand. */
const FOLDERS = ['/usr/lib', '/usr/local/lib', '/usr/lib64', '/opt/homebrew/lib']
const LIBRARY = 'faketime/libfaketime.so.1'
const STEP_MS = 2_000
const DRAIN_WITHIN_MS = 20_000

export const CLOCK_FAULTS: readonly Fault[] = (['dispatcher', 'emitter'] as const).flatMap((kind) =>
  (['+1h', '-1h'] as const).map((offset) => ({
    name: `clock-${offset}-${kind}`,
    unavailable: () =>
      libfaketime() === undefined ? 'libfaketime is not installed (Debian: apt install faketime)' : undefined,
    strike: (world: World, open: Parameters<Fault['strike']>[1]) => lieTo(world, open, kind, offset),
  })),
)

/** One process is started anew with the wrong clock, works with it for a while, and is started anew without. */
async function lieTo(
  world: World,
  open: Parameters<Fault['strike']>[1],
  kind: Subject['kind'],
  offset: string,
): Promise<void> {
  const subjects = kind === 'dispatcher' ? world.dispatchers : world.emitters
  const subject = subjects[Math.floor(world.random() * subjects.length)]
  const library = libfaketime()
  if (subject === undefined || library === undefined) return
  const window = open([subject])
  try {
    await again(subject, {
      LD_PRELOAD: library,
      FAKETIME: offset,
      // Timers go by the monotonic clock, which is nobody's to set.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    })
    await last(world, STEP_MS)
  } finally {
    await again(subject)
    window.close()
  }
}

/** Drained, and another life with other variables. */
async function again(subject: Subject, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const held = subject.hold()
  try {
    const { exited } = subject
    subject.signal('SIGTERM')
    const late = setTimeout(() => subject.signal('SIGKILL'), DRAIN_WITHIN_MS)
    await exited
    clearTimeout(late)
  } finally {
    held.release(env)
  }
  await subject.ready()
}

function libfaketime(): string | undefined {
  const folders = FOLDERS.filter((folder) => existsSync(folder))
  const multiarch = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  return [...folders, ...multiarch].map((folder) => join(folder, LIBRARY)).find((path) => existsSync(path))
}
