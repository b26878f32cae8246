/** Faults of the processes themselves: killed, drained, stopped. */
import { setTimeout as sleep } from 'node:timers/promises'
import { FAILPOINTS } from '../failpoints/names.ts'
import type { Failpoint } from '../failpoints/names.ts'
import { pick } from '../random.ts'
import type { Fault, Subject, World } from '../world.ts'

/** A failpoint is passed soon, or not at all: then the fault is over. */
const ARMED_MS = 3_000
/** How much longer than it may a frozen process stands still. */
const FROZEN_BEYOND = 1.5

/** Waits, unless the run is over before. */
async function wait(ms: number, over: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: over }).catch(() => undefined)
}

/** One of them, once all are at work: so that there are others to take over what it leaves. */
async function victim(kind: Subject['kind'], { dispatchers, emitters, random }: World): Promise<Subject> {
  await Promise.all(dispatchers.map((subject) => subject.ready()))
  const subject = pick(kind === 'dispatcher' ? dispatchers : emitters, random)
  await subject.ready()
  return subject
}

/** Nobody is left: what they leave waits for the first that is started again. */
const allKilled: Fault = {
  name: 'sigkill-every-dispatcher',
  async strike(world, open) {
    const { dispatchers } = world
    await victim('dispatcher', world)
    const exited = Promise.all(dispatchers.map((subject) => subject.exited))
    const window = open(dispatchers)
    for (const subject of dispatchers) subject.signal('SIGKILL')
    await exited
    window.close()
  },
}

function killed(kind: Subject['kind']): Fault {
  return {
    name: `sigkill-${kind}`,
    async strike(world, open) {
      const subject = await victim(kind, world)
      const { exited } = subject
      const window = open([subject])
      subject.signal('SIGKILL')
      await exited
      window.close()
    },
  }
}

function killedAt(failpoint: Failpoint): Fault {
  return {
    name: `sigkill-${failpoint}`,
    async strike(world, open) {
      const subject = await victim('dispatcher', world)
      const { exited } = subject
      const window = open([subject])
      subject.arm(failpoint)
      await Promise.race([exited, wait(ARMED_MS, world.over)])
      // It would strike later, when nobody expects it.
      if (subject.alive) subject.signal('SIGKILL')
      await exited
      window.close()
    },
  }
}

/** Every handler ends in time, so nothing is hurt: what runs again after this is a violation. */
const drained: Fault = {
  name: 'sigterm-drain',
  async strike(world, open) {
    const subject = await victim('dispatcher', world)
    const { exited } = subject
    const window = open([])
    subject.signal('SIGTERM')
    await exited
    window.close()
  },
}

const stopped: Fault = {
  name: 'sigstop',
  async strike(world, open) {
    const { frozenAfterMs, over } = world
    const subject = await victim('dispatcher', world)
    const window = open([subject])
    subject.signal('SIGSTOP')
    await wait(frozenAfterMs * FROZEN_BEYOND, over)
    subject.signal('SIGCONT')
    window.close()
  },
}

/** Whether a row was found under a lease that had run out, and is run by somebody else. */
const TAKEN_OVER = (schema: string) =>
  `select exists (select from ${schema}.outbox where alone and lease_token is not null and due_at > clock_timestamp()) as taken_over`
const LOOK_EVERY_MS = 10

/** Shorter than the frozen are given: it goes on while somebody else runs what it had, and has not lost its connections. */
const stoppedForALease: Fault = {
  name: 'sigstop-for-a-lease',
  async strike(world, open) {
    const { admin, schema, leaseMs, over } = world
    const subject = await victim('dispatcher', world)
    const window = open([subject])
    subject.signal('SIGSTOP')
    const until = performance.now() + leaseMs * 1.2
    try {
      for (let taken = false; !taken && performance.now() < until && !over.aborted;) {
        await wait(LOOK_EVERY_MS, over)
        const { rows } = await admin.query<{ taken_over: boolean }>(TAKEN_OVER(schema))
        taken = rows[0]?.taken_over === true
      }
    } finally {
      subject.signal('SIGCONT')
      window.close()
    }
  },
}

export const PROCESS_FAULTS: readonly Fault[] = [
  killed('dispatcher'),
  ...FAILPOINTS.map(killedAt),
  allKilled,
  killed('emitter'),
  drained,
  stopped,
  stoppedForALease,
]
