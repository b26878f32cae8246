/**
 * `npm run bench:report`: the chart at docs/benchmark.svg, and the table between the markers of README.md, from what
 * `npm run bench -- --json docs/benchmark.json` wrote. `--from FILE`, `--readme FILE` and `--chart FILE` name others; results that
 * leave an aim unmeasured are refused, unless `--partial` says that this is known.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { judge } from './aims.ts'
import { drawChart } from './chart.ts'
import { USAGE } from './cli.ts'
import { benchMarkdown, replaceBetweenMarkers } from './markdown.ts'
import { readResults } from './results.ts'

const RESULTS = fileURLToPath(new URL('../../docs/benchmark.json', import.meta.url))
const README = fileURLToPath(new URL('../../README.md', import.meta.url))
const CHART = fileURLToPath(new URL('../../docs/benchmark.svg', import.meta.url))

const options = readFlags()
if (options === undefined) {
  process.stderr.write('bench:report: there are --from FILE, --partial, --readme FILE and --chart FILE\n')
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
  readonly partial: boolean
  readonly readme: string
  readonly chart: string
}

function readFlags(): ReportOptions | undefined {
  try {
    const {
      from = RESULTS,
      partial = false,
      readme = README,
      chart = CHART,
    } = parseArgs({
      options: {
        from: { type: 'string' },
        partial: { type: 'boolean' },
        readme: { type: 'string' },
        chart: { type: 'string' },
      },
    }).values
    return { from, partial, readme, chart }
  } catch {
    // Whatever is wrong with the flags, the answer is what they are.
    return undefined
  }
}

async function report({ from, partial, readme, chart }: ReportOptions): Promise<void> {
  const results = readResults(await readFile(from, 'utf8'))
  const missing = judge(results).filter(({ judgement }) => judgement === undefined)
  if (missing.length > 0 && !partial)
    throw new Error(
      `${[...new Set(missing.map(({ scenario }) => scenario))].join(', ')}: not measured; --partial for all the same`,
    )
  // Before anything is written: the README may have no place for it.
  const document = replaceBetweenMarkers(await readFile(readme, 'utf8'), benchMarkdown(results))
  await writeFile(chart, drawChart(results))
  await writeFile(readme, document)
}
