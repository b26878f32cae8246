/** Plugins, started in one order and ended in the reverse: one that fails or hangs is named, and harms no other. */
import type { Logger } from 'pino'
import { timeoutSignal } from '../time/clock.ts'
import { aborted, within } from '../time/pause.ts'
import { isOutbusError, OutbusError } from '../errors.ts'

export interface StartablePlugin {
  readonly name: string
  start(): Promise<void> | undefined
  stop(): Promise<void> | undefined
  close(): Promise<void> | undefined
}

/** `stop`: it makes nothing happen any more. `close`: it is not needed any more. */
type Ending = 'stop' | 'close'

/** All of them, or none: those that had been started are stopped and closed again. */
export async function startPlugins(plugins: readonly StartablePlugin[], timeoutMs: number, log: Logger): Promise<void> {
  const started: StartablePlugin[] = []
  for (const plugin of plugins) {
    try {
      await startWithin(plugin, timeoutMs, log)
      started.push(plugin)
    } catch (error) {
      await undo(started, timeoutMs, log)
      if (isOutbusError(error, 'plugin.init_failed')) throw error
      throw new OutbusError('plugin.init_failed', `${named(plugin)}: start failed`, { path: 'start', cause: error })
    }
  }
}

async function startWithin(plugin: StartablePlugin, timeoutMs: number, log: Logger): Promise<void> {
  let state: 'starting' | 'started' | 'given up' = 'starting'
  const starting = (async () => plugin.start())().then(async () => {
    if (state === 'starting') state = 'started'
    // Nobody waits for it any more; what it opened is not to stay open.
    else await undo([plugin], timeoutMs, log)
  })
  await within(timeoutMs, starting)
  if ((state as string) === 'started') return
  state = 'given up'
  starting.catch((error: unknown) => log.debug({ err: error }, `${named(plugin)}: start failed after it was given up`))
  throw new OutbusError('plugin.init_failed', `${named(plugin)}: start did not end within ${timeoutMs} ms`, {
    path: 'start',
    limit: timeoutMs,
    hint: 'what takes longer belongs behind start, or raise startTimeoutMs',
  })
}

async function undo(plugins: readonly StartablePlugin[], timeoutMs: number, log: Logger): Promise<void> {
  const over = timeoutSignal(timeoutMs)
  await endPlugins(plugins, 'stop', over, log)
  await endPlugins(plugins, 'close', over, log)
}

/** The last first, and each whatever the others do; one that hangs is left when `over` aborts. Never rejects. */
export async function endPlugins(
  plugins: readonly StartablePlugin[],
  ending: Ending,
  over: AbortSignal,
  log: Logger,
): Promise<void> {
  for (const plugin of plugins.toReversed()) {
    const ended = (async () => plugin[ending]())().then(
      () => true,
      (error: unknown) => {
        // The others and the database are to be closed all the same.
        log.error({ err: error }, `${named(plugin)}: ${ending} failed`)
        return true
      },
    )
    const inTime = await Promise.race([ended, aborted(over).then(() => false)])
    if (!inTime) log.error(`${named(plugin)}: ${ending} did not end in time`)
  }
}

function named({ name }: StartablePlugin): string {
  return `plugin ${JSON.stringify(name)}`
}
