/** A vitest reporter that prints the budget of test time: the ten longest files, and what each project's files took. */
import type { Reporter, TestModule } from 'vitest/node'

const LONGEST = 10

export default class TestTimes implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    process.stdout.write(reportOf(modules.map(timeOf)))
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
export function reportOf(times: readonly FileTime[]): string {
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
    `The ${LONGEST} longest files:`,
    ...longest.map(({ project, file, ms }) => `${seconds(ms)}  ${project}  ${file}`),
    '',
  ].join('\n')
}
