/** A bus in a process of its own, with failpoints and, if asked for, as a mutant. Settings come as the first argument. */
import { writeSync } from 'node:fs'
import { createBus, reply } from '@outbus/core'
import type { HandlerArgs } from '@outbus/core'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import pino from 'pino'
import { asks } from '../../../integration/ask-source.ts'
import type { Instructions } from '../../../integration/ask-source.ts'
import { installMutant } from '../../mutants/install.ts'
import { installFailpoints } from '../install.ts'
import type { BusLine, BusProcessSettings, EmitCommand, Job } from './protocol.ts'

const settings = JSON.parse(process.argv[2] as string) as BusProcessSettings
if (settings.mutant !== undefined)
  installMutant(settings.mutant, settings.divisor === undefined ? {} : { divisor: settings.divisor })
const failpoints = installFailpoints()
if (settings.failpoint !== undefined) failpoints.arm(settings.failpoint)
if (settings.stopsAt !== undefined) failpoints.arm(settings.stopsAt, 'SIGSTOP')

/** Synchronous: what was said is in the pipe even when the process is killed in the next instant. */
function say(line: BusLine): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

const bus = await createBus({
  database: settings.url,
  plugins: [kv(), asks],
  dispatch: settings.dispatch ?? {},
  log: pino(
    { level: 'warn' },
    { write: (line: string) => say({ kind: 'log', message: (JSON.parse(line) as { msg: string }).msg }) },
  ),
})
let running = 0

async function run({ app, attempt, trigger }: Pick<HandlerArgs, 'app' | 'attempt' | 'trigger'>, key: string, job: Job) {
  const told = { app, key, trigger: trigger.name, attempt }
  say({ kind: 'started', ...told, running: ++running })
  failpoints.pass('in-handler')
  if (attempt <= (job.kills ?? 0)) process.kill(process.pid, 'SIGKILL')
  if (job.ms !== undefined) await new Promise((resolve) => setTimeout(resolve, job.ms))
  failpoints.pass('after-effect')
  say({ kind: 'ended', ...told, running: running-- })
  if (attempt <= (job.failures ?? 0)) throw new Error('fails on purpose')
}

bus.handle<KvEvent & { op: 'set' }>('work', (args) => run(args, args.event.key, args.event.value as Job))
bus.handle<Instructions>('answer', async (args) => {
  await run(args, args.event.value as string, { ms: args.event.ms })
  return reply(args.event.value)
})
process.on('message', ({ app, key, job }: EmitCommand) => {
  void bus
    .context({ app })
    .kv.set('jobs', key, job)
    .then(({ deliveries }) => say({ kind: 'emitted', key, deliveries }))
})
process.on('disconnect', () => void bus.stop({ graceMs: 0 }))
if (settings.emitsOnly !== true) await bus.start()
say({ kind: 'ready' })
