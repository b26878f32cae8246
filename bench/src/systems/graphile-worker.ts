/** graphile-worker in the configuration that its documentation gives its figures for: https://worker.graphile.org/docs/performance */
import { Logger, makeWorkerUtils, run, runMigrations } from 'graphile-worker'
import type { Runner } from 'graphile-worker'
import type { Session, System } from '../contract.ts'

function optionsFor(connectionString: string) {
  return {
    noHandleSignals: true,
    preset: {
      worker: {
        connectionString,
        concurrentJobs: 24,
        maxPoolSize: 25,
        localQueue: { size: 500 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
        logger: new Logger(() => () => {}),
      },
    },
  }
}

export const graphileWorker: System = {
  name: 'graphile-worker',
  table: { name: 'graphile_worker._private_jobs', due: 'run_at', fresh: { created_at: 'clock_timestamp()' } },

  async install(url) {
    await runMigrations(optionsFor(url))
  },

  async open(url): Promise<Session> {
    const options = optionsFor(url)
    const utils = await makeWorkerUtils(options)
    let runner: Runner | undefined
    return {
      emit: ({ data }, channel = 'main') => utils.addJob(channel, data),
      emitMany: (payloads) => utils.addJobs(payloads.map(({ data }) => ({ identifier: 'main', payload: data }))),
      async dispatch({ main = () => {}, other = () => {} }) {
        // An object of its own: the library caches what it makes of one.
        runner = await run({ ...optionsFor(url), parsedCronItems: [] }, { main: () => main(), other: () => other() })
      },
      async stop() {
        await runner?.stop()
        await utils.release()
      },
    }
  },
}
