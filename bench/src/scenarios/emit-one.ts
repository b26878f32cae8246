import type { Purpose, Scenario, Way } from '../contract.ts'
import { SYSTEMS } from '../contract.ts'
import { NOTE } from '../payloads.ts'
import { ratePerSecond } from '../work.ts'

const CALLERS: Readonly<Record<string, number>> = { 'emit-one-1': 1, 'emit-one': 16, 'emit-one-256': 256 }

/** Single emits of so many callers, one matching trigger, a dispatcher running in the same process. */
export const emitOne: Scenario = {
  name: 'emit-one',
  systems: SYSTEMS,
  variants: Object.keys(CALLERS),
  async measure({ url, system, variant, quick }) {
    const callers = CALLERS[variant] as number
    const rateOf = async (way?: Way): Promise<number> => {
      const purpose: Purpose = { load: 'emits', callers, ...(way === undefined ? {} : { way }) }
      const session = await system.open(url, purpose)
      await session.dispatch({ main: () => {} })
      const rate = await ratePerSecond(() => session.emit(NOTE), {
        callers,
        ...(quick ? { warmMs: 300, ms: 700 } : { ms: 5_000 }),
      })
      await session.stop()
      return rate
    }
    if (system.ways === undefined) return [{ scenario: variant, unit: 'events/s', value: await rateOf() }]
    const tried: { way: Way; rate: number }[] = []
    for (const way of system.ways(callers)) tried.push({ way, rate: await rateOf(way) })
    tried.sort((a, b) => b.rate - a.rate)
    const [best] = tried as [{ way: Way; rate: number }]
    const also = tried.slice(1).map(({ way, rate }) => `; ${describe(way)}: ${Math.round(rate)}`)
    const note = `nobody drains; ${describe(best.way)}${also.join('')}`
    return [{ scenario: variant, unit: 'events/s', value: best.rate, note }]
  },
}

function describe({ connections, pipeline }: Way): string {
  return `${connections} connections${pipeline ? ', pipelined' : ''}`
}
