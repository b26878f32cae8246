/** The clock of a process is an hour off, or that of Postgres is set back by an hour. */
import { faketimeUnavailable, libfaketime } from '../faketime.ts'
import { CLOCK_HOURS } from '../server.ts'
import type { Fault, Subject, World } from '../world.ts'
import { everybody, last, works } from './tools.ts'

const STEP_MS = 2_000
const DRAIN_WITHIN_MS = 20_000

export const CLOCK_FAULTS: readonly Fault[] = [
  ...(['dispatcher', 'emitter'] as const).flatMap((kind) =>
    (['+1h', '-1h'] as const).map((offset) => ({
      name: `clock-${offset}-${kind}`,
      unavailable: faketimeUnavailable,
      strike: (world: World, open: Parameters<Fault['strike']>[1]) => lieTo(world, open, kind, offset),
    })),
  ),
  {
    name: 'clock--1h-postgres',
    needs: 'faketime',
    unavailable: faketimeUnavailable,
    known: 'a server under libfaketime misses its own timers: a deadlock with another fault was never ended',
    strike: setBack,
  },
]

const setBackBy = new WeakMap<World['server'], number>()

/** By another hour each time, since to set it forward is another fault. */
async function setBack(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  const hours = (setBackBy.get(world.server) ?? 0) + 1
  const window = open(everybody(world))
  try {
    await world.server.setClock(CLOCK_HOURS - hours)
    setBackBy.set(world.server, hours)
    await works(world)
  } finally {
    window.close()
  }
}

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
