/**
 * One system at one scenario, in a process of its own: `worker.ts <system> <scenario> <json>`. The process carries out the
 * commands that its parent sends, one at a time, and answers each:
 *
 *     install | prepare        for a database, once
 *     measure                  a run that cannot be cut
 *     open  (ready slice)*  close    work that can
 */
import type { Amount, Run, Slice, SystemName, Work } from './contract.ts'
import { dispatchersCpu } from './dispatcher-process.ts'
import { scenarios, switchScenarios } from './scenarios/index.ts'
import { loadSystem } from './systems/index.ts'

export interface WorkerTask {
  readonly url: string
  readonly variant: string
  readonly quick: boolean
  readonly prepared: number
  readonly postmaster: number | undefined
}

export type Command =
  | { readonly name: 'install' | 'prepare' | 'measure' | 'open' | 'close' }
  | { readonly name: 'ready' | 'slice'; readonly amount: Amount }

export type Answer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly message: string; readonly stack: string | undefined }

/** A slice, and the processor time that its process and the processes below it have used, in µs. */
export type MeteredSlice = Slice & { readonly cpuUs: number }

const [systemName, scenarioName, json] = process.argv.slice(2) as [SystemName, string, string]
const system = await loadSystem(systemName)
const run: Run = { ...(JSON.parse(json) as WorkerTask), system }
let work: Work | undefined

// The channel ends with whoever started this process, however that one ends.
process.once('disconnect', () => process.exit(1))
process.on('message', (command) => void answer(command as Command))
tell({ ok: true, result: 'ready' })

async function answer(command: Command): Promise<void> {
  try {
    tell({ ok: true, result: (await perform(command)) ?? null })
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error))
    // Whoever sent the command decides what a failure means.
    tell({ ok: false, message, stack })
  }
}

function tell(answer: Answer): void {
  process.send?.(answer)
}

async function perform(command: Command): Promise<unknown> {
  switch (command.name) {
    case 'install':
      return system.install(run.url)
    case 'prepare':
      return scenario().prepare?.(run)
    case 'measure': {
      const found = scenario()
      if (found.cut !== 'never') throw new Error(`${found.name} is measured in slices`)
      return metered(() => found.measure(run))
    }
    case 'open': {
      const found = scenario()
      if (found.cut === 'never') throw new Error(`${found.name} cannot be cut`)
      work = await found.open(run)
      return null
    }
    case 'ready':
      return opened().ready?.(command.amount)
    case 'slice': {
      const present = opened()
      return metered(() => present.slice(command.amount))
    }
    case 'close':
      return opened().close()
  }
}

function scenario() {
  const found = [...scenarios, ...switchScenarios].find(({ name }) => name === scenarioName)
  if (found === undefined) throw new Error(`there is no scenario ${scenarioName}`)
  return found
}

function opened(): Work {
  if (work === undefined) throw new Error('nothing has been opened')
  return work
}

async function metered(slice: () => Promise<Slice>): Promise<MeteredSlice> {
  const others = await dispatchersCpu()
  const before = process.cpuUsage()
  const measured = await slice()
  const { user, system: inKernel } = process.cpuUsage(before)
  return { ...measured, cpuUs: user + inKernel + (await dispatchersCpu()) - others }
}
