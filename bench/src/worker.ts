/**
 * One step of one measurement, in a process of its own: `worker.ts <system> <scenario> <json>`, the scenario being
 * `install` for what comes before all of them. Prints one line of JSON.
 */
import type { SystemName } from './contract.ts'
import { scenarios } from './scenarios/index.ts'
import { loadSystem } from './systems/index.ts'

export interface WorkerTask {
  readonly step: 'install' | 'prepare' | 'measure'
  readonly url: string
  readonly variant: string
  readonly quick: boolean
  readonly prepared: number
}

// The pipe ends with whoever started this process, however that one ends.
process.stdin.on('end', () => process.exit(1)).resume()

const [systemName, scenarioName, json] = process.argv.slice(2) as [SystemName, string, string]
const { step, ...task } = JSON.parse(json) as WorkerTask
const system = await loadSystem(systemName)
const result = await perform()
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))

async function perform(): Promise<unknown> {
  if (step === 'install') {
    await system.install(task.url)
    return null
  }
  const scenario = scenarios.find(({ name }) => name === scenarioName)
  if (scenario === undefined) throw new Error(`there is no scenario ${scenarioName}`)
  const run = { ...task, system }
  return step === 'prepare' ? scenario.prepare?.(run) : scenario.measure(run)
}
