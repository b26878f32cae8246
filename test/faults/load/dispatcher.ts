/** A dispatcher process of the load. Settings come as the first argument. */
import { subscribe } from 'node:diagnostics_channel'
import { flushCompileCache } from 'node:module'
import { installFailpoints } from '../failpoints/install.ts'
import { installMutant } from '../mutants/install.ts'
import { createBus, OUTCOME_CHANNEL } from '@outbus/core'
import type { OutcomeMessage } from '@outbus/core'
import pino from 'pino'
import { Reporter, reportStalls } from '../history/reporter.ts'
import { DISPATCH, SCHEMA } from '../settings.ts'
import type { SubjectSettings } from '../settings.ts'
import { registerHandlers } from './handlers.ts'
import type { Order } from '../supervisor.ts'
import { reportForbidden } from './rights.ts'
import { loadPlugins } from './sources.ts'

const settings = JSON.parse(process.argv[2] as string) as SubjectSettings
const failpoints = installFailpoints()
if (settings.mutant !== undefined) installMutant(settings.mutant)
const reporter = await Reporter.connect(settings.socket, settings)
reportStalls(reporter)
reportForbidden(reporter)

subscribe(OUTCOME_CHANNEL, (message) => {
  const { deliveryId, trigger, attempt, outcome } = message as OutcomeMessage
  const failure = 'error' in outcome ? { failure: outcome.error.kind } : {}
  void reporter.say({ kind: 'outcome', delivery: deliveryId, trigger, attempt, outcome: outcome.kind, ...failure })
})

const bus = await createBus({
  database: settings.url,
  schema: SCHEMA,
  plugins: loadPlugins(),
  dispatch: DISPATCH,
  retention: false,
  history: 'off',
  log: pino({ level: 'warn' }, { write: (line: string) => void reporter.say({ kind: 'log', text: shortened(line) }) }),
})
registerHandlers(bus, { reporter, pass: failpoints.pass })
process.on('message', ({ arm }: Order) => failpoints.arm(arm))

process.on('SIGTERM', () => {
  void bus
    .stop({ graceMs: 10_000 })
    .then(() => reporter.close())
    .then(() => process.disconnect())
})
await startSoon()
await reporter.say({ kind: 'ready' })
// The next life needs it, and a process that is killed writes nothing.
flushCompileCache()

/** While Postgres is away it tries again, as whoever runs such a program would. */
async function startSoon(): Promise<void> {
  for (;;) {
    try {
      return await bus.start()
    } catch (error) {
      process.stderr.write(`${JSON.stringify({ msg: `could not start yet: ${String(error)}` })}\n`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

function shortened(line: string): string {
  const { msg, err } = JSON.parse(line) as { msg: string; err?: { message?: string } }
  return err?.message === undefined ? msg : `${msg}: ${err.message}`
}
