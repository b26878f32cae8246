import type { Run, Scenario, Session, Way } from '../contract.ts'
import { SYSTEMS } from '../contract.ts'
import { clearWork } from '../fill.ts'
import { NOTE } from '../payloads.ts'
import { connect } from '../systems/raw-sql.ts'
import { Balance, ratePerSecond } from '../work.ts'

const CALLERS: Readonly<Record<string, number>> = { 'emit-one-1': 1, 'emit-one': 16, 'emit-one-256': 256 }
/** How long each way of a system is tried before the fastest of them is measured. */
const TRIAL_MS = 400

/** Single emits of so many callers, one matching trigger, a dispatcher running in the same process. */
export const emitOne: Scenario = {
  name: 'emit-one',
  systems: SYSTEMS,
  variants: Object.keys(CALLERS),
  cut: 'time',
  async open(run) {
    const { url, system, variant } = run
    const callers = CALLERS[variant] as number
    const { way, note } = await (fastest ??= fastestWay(run, callers))
    const session = await system.open(url, { load: 'emits', callers, ...(way === undefined ? {} : { way }) })
    const balance = new Balance()
    const isRun = system.runsWhatIsEmitted ?? true
    await session.dispatch({ main: balance.onStart })
    const client = await connect(url)
    return {
      async ready() {
        if (!isRun) await clearWork(client, system)
      },
      async slice({ ms }) {
        const before = balance.emitted
        const rate = await ratePerSecond(() => emitCounted(session, balance), { callers, ms })
        // What is emitted is also run before the slice ends: its cost is part of a row's, and the next slice's turn is its own.
        if (isRun) await balance.settled()
        return {
          measures: [{ scenario: variant, unit: 'events/s', value: rate, ...(note === undefined ? {} : { note }) }],
          rows: balance.emitted - before,
        }
      },
      async close() {
        await client.end()
        await session.stop()
      },
    }
  },
}

function emitCounted(session: Session, balance: Balance): Promise<unknown> {
  balance.emitted++
  return session.emit(NOTE)
}

/** Found out once in the life of a process. */
let fastest: Promise<{ way?: Way; note?: string }> | undefined

async function fastestWay({ url, system }: Run, callers: number): Promise<{ way?: Way; note?: string }> {
  const [only, ...others] = system.ways?.(callers) ?? []
  if (only === undefined) return {}
  // Nothing is to be chosen where there is only one way.
  if (others.length === 0) return { way: only, note: `nobody drains; ${describe(only)}` }
  let best = { way: only, rate: 0 }
  const tried: string[] = []
  for (const way of [only, ...others]) {
    const session = await system.open(url, { load: 'emits', callers, way })
    const rate = await ratePerSecond(() => session.emit(NOTE), { callers, ms: TRIAL_MS })
    await session.stop()
    tried.push(`${describe(way)}: ${Math.round(rate)}`)
    if (rate > best.rate) best = { way, rate }
  }
  const note = `nobody drains; ${describe(best.way)}, the fastest of those tried for ${TRIAL_MS} ms (${tried.join('; ')})`
  return { way: best.way, note }
}

function describe({ connections, pipeline }: Way): string {
  return `${connections} connections${pipeline ? ', pipelined' : ''}`
}
