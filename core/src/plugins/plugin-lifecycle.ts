/** Targets and sources, started in one order and stopped in the reverse: one that fails or hangs is named, and harms no other. */
import type { Logger } from 'pino'
import { timeoutSignal } from '../time/clock.ts'
import { aborted, within } from '../time/pause.ts'
import { isOutbusError, OutbusError } from '../errors.ts'

export interface StartablePlugin {
  /** `source "kv"`. */
  readonly named: string
  start(): Promise<void> | undefined
  stop(): Promise<void> | undefined
}

/** All of them, or none: those that had been started are stopped again. */
export async function startPlugins(plugins: readonly StartablePlugin[], timeoutMs: number, log: Logger): Promise<void> {
  const started: StartablePlugin[] = []
  for (const plugin of plugins) {
    try {
      await startWithin(plugin, timeoutMs, log)
      started.unshift(plugin)
    } catch (error) {
      await stopPlugins(started, timeoutSignal(timeoutMs), log)
      if (isOutbusError(error, 'plugin.init_failed')) throw error
      throw new OutbusError('plugin.init_failed', `${plugin.named}: start failed`, { path: 'start', cause: error })
    }
  }
}

async function startWithin(plugin: StartablePlugin, timeoutMs: number, log: Logger): Promise<void> {
  let state: 'starting' | 'started' | 'given up' = 'starting'
  const starting = (async () => plugin.start())().then(async () => {
    if (state === 'starting') state = 'started'
    // Nobody waits for it any more; what it opened is not to stay open.
    else await stopPlugins([plugin], timeoutSignal(timeoutMs), log)
  })
  await within(timeoutMs, starting)
  if ((state as string) === 'started') return
  state = 'given up'
  starting.catch((error: unknown) => log.debug({ err: error }, `${plugin.named}: start failed after it was given up`))
  throw new OutbusError('plugin.init_failed', `${plugin.named}: start did not end within ${timeoutMs} ms`, {
    path: 'start',
    limit: timeoutMs,
    hint: 'what takes longer belongs behind start, or raise startTimeoutMs',
  })
}

/** Each, whatever the others do; one that hangs is left when `over` aborts. Never rejects. */
export async function stopPlugins(plugins: readonly StartablePlugin[], over: AbortSignal, log: Logger): Promise<void> {
  for (const plugin of plugins) {
    const stopping = (async () => plugin.stop())().then(
      () => true,
      (error: unknown) => {
        // The others and the database are to be closed all the same.
        log.error({ err: error }, `${plugin.named}: stop failed`)
        return true
      },
    )
    const stopped = await Promise.race([stopping, aborted(over).then(() => false)])
    if (!stopped) log.error(`${plugin.named}: stop did not end in time`)
  }
}
