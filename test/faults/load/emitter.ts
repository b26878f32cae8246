/** An emitter process of the load: several loops, each of which does one operation after the other. */
import { flushCompileCache } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { createBus } from '@outbus/core'
import { openPool } from '@outbus/test-kit/connections'
import pino from 'pino'
import { Reporter, reportStalls } from '../history/reporter.ts'
import { installMutant } from '../mutants/install.ts'
import { seeded, seedOf } from '../random.ts'
import { EMIT_LOOPS, EMIT_PAUSE_MS, SCHEMA } from '../settings.ts'
import type { SubjectSettings } from '../settings.ts'
import { Operations } from './operations.ts'
import { reportForbidden } from './rights.ts'
import { loadPlugins } from './sources.ts'

const settings = JSON.parse(process.argv[2] as string) as SubjectSettings
if (settings.mutant !== undefined) installMutant(settings.mutant)
const reporter = await Reporter.connect(settings.socket, settings)
reportStalls(reporter)
reportForbidden(reporter)

const pool = openPool({ connectionString: settings.url, max: EMIT_LOOPS, connectionTimeoutMillis: 5_000 })
const bus = await createBus({
  database: settings.url,
  schema: SCHEMA,
  plugins: loadPlugins(),
  log: pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true })),
})

const stopping = new AbortController()
const loops = Array.from({ length: EMIT_LOOPS }, async (_, i) => {
  const random = seeded(seedOf(settings.seed, `${settings.life}/${i}`))
  const operations = new Operations({ bus, pool, reporter, random, name: `${settings.life}.${i}` })
  while (!stopping.signal.aborted) {
    const answered = await operations.next()
    // Refused at once, as when Postgres is away: then slower.
    await sleep(EMIT_PAUSE_MS * (answered ? 2 * random() : 3))
  }
  await operations.settled()
})

process.on('SIGTERM', () => {
  stopping.abort()
  void Promise.all(loops)
    .then(() => bus.stop({ graceMs: 10_000 }))
    .then(() => pool.end())
    .then(() => reporter.close())
    .then(() => process.disconnect())
})
await reporter.say({ kind: 'ready' })
// The next life needs it, and a process that is killed writes nothing.
flushCompileCache()
