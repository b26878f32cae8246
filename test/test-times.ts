/** A vitest reporter that prints the budget of test time: the ten longest files, and what each project's files took. */
import type { Reporter, TestModule } from 'vitest/node'

const LONGEST = 10
/** Of `npm test` on two cores that have nothing else to do. A busy machine takes longer, so nothing fails by it. */
const BUDGET_S = 240

export default class TestTimes implements Reporter {
  #startedAt = performance.now()

  onTestRunStart(): void {
    this.#startedAt = performance.now()
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    process.stdout.write(reportOf(modules.map(timeOf), performance.now() - this.#startedAt))
  }
}

export interface FileTime {
  readonly project: string
  readonly file: string
  /** From the start of its import to the end of its last hook. */
  readonly ms: number
}

function timeOf(module: TestModule): FileTime {
  const { collectDuration, setupDuration, duration } = module.diagnostic()
  return {
    project: module.project.name,
    file: module.relativeModuleId,
    ms: collectDuration + setupDuration + duration,
  }
}

/** Nothing where fewer files ran than it would name: whoever runs one file sees its time already. */
export function reportOf(times: readonly FileTime[], wallMs: number): string {
  if (times.length <= LONGEST) return ''
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1).padStart(7)} s`
  const longest = times.toSorted((a, b) => b.ms - a.ms).slice(0, LONGEST)
  const projects = [...Map.groupBy(times, ({ project }) => project)].map(([project, files]) => {
    const total = files.reduce((sum, { ms }) => sum + ms, 0)
    return `${seconds(total)}  ${project}, ${files.length} files`
  })
  return [
    'Test time by project, over all workers:',
    ...projects,
    `${seconds(wallMs)}  by the clock; npm test has ${BUDGET_S} s on two quiet cores`,
    `The ${LONGEST} longest files:`,
    ...longest.map(({ project, file, ms }) => `${seconds(ms)}  ${project}  ${file}`),
    '',
  ].join('\n')
}
