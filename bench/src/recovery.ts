/**
 * `npm run bench:recovery`: how soon rows in flight run again after their dispatcher is killed by SIGKILL. Two
 * dispatcher processes with default options share 1,000 jobs of 2 ms; a job in the middle kills the process that runs
 * it. From that instant until each delivery that the dead process had started, and not settled, is started again.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { createTestDatabase, startPostgres } from '@outbus/test-kit'
import { openClient } from '@outbus/test-kit/connections'
import type { RecoveryLine } from './recovery-worker.ts'

const ROUNDS = Number(process.argv[2] ?? 10)
const JOBS = 1_000
const MS = Number(process.argv[3] ?? 2)

const server = await startPostgres(process.env['BENCH_DATABASE_URL'] ?? 'embedded', { durable: true })
const all: number[] = []
const lasts: number[] = []
try {
  for (let round = 1; round <= ROUNDS; round++) {
    const delays = await recover()
    all.push(...delays)
    lasts.push(delays.at(-1) ?? 0)
    process.stderr.write(
      `round ${round}: ${delays.length} in flight, median ${quantile(delays, 0.5)} ms, last ${delays.at(-1)} ms\n`,
    )
  }
  all.sort((a, b) => a - b)
  process.stdout.write(
    `recovery over ${ROUNDS} kills, handlers of ${MS} ms, Postgres ${server.version}: ${all.length} rows in flight, running again after ` +
      `p50 ${quantile(all, 0.5)}, p99 ${quantile(all, 0.99)}, max ${all.at(-1)} ms\n`,
  )
} finally {
  await server.stop()
}

async function recover(): Promise<number[]> {
  const database = await createTestDatabase(server.url)
  const bus = await createBus({ database: database.url, plugins: [kv()], migrate: true, app: 'bench' })
  const cx = bus.context()
  await cx.triggers.create({
    name: 'job',
    source: 'kv',
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'job' },
    retry: { maxAttempts: 3, strategy: 'constant', baseDelayMs: 1 },
  })
  const lines: RecoveryLine[][] = [[], []]
  const workers = lines.map((of) => {
    const child = spawn(
      process.execPath,
      ['--conditions=outbus-source', fileURLToPath(new URL('recovery-worker.ts', import.meta.url)), database.url],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const ready = new Promise<void>((resolve) =>
      createInterface({ input: child.stdout }).on('line', (text) => {
        if (text === 'ready') resolve()
        else of.push(JSON.parse(text) as RecoveryLine)
      }),
    )
    return { child, ready, closed: once(child, 'close') }
  })
  await Promise.all(workers.map(({ ready }) => ready))
  await cx.kv.setMany(
    Array.from({ length: JOBS }, (_, i) => ({
      collection: 'jobs',
      key: String(i),
      value: { ms: MS, kills: i === JOBS / 2 },
    })),
  )
  const dead = await Promise.race(workers.map(({ closed }, i) => closed.then(() => i)))
  const live = 1 - dead
  const client = await openClient({ connectionString: database.url })
  for (let left = true; left;) {
    const { rows } = await client.query<{ left: boolean }>(
      'select exists (select from outbus.outbox) as left from pg_sleep(0.02)',
    )
    left = rows[0]?.left === true
  }
  await client.end()
  workers[live]?.child.kill('SIGTERM')
  await workers[live]?.closed
  await bus.stop()
  await database.drop()
  const killedAt = lines[dead]?.at(-1)?.at as number
  const started = new Set(lines[dead]?.map(({ id }) => id))
  return (lines[live] ?? [])
    .filter(({ id, at }) => started.has(id) && at >= killedAt)
    .map(({ at }) => at - killedAt)
    .toSorted((a, b) => a - b)
}

function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}
