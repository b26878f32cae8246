/**
 * `npm run bench:report` writes the chart at docs/benchmark.svg, the tables of docs/performance.md and the six rows of README.md.
 * It reads what `npm run bench -- --json docs/benchmark.json` wrote. `--from FILE`, `--page FILE`, `--readme FILE` and
 * `--chart FILE` name others. Results that leave an aim unmeasured are refused, unless `--partial` says that this is known.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { USAGE } from '@outbus/test-kit/flags'
import { judge } from './aims.ts'
import { drawChart } from './chart.ts'
import { benchMarkdown, replaceBetweenMarkers, summaryMarkdown } from './markdown.ts'
import { readResults } from './results.ts'

const RESULTS = fileURLToPath(new URL('../../docs/benchmark.json', import.meta.url))
const PAGE = fileURLToPath(new URL('../../docs/performance.md', import.meta.url))
const README = fileURLToPath(new URL('../../README.md', import.meta.url))
const CHART = fileURLToPath(new URL('../../docs/benchmark.svg', import.meta.url))

const options = readFlags()
if (options === undefined) {
  process.stderr.write('bench:report: there are --from FILE, --partial, --page FILE, --readme FILE and --chart FILE\n')
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
  readonly page: string
  readonly readme: string
  readonly chart: string
}

function readFlags(): ReportOptions | undefined {
  try {
    const {
      from = RESULTS,
      partial = false,
      page = PAGE,
      readme = README,
      chart = CHART,
    } = parseArgs({
      options: {
        from: { type: 'string' },
        partial: { type: 'boolean' },
        page: { type: 'string' },
        readme: { type: 'string' },
        chart: { type: 'string' },
      },
    }).values
    return { from, partial, page, readme, chart }
  } catch {
    // Whatever is wrong with the flags, the answer is what they are.
    return undefined
  }
}

async function report({ from, partial, page, readme, chart }: ReportOptions): Promise<void> {
  const results = readResults(await readFile(from, 'utf8'))
  const missing = judge(results).filter(({ judgement }) => judgement === undefined)
  if (missing.length > 0 && !partial)
    throw new Error(
      `${[...new Set(missing.map(({ scenario }) => scenario))].join(', ')}: not measured; --partial for all the same`,
    )
  // Before anything is written: a document may have no place for it.
  const whole = replaceBetweenMarkers(await readFile(page, 'utf8'), 'bench', benchMarkdown(results))
  const summary = replaceBetweenMarkers(await readFile(readme, 'utf8'), 'bench:summary', summaryMarkdown(results))
  await writeFile(chart, drawChart(results))
  await writeFile(page, whole)
  await writeFile(readme, summary)
}
