/** The clock of a process is an hour off, or the clock of Postgres goes back by an hour. */
import { faketimeUnavailable, libfaketime } from '../faketime.ts'
import type { Fault, Subject, World } from '../world.ts'
import { between, everybody, healed, last, works } from './tools.ts'

const STEP_MS = 2_000
/** How long the clock of Postgres stays behind once everybody works by it. */
const LEAST_BEHIND_MS = 500
const MOST_BEHIND_MS = 3_000
const HOUR_MS = 3_600_000
/** Postgres and the runner are on one machine: a clock is not off by as much as this unless it was set. */
const MINUTE_MS = 60_000
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
    unavailable: faketimeUnavailable,
    strike: setBack,
  },
]

/**
 * The server comes back with a clock that is behind, everybody has to work by it, and after a while it comes back with the right
 * one. So its time also goes forward by an hour, which ends leases early. While it is behind, it may take a longer timer for due
 * as well.
 */
async function setBack(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  const window = open(everybody(world))
  try {
    await world.server.stop('fast')
    await world.server.start(-1)
    await healed('the clock is an hour behind', () => assertOff(world, -HOUR_MS))
    await works(world)
    await last(world, between(world, LEAST_BEHIND_MS, MOST_BEHIND_MS))
  } finally {
    await world.server.stop('fast')
    await world.server.start()
    await healed('the clock is right again', () => assertOff(world, 0))
    window.close()
  }
  await works(world)
}

async function assertOff(world: World, byMs: number): Promise<void> {
  const { rows } = await world.admin.query<{ ms: number }>(
    'select extract(epoch from clock_timestamp())::double precision * 1000 as ms',
  )
  const offByMs = (rows[0]?.ms ?? 0) - Date.now()
  if (Math.abs(offByMs - byMs) > MINUTE_MS)
    throw new Error(`the clock of Postgres is off by ${Math.round(offByMs)} ms and not by ${byMs}`)
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
