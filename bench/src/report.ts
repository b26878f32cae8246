/**
 * `npm run bench:report -- --from FILE`: the chart at docs/benchmark.svg, and the table between the markers of README.md, from
 * what `npm run bench -- --json FILE` wrote. `--readme FILE` and `--chart FILE` name others.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { drawChart } from './chart.ts'
import { USAGE } from './cli.ts'
import { benchMarkdown, replaceBetweenMarkers } from './markdown.ts'
import { readResults } from './results.ts'

const README = fileURLToPath(new URL('../../README.md', import.meta.url))
const CHART = fileURLToPath(new URL('../../docs/benchmark.svg', import.meta.url))

const options = readFlags()
if (options === undefined) {
  process.stderr.write('bench:report: --from FILE names the results; --readme FILE and --chart FILE are for tests\n')
  process.exitCode = USAGE
} else {
  try {
    await report(options)
  } catch (error) {
    process.stderr.write(`bench:report: ${(error as Error).message}\n`)
    process.exitCode = 1
  }
}

interface ReportOptions {
  readonly from: string
  readonly readme: string
  readonly chart: string
}

function readFlags(): ReportOptions | undefined {
  try {
    const {
      from,
      readme = README,
      chart = CHART,
    } = parseArgs({
      options: { from: { type: 'string' }, readme: { type: 'string' }, chart: { type: 'string' } },
    }).values
    return from === undefined ? undefined : { from, readme, chart }
  } catch {
    // Whatever is wrong with the flags, the answer is what they are.
    return undefined
  }
}

async function report({ from, readme, chart }: ReportOptions): Promise<void> {
  const results = readResults(await readFile(from, 'utf8'))
  // Before anything is written: the README may have no place for it.
  const document = replaceBetweenMarkers(await readFile(readme, 'utf8'), benchMarkdown(results))
  await writeFile(chart, drawChart(results))
  await writeFile(readme, document)
}
